"""The REST facade over a real HTTP server, asked as any outside program would."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from dt.communication.database_api import DatabaseApiClient
from dt.communication.frames import frame_headers
from dt.communication.memory import MemoryMessaging
from dt.communication.topics import Topics
from dt.data.database.app import DatabaseService, create_service
from dt.utils.clock import SystemClock
from dt.utils.config import Settings, load_settings
from dt.utils.dataclasses import CameraFrame, RegistryRecord
from dt.utils.exceptions import RefusedRequestError
from tests.data.readings import NOW, make_descriptor, make_reading

Ask = Callable[..., requests.Response]
Eventually = Callable[[Callable[[], object], str], None]
TOKEN = {"Authorization": "Bearer test-token"}
JPEG = b"\xff\xd8\xff\xe0 a picture \xff\xd9"


@pytest.fixture
def ask(database: DatabaseService) -> Iterator[Ask]:
    """Return a way to send requests; `token=False` sends none."""
    with asking(database) as send:
        yield send


@pytest.fixture(scope="module")
def ask_shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Return a way to send requests that change nothing to one service for them all."""
    folder = tmp_path_factory.mktemp("shared")
    settings = load_settings(
        env_file=None,
        data_dir=folder,
        rig_file=folder / "none",
        flask_db_url="http://127.0.0.1:0",
        dt_token="test-token",
    )
    messaging = MemoryMessaging()
    service = create_service(settings, messaging, SystemClock())
    service.start()
    with asking(service) as send:
        yield send
    service.stop()
    messaging.close()


@contextmanager
def asking(service: DatabaseService) -> Iterator[Ask]:
    """Give a way to send requests to a service."""
    with requests.Session() as session:

        def send(method: str, path: str, *, token: bool = True, **more: Any) -> requests.Response:
            headers = TOKEN if token else {}
            return session.request(method, f"http://127.0.0.1:{service.port}{path}", headers=headers, timeout=5, **more)

        yield send


@pytest.fixture
def filled(ask: Ask, messaging: MemoryMessaging, eventually: Eventually) -> Ask:
    """Return `ask` on a store with 25 temperatures, a minute apart."""
    for i in range(25):
        messaging.publish(Topics.TEMPERATURE.processed, make_reading(timestamp=NOW + 60 * i, value=20 + i), key="box")
    query = {"sensor_id": "air-t", "limit": 100}
    eventually(lambda: len(list_of(ask("POST", "/data/id", json=query))) == 25, "all readings are stored")
    return ask


def list_of(response: requests.Response) -> list[dict[str, Any]]:
    """Return a JSON array, or nothing."""
    return response.json() if response.ok else []


def registry(messaging: MemoryMessaging) -> dict[str, RegistryRecord]:
    """Return the registry topic's latest records."""
    records = [RegistryRecord.from_json(record.value or b"") for record in messaging.read_all(Topics.REGISTRY)]
    return {record.record_id: record for record in records}


def test_sensor_is_bound_once(ask: Ask, messaging: MemoryMessaging) -> None:
    """201, then 200 for the same, and everybody learns of it."""
    body = make_descriptor().to_dict()

    answers = [ask("POST", "/bind_sensor", json=body).status_code for _again in range(2)]

    assert answers == [201, 200]
    assert registry(messaging)["sensor:air-t"].body == body


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "bme280"),
        ("zone_id", "shelf"),
        ("pin", "GPIO9"),
        ("data_type", "humidity"),
        ("name", "Other"),
        ("read_interval", 9),
    ],
)
def test_conflicting_sensor_is_refused_by_field(ask: Ask, field: str, value: str) -> None:
    """409 says where the two descriptors differ, and nothing changes."""
    ask("POST", "/bind_sensor", json=make_descriptor().to_dict())

    answer = ask("POST", "/bind_sensor", json={**make_descriptor().to_dict(), field: value})

    assert answer.status_code == 409
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["field"] == field
    assert ask("GET", "/sensors").json()["items"][0][field] != value


def test_calibration_is_changed_and_stays_when_the_sensor_is_bound_again(ask: Ask, messaging: MemoryMessaging) -> None:
    """A person's calibration gets the next version and wins over what the rig file still says."""
    calibration = {"version": 1, "points": [[1, 0.0], [2, 1.0]]}
    body = make_descriptor("soil", "soil_moisture", calibration=calibration).to_dict()
    ask("POST", "/bind_sensor", json=body)

    changed = ask("PATCH", "/sensors/soil", json={"calibration": {"points": [[1, 0.0], [3, 1.0]]}})
    again = ask("POST", "/bind_sensor", json=body)

    assert changed.json()["calibration"] == {"version": 2, "points": [[1, 0.0], [3, 1.0]]}
    assert (again.status_code, again.json()["calibration"]["version"]) == (200, 2)
    assert registry(messaging)["sensor:soil"].body["calibration"]["version"] == 2


