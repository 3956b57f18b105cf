"""Zones, calibrations, policies, notes, grants, models and alerts by REST, as people and programs use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import requests

from dt.alerts.app import AlertService
from dt.alerts.app import create_service as create_alerts
from dt.communication.database_api import DatabaseApiClient
from dt.communication.memory import MemoryMessaging
from dt.communication.topics import Topics
from dt.data.database.app import DatabaseService
from dt.data.database.app import create_service as create_database
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from dt.utils.dataclasses import (
    AlertCondition,
    AlertEvent,
    AlertState,
    KeptGrant,
    Plant,
    Policy,
    RegistryRecord,
    Severity,
)
from dt.utils.exceptions import RefusedRequestError, RemoteServiceError
from dt.utils.rig import Zone
from tests.data.database.full_store import alert_event
from tests.data.readings import NOW, make_descriptor

Eventually = Callable[[Callable[[], object], str], None]


def registry(messaging: MemoryMessaging) -> dict[str, RegistryRecord]:
    """Return the registry topic's latest records."""
    records = [RegistryRecord.from_json(record.value or b"") for record in messaging.read_all(Topics.REGISTRY)]
    return {record.record_id: record for record in records}


def test_a_zone_is_made_changed_and_announced(client: DatabaseApiClient, messaging: MemoryMessaging) -> None:
    """Its time zone is that of its local days."""
    is_new = [client.put_zone(Zone(zone_id="attic", timezone=zone)) for zone in ("UTC", "Europe/Rome")]

    assert is_new == [True, False]
    assert {zone.zone_id: zone.timezone for zone in client.zones()}["attic"] == "Europe/Rome"
    assert registry(messaging)["zone:attic"].body["timezone"] == "Europe/Rome"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/zones/attic", {"timezone": "Mars/Olympus"}, "timezone"),
        ("/zones/attic", {"timezone": "Europe"}, "timezone"),
        ("/zones/attic", {"latitude": 91}, "latitude"),
        ("/zones/attic", {"zone_id": "cellar"}, "zone_id"),
        ("/policies/basil", {"enabled": "yes"}, "enabled"),
        ("/policies/basil", {"plant_id": "mint"}, "plant_id"),
        ("/plants/mint", {"zone_id": "a\x00b"}, "$"),
    ],
)
def test_impossible_records_are_refused_by_field(
    database: DatabaseService, path: str, body: dict[str, object], field: str
) -> None:
    """422, and nothing is kept."""
    url = f"http://127.0.0.1:{database.port}{path}"

    answer = requests.put(url, json=body, headers={"Authorization": "Bearer test-token"}, timeout=5)

    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_every_version_of_a_calibration_can_be_read(client: DatabaseApiClient) -> None:
    """Who gave it and since when it holds."""
    client.bind_sensor(make_descriptor("soil", "soil_moisture", calibration={"points": [[0, 0.0], [1, 1.0]]}))
    client.patch_sensor("soil", calibration={"points": [[0, 0.0], [2, 1.0]]}, by="Ada")

    versions = client.calibrations("soil")

    assert [version.calibration and version.calibration["points"][1] for version in versions] == [[1, 1.0], [2, 1.0]]
    assert versions[0].version < versions[1].version
    assert versions[1].by == "Ada"
    with pytest.raises(RefusedRequestError, match="404"):
        client.calibrations("stranger")


def test_a_policy_has_versions_of_which_the_last_is_in_force(
    client: DatabaseApiClient, messaging: MemoryMessaging
) -> None:
    """The same again is no new version; a plant that nobody knows is 404."""
    first = client.put_policy(Policy(plant_id="basil", enabled=True, by="Ada"))
    again = client.put_policy(Policy(plant_id="basil", enabled=True, by="Ada"))
    second = client.put_policy(Policy(plant_id="basil", enabled=False, by="Bob"))

    assert (first.version, again.version, second.version) == (1, 1, 2)
    assert [(p.enabled, p.by) for p in client.policy_versions("basil")] == [(True, "Ada"), (False, "Bob")]
    assert client.policies() == [second]
    assert registry(messaging)["policy:basil"].body["enabled"] is False
    assert client.policy_versions("tomato") == []
    with pytest.raises(RefusedRequestError, match="404"):
        client.put_policy(Policy(plant_id="stranger"))