def test_rig_with_a_newer_calibration_is_taken_over(ask: Ask) -> None:
    """A higher version, name or cadence in the rig's file is no conflict; the same version with other points is one."""
    points = [[1, 0.0], [2, 1.0]]
    soil = {**make_descriptor("soil", "soil_moisture").to_dict(), "calibration": {"version": 1, "points": points}}
    ask("POST", "/bind_sensor", json=soil)

    new = {**soil, "calibration": {"version": 2, "points": points}, "name": "Soil", "read_interval": 9}
    stranger = ask("POST", "/bind_sensor", json=new)
    newer = ask("POST", "/bind_sensor", json={**new, "take_over": True})
    again = ask("POST", "/bind_sensor", json=new)
    last = {**new, "calibration": {"version": 2, "points": [[1, 0.0], [9, 1.0]]}, "take_over": True}
    other = ask("POST", "/bind_sensor", json=last)

    assert (stranger.status_code, stranger.json()["fields"]) == (409, ["calibration", "name", "read_interval"])
    assert (again.status_code, again.json()) == (200, newer.json())
    assert (newer.status_code, newer.json()["name"], newer.json()["calibration"]["version"]) == (200, "Soil", 2)
    assert (other.status_code, other.json()["field"]) == (409, "calibration")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"calibration": {"points": [[1, 0.0], [2, 1.0]]}}, "calibration"),
        ({"calibration": 7}, "calibration"),
        ({"read_interval": -1}, "read_interval"),
        ({"read_interval": 1e300}, "read_interval"),
        ({"read_interval": 1e-300}, "read_interval"),
        ({"zone_id": "nowhere"}, "zone_id"),
        ({"plant_id": "nobody"}, "plant_id"),
        ({"sensor_id": "other"}, "sensor_id"),
    ],
)
def test_impossible_changes_of_a_sensor_are_refused(ask: Ask, changes: dict[str, Any], field: str) -> None:
    """422 names the field."""
    ask("POST", "/bind_sensor", json=make_descriptor().to_dict())

    answer = ask("PATCH", "/sensors/air-t", json=changes)

    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_plant_of_the_rig_file_is_known_and_can_be_changed(ask: Ask, messaging: MemoryMessaging) -> None:
    """PUT answers 200 for a known plant, 201 for a new one; both are announced."""
    [basil] = [plant for plant in ask("GET", "/plants").json()["items"] if plant["plant_id"] == "basil"]

    changed = ask("PUT", "/plants/basil", json={**basil, "name": "Genovese"})
    added = ask("PUT", "/plants/mint", json={"zone_id": "box"})

    assert (changed.status_code, added.status_code) == (200, 201)
    assert [plant["plant_id"] for plant in ask("GET", "/plants").json()["items"]] == [
        "basil",
        "lettuce",
        "mint",
        "tomato",
    ]
    assert registry(messaging)["plant:basil"].body["name"] == "Genovese"
    assert "plant:mint" in registry(messaging)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/bind_sensor"), ("PATCH", "/sensors/air-t"), ("PUT", "/plants/basil")],
)
def test_writing_needs_the_token(ask: Ask, method: str, path: str) -> None:
    """401 without it; the two queries by POST are reads and need none."""
    refused = ask(method, path, json={}, token=False)
    asked = ask("POST", "/data/timestamp", json={"data_type": "vpd", "since": 0, "until": 1}, token=False)

    assert (refused.status_code, asked.status_code) == (401, 200)


def test_readings_of_a_range_are_the_messages_themselves(filled: Ask) -> None:
    """ISO times and epoch seconds mean the same; the array is SensorData's own JSON."""
    body = {"data_type": "temperature", "since": "2027-01-15T08:00:00Z", "until": NOW + 60}

    answer = filled("POST", "/data/timestamp", json=body)

    assert answer.content == b"[" + make_reading(value=20).to_json() + b"]"
    assert "Link" not in answer.headers


def test_long_answers_come_in_pages_that_link_to_the_next(filled: Ask) -> None:
    """The same body posted to the link goes on where the page ended."""
    body = {"data_type": "temperature", "since": 0, "until": 3e9}
    path, found = "/data/timestamp?limit=10", []

    while path:
        answer = filled("POST", path, json=body)
        found.append([reading["value"] for reading in answer.json()])
        path = answer.links.get("next", {}).get("url", "")

    assert [len(page) for page in found] == [10, 10, 5]
    assert [value for page in found for value in page] == [20 + i for i in range(25)]


def test_latest_readings_of_a_sensor_are_newest_first(filled: Ask) -> None:
    """POST /data/id."""
    answer = filled("POST", "/data/id", json={"sensor_id": "air-t", "limit": 2})

    assert [reading["value"] for reading in answer.json()] == [44, 43]


def test_series_has_buckets_by_query_string(filled: Ask) -> None:
    """Epoch seconds and ISO 8601 are accepted."""
    path = f"/series?zone_id=box&data_type=temperature&since=2027-01-15T08:00:00Z&until={NOW + 1800}&points=5"

    series = filled("GET", path).json()

    assert series["resolution_s"] == 600.0
    assert series["n"] == [10, 10, 5]
    assert series["min"] == [20, 30, 40]


def test_days_are_those_of_the_zone_unless_another_time_zone_is_asked_for(filled: Ask) -> None:
    """NOW is 08:00 UTC on 15 January: midnight was 15:00 UTC in Tokyo, 23:00 UTC in Rome."""
    path = f"/series?zone_id=box&data_type=temperature&since={NOW - 86_400}&until={NOW + 86_400}&resolution=day"
    filled("PUT", "/zones/box", json={"timezone": "Asia/Tokyo"})

    own, other = filled("GET", path).json(), filled("GET", f"{path}&timezone=Europe/Rome").json()

    assert own["t"] == [NOW - 17 * 3600]
    assert other["t"] == [NOW - 9 * 3600]


def test_sensors_say_when_they_were_seen_last(filled: Ask) -> None:
    """A bound sensor without readings has no time."""
    for name in ("air-t", "silent"):
        filled("POST", "/bind_sensor", json=make_descriptor(name).to_dict())

    seen = {sensor["sensor_id"]: sensor["last_seen"] for sensor in filled("GET", "/sensors").json()["items"]}

    assert seen == {"air-t": NOW + 24 * 60, "silent": None}


READING_QUERY = {"data_type": "temperature", "since": 0, "until": 10}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("POST", "/bind_sensor", b"\xff\x00", 422, "$"),
        ("POST", "/bind_sensor", b"[]", 422, "$"),
        ("POST", "/bind_sensor", b"{}", 422, "sensor_id"),
        ("POST", "/bind_sensor", {**make_descriptor().to_dict(), "read_interval": 0}, 422, "read_interval"),
        ("POST", "/bind_sensor", {**make_descriptor().to_dict(), "address": 300}, 422, "address"),
        ("POST", "/data/timestamp", {**READING_QUERY, "data_type": "smell"}, 422, "data_type"),
        ("POST", "/data/timestamp", {**READING_QUERY, "since": "yesterday"}, 422, "since"),
        ("POST", "/data/timestamp", {**READING_QUERY, "since": True}, 422, "since"),
        ("POST", "/data/timestamp", b'{"data_type": "temperature", "since": NaN, "until": 1}', 422, "since"),
        ("GET", "/dead_letters?since=5&until=1", None, 422, "until"),
        ("GET", "/notes?since=5&until=5", None, 422, "until"),
        ("POST", "/data/timestamp", {**READING_QUERY, "until": -5}, 422, "until"),
        ("POST", "/data/timestamp", {**READING_QUERY, "since": 20}, 422, "until"),
        ("POST", "/data/timestamp", {"data_type": "temperature", "since": 0}, 422, "until"),
        ("POST", "/data/timestamp?cursor=x", READING_QUERY, 422, "cursor"),
        ("POST", "/data/timestamp?limit=0", READING_QUERY, 422, "limit"),
        ("POST", "/data/id", {"sensor_id": "stranger"}, 404, "sensor_id"),
        ("POST", "/data/id", {"sensor_id": "air-t", "limit": 0}, 422, "limit"),
        ("POST", "/data/id", {"sensor_id": "air-t", "limit": 100_001}, 422, "limit"),
        ("PATCH", "/sensors/stranger", {"name": "x"}, 404, "sensor_id"),
        ("PUT", "/plants/basil", {"plant_id": "mint", "zone_id": "box"}, 422, "plant_id"),
        ("PUT", "/plants/basil", {"zone_id": "box", "pot_volume_l": 0}, 422, "pot_volume_l"),
        ("GET", "/series", None, 422, "data_type"),
        ("GET", "/series?data_type=vpd&points=5001", None, 422, "points"),
        ("GET", "/series?data_type=vpd&since=5&until=5", None, 422, "until"),
        ("GET", "/alerts?limit=1001", None, 422, "limit"),
        ("GET", "/alerts?cursor=zzz", None, 422, "cursor"),
        ("GET", "/actions?colour=red", None, 422, "colour"),
        ("GET", f"/frames/{'0' * 64}.jpg", None, 404, "sha256"),
        ("GET", "/frames/..%2f..%2fdt_token.jpg", None, 404, None),
        ("GET", "/nowhere", None, 404, None),
    ],
)
def test_bad_requests_are_refused_by_field(
    ask_shared: Ask, method: str, path: str, body: bytes | dict[str, Any] | None, status: int, field: str | None
) -> None:
    """Every refusal is problem+json that says what is wrong."""
    given: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {"json": body}

    answer = ask_shared(method, path, **given)

    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json().get("field") == field