def test_policies_stand_by_actuator_and_those_of_a_zone_too(
    client: DatabaseApiClient, messaging: MemoryMessaging
) -> None:
    """Versions count by place; what one actuator goes by says nothing of another."""
    client.put_zone(Zone(zone_id="box"))
    pump = client.put_policy(Policy(plant_id="basil", zone_id="box", actuator_id="pump", policy="schedule"))
    lamp = client.put_policy(Policy(plant_id="basil", zone_id="box", actuator_id="lamp", policy="daily_light"))
    again = client.put_policy(Policy(plant_id="basil", zone_id="box", actuator_id="pump", policy="schedule"))
    heater = client.put_policy(Policy(zone_id="box", actuator_id="heater", policy="pid", parameters={"kp": 0.2}))

    assert (pump.version, lamp.version, again.version, heater.version) == (1, 2, 1, 1)
    assert client.policies() == [lamp, pump, heater]  # by plant or zone, and then by actuator
    assert registry(messaging)["policy:box:heater"].body["parameters"] == {"kp": 0.2}
    with pytest.raises(RefusedRequestError, match="404"):
        client.put_policy(Policy(zone_id="attic", actuator_id="heater"))


def test_grants_are_kept_as_the_controller_tells_them(client: DatabaseApiClient, messaging: MemoryMessaging) -> None:
    """Told twice they are one; taken back they stay, with who and when."""
    grant = KeptGrant(actuator_id="pump", by="ada", since=NOW)
    revoked = replace(grant, revoked_at=NOW + 5, revoked_by="bob")

    assert client.put_grant(grant)
    assert not client.put_grant(grant)
    assert client.grants("pump") == [grant]
    assert not client.put_grant(revoked)

    assert client.grants("pump") == [revoked]
    assert registry(messaging)["grant:pump"].body["revoked_by"] == "bob"


def test_notes_are_written_found_and_removed(client: DatabaseApiClient) -> None:
    """Newest first; one with a known id takes its place."""
    written = [client.write_note(f"note {at}", timestamp=NOW + at, plant_id="basil") for at in range(5)]
    client.write_note("of the box", zone_id="box", timestamp=NOW)
    client.write_note("changed", note_id=written[0].note_id, timestamp=NOW, plant_id="basil")
    client.delete_note(written[4].note_id)

    assert [note.text for note in client.each_note(plant_id="basil", limit=2)] == [
        "note 3", "note 2", "note 1", "changed",
    ]  # fmt: skip
    assert client.grants() == client.models() == []
    assert client.write_note("now", note_id=None, timestamp=None).timestamp > 0
    with pytest.raises(RefusedRequestError, match="404"):
        client.delete_note(written[4].note_id)
    with pytest.raises(RefusedRequestError, match="text: must not be empty"):
        client.write_note("")


def test_ids_may_have_a_slash(client: DatabaseApiClient) -> None:
    """Whatever can be bound, kept or read can be addressed."""
    client.bind_sensor(make_descriptor("shelf/soil-1", "soil_moisture"))
    client.put_zone(Zone(zone_id="attic/east"))
    client.put_plant(Plant(plant_id="shelf/basil", zone_id="attic/east"))
    client.write_note("x", note_id="notes/1")

    assert client.patch_sensor("shelf/soil-1", name="Soil").name == "Soil"
    assert client.calibrations("shelf/soil-1") == []
    assert client.put_policy(Policy(plant_id="shelf/basil")).version == 1
    assert len(client.policy_versions("shelf/basil")) == 1
    assert client.trace("reading/1") == []
    assert client.trace("line\nbreak") == []
    client.delete_note("notes/1")
    assert list(client.each_note()) == []


def test_what_lies_beneath_a_sensor_is_no_sensor(database: DatabaseService) -> None:
    """Its calibrations are read alone."""
    url = f"http://127.0.0.1:{database.port}/sensors/air-t/calibrations"

    answer = requests.patch(url, json={}, headers={"Authorization": "Bearer test-token"}, timeout=5)

    assert (answer.status_code, "GET" in answer.headers["Allow"]) == (405, True)


def test_lists_come_in_pages_when_a_limit_is_given(client: DatabaseApiClient, database: DatabaseService) -> None:
    """`next` leads to the rest."""
    for name in ("b", "a", "c"):
        client.bind_sensor(make_descriptor(name))
    base = f"http://127.0.0.1:{database.port}/sensors?limit=2"

    first = requests.get(base, timeout=5).json()
    second = requests.get(f"{base}&cursor={first['next']}", timeout=5).json()

    assert [[s["sensor_id"] for s in page["items"]] for page in (first, second)] == [["a", "b"], ["c"]]
    assert second["next"] is None


@pytest.fixture
def alerts(settings: Settings, messaging: MemoryMessaging) -> Iterator[AlertService]:
    """Return a running alerts service."""
    free = settings.model_copy(update={"flask_alerts_url": "http://127.0.0.1:0"})
    service = create_alerts(free, messaging, SystemClock())
    service.start()
    yield service
    service.stop()


@pytest.fixture
def with_alerts(
    alerts: AlertService, on_free_ports: Settings, messaging: MemoryMessaging
) -> Iterator[DatabaseApiClient]:
    """Return a client of a database service that knows the alerts service."""
    url = f"http://127.0.0.1:{alerts.port}"
    service = create_database(on_free_ports.model_copy(update={"flask_alerts_url": url}), messaging, SystemClock())
    service.start()
    with DatabaseApiClient(f"http://127.0.0.1:{service.port}", "test-token") as api:
        yield api
    service.stop()


def dry(at: float, *, active: bool = True) -> AlertCondition:
    """Return a condition of basil."""
    return AlertCondition(
        key="soil_dry:basil", severity=Severity.WARNING, description="The soil is dry.", active=active,
        timestamp=at, correlation_id=f"reading-{at}", plant_id="basil",
    )  # fmt: skip