def test_picture_is_served_by_its_hash(ask: Ask, messaging: MemoryMessaging, eventually: Eventually) -> None:
    """The recorder keeps the JPEG of the raw topic, and its description of the processed one."""
    frame = CameraFrame(sensor_id="cam", zone_id="box", timestamp=NOW, correlation_id="c1", width=64, height=48)
    messaging.publish(Topics.CAMERA_IMAGE.raw, JPEG, key="box", headers=frame_headers(frame))
    sha256 = hashlib.sha256(JPEG).hexdigest()
    described = CameraFrame.from_dict({**frame.to_dict(), "sha256": sha256, "url": f"/frames/{sha256}.jpg"})
    messaging.publish(Topics.CAMERA_IMAGE.processed, described, key="box")

    eventually(lambda: described.to_json() in ask("GET", "/frames").content, "the description is stored")
    eventually(lambda: ask("GET", f"/frames/{sha256}.jpg").content == JPEG, "the picture is served")


def test_health_says_where_things_are_kept(ask: Ask, database: DatabaseService, eventually: Eventually) -> None:
    """A person sees the backend without reading the log."""
    eventually(lambda: ask("GET", "/ready").status_code == 200, "the service is ready")

    assert ask("GET", "/health").json()["storage"] == "sqlite"
    assert "dt_stored" in ask("GET", "/metrics").text


def test_registry_is_told_again_to_a_new_log(
    ask: Ask, database: DatabaseService, eventually: Eventually, on_free_ports: Settings
) -> None:
    """A broker that was replaced learns all sensors with their calibrations, zones and plants from the store."""
    two_points = {"version": 1, "points": [[0, 0], [1, 1]]}
    ask("POST", "/bind_sensor", json=make_descriptor("soil", "soil_moisture", calibration=two_points).to_dict())
    database.stop()
    fresh = MemoryMessaging()
    again = create_service(on_free_ports, fresh, SystemClock())
    again.start()
    plants = {"plant:basil", "plant:tomato", "plant:lettuce"}

    try:
        eventually(
            lambda: set(registry(fresh)) == {*plants, "zone:box", "calibration:soil:1", "sensor:soil"},
            "all records are announced",
        )
    finally:
        again.stop()
        fresh.close()


def test_pictures_are_found_by_plant_camera_and_time(
    database: DatabaseService, client: DatabaseApiClient, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """Newest first, since <= timestamp < until; a client gets every page, and 404 for a picture that is not there."""
    for at in range(25):
        frame = CameraFrame(
            sensor_id="top", zone_id="box", plant_id="basil" if at % 2 else "mint", timestamp=NOW + at,
            correlation_id=f"c{at}", width=4, height=3, flags=("dark",) if at < 5 else (),
        )  # fmt: skip
        messaging.publish(Topics.CAMERA_IMAGE.processed, frame, key="box")
    eventually(lambda: len(client.all_frames(limit=4)) == 25, "all are stored")

    assert [f.timestamp - NOW for f in client.frames(plant_id="mint", since=NOW + 3, until=NOW + 8)] == [6.0, 4.0]
    assert [f.timestamp - NOW for f in client.all_frames(limit=4, sensor_id="top")] == list(range(24, -1, -1))
    assert client.frames(sensor_id="side") == []
    assert client.frames(until=NOW + 1)[0].flags == ("dark",)
    with pytest.raises(RefusedRequestError, match="404: there is no picture"):
        client.picture("0" * 64)