def test_a_person_acknowledges_and_resolves_an_alert(
    with_alerts: DatabaseApiClient, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """The alerts service changes the state, and its events say by whom; an alert that is over answers 409."""
    messaging.publish(Topics.ALERT_CONDITIONS, dry(SystemClock().wall()), key="basil")
    eventually(with_alerts.alerts, "the alert is on record")
    [opened] = with_alerts.alerts()

    acknowledged = with_alerts.acknowledge_alert(opened.alert_id, by="Ada")
    again = with_alerts.acknowledge_alert(opened.alert_id, by="Bob")
    resolved = with_alerts.resolve_alert(opened.alert_id, by="Ada")

    assert (acknowledged.state, acknowledged.by) == (AlertState.ACKNOWLEDGED, "Ada")
    assert again == acknowledged
    assert (resolved.state, resolved.caused_by) == (AlertState.RESOLVED, (acknowledged.correlation_id,))
    with pytest.raises(RefusedRequestError, match="409"):
        with_alerts.acknowledge_alert(opened.alert_id)
    eventually(lambda: with_alerts.alerts()[0].state is AlertState.RESOLVED, "the end is on record")
    events = [AlertEvent.from_json(record.value or b"") for record in messaging.read_all(Topics.ALERTS)]
    assert [(event.state, event.by) for event in events] == [
        ("open", "alerts"), ("acknowledged", "Ada"), ("resolved", "Ada"),
    ]  # fmt: skip


def test_what_gets_worse_reopens_an_alert_that_a_person_resolved(
    with_alerts: DatabaseApiClient, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """A person's end silences its cause for the cool-down, but nothing that is worse."""
    messaging.publish(Topics.ALERT_CONDITIONS, dry(SystemClock().wall()), key="basil")
    eventually(with_alerts.alerts, "the alert is on record")
    [opened] = with_alerts.alerts()
    with_alerts.resolve_alert(opened.alert_id)

    worse = replace(dry(SystemClock().wall() + 1), severity=Severity.CRITICAL)
    messaging.publish(Topics.ALERT_CONDITIONS, worse, key="basil")

    eventually(lambda: with_alerts.alerts()[0].state is AlertState.REOPENED, "it is reopened on record")
    [again] = with_alerts.alerts()
    assert (again.alert_id, again.severity) == (opened.alert_id, Severity.CRITICAL)


def test_a_step_without_its_service_says_so(
    client: DatabaseApiClient, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """502 names the alerts service; an alert that nobody knows is 404 before that."""
    messaging.publish(Topics.ALERTS, alert_event(), key="basil")
    eventually(client.alerts, "the alert is on record")

    with pytest.raises(RemoteServiceError, match="alerts service does not answer"):
        client.acknowledge_alert("alert-1")
    with pytest.raises(RefusedRequestError, match="404"):
        client.resolve_alert("stranger")


def test_series_is_sent_once(client: DatabaseApiClient, database: DatabaseService) -> None:
    """An unchanged answer is 304 without a body."""
    url = f"http://127.0.0.1:{database.port}/series?data_type=temperature&since={NOW}&until={NOW + 60}"

    first = requests.get(url, timeout=5)
    second = requests.get(url, headers={"If-None-Match": first.headers["ETag"]}, timeout=5)
    other = requests.get(url, headers={"If-None-Match": 'W/"other"'}, timeout=5)

    assert (first.status_code, second.status_code, other.status_code) == (200, 304, 200)
    assert second.content == b""


def test_large_answers_are_compressed(client: DatabaseApiClient, database: DatabaseService) -> None:
    """Small ones are not worth it; who takes none gets none."""
    for number in range(60):
        client.bind_sensor(make_descriptor(f"sensor-{number}"))
    url = f"http://127.0.0.1:{database.port}/sensors"

    packed, plain = requests.get(url, timeout=5), requests.get(url, headers={"Accept-Encoding": "identity"}, timeout=5)
    small = requests.get(f"{url}?limit=1", timeout=5)

    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) * 5 < len(plain.content)
    assert "Content-Encoding" not in plain.headers
    assert "Content-Encoding" not in small.headers
    assert packed.json() == plain.json()


@pytest.mark.parametrize(
    ("kind", "body"),
    [("text/xml", b"{}"), ("application/x-www-form-urlencoded", b"sensor_id=air-t"), ("text/plain", b"{}")],
)
def test_other_bodies_than_json_are_refused(database: DatabaseService, kind: str, body: bytes) -> None:
    """415 names the header."""
    url = f"http://127.0.0.1:{database.port}/data/id"

    answer = requests.post(url, data=body, headers={"Content-Type": kind}, timeout=5)

    assert (answer.status_code, answer.json()["field"], answer.json()["limit"]) == (
        415, "Content-Type", "application/json",
    )  # fmt: skip


def test_json_that_curl_calls_a_form_is_read(database: DatabaseService, client: DatabaseApiClient) -> None:
    """Its users forget the header."""
    client.bind_sensor(make_descriptor())
    url = f"http://127.0.0.1:{database.port}/data/id"

    answer = requests.post(
        url, data=b'{"sensor_id": "air-t"}', headers={"Content-Type": "application/x-www-form-urlencoded"}, timeout=5
    )

    assert (answer.status_code, answer.json()) == (200, [])
