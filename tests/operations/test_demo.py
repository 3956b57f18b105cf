"""The demo's folder, ports, words and its past."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import Record, outgoing
from dt.communication.topics import Topics
from dt.operations.demo import grants_of, narrate
from dt.operations.demo_history import lived_through, prepared_box, publish_history
from dt.operations.demo_settings import DemoRequest, demo_folder, demo_settings
from dt.operations.plan import SERVICES, free_port
from dt.simulator.from_rig import box_spec
from dt.simulator.history import with_past
from dt.utils.codec import Message
from dt.utils.config import Settings, load_settings
from dt.utils.dataclasses import (
    ActionResult,
    AlertEvent,
    AlertState,
    Origin,
    Outcome,
    Refusal,
    SensorData,
    Severity,
)
from dt.utils.exceptions import ConfigError, DTError
from dt.utils.quantities import Quantity, Unit
from dt.utils.rig import load_rig

ROOT = Path(__file__).resolve().parents[2]
NOW = 1_800_000_000.0


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def base_settings(tmp_path: Path, **changes: object) -> Settings:
    """Return settings as a person may have them."""
    return load_settings(env_file=None, data_dir=tmp_path / "data", log_dir=tmp_path / "logs", **changes)


def record(topic: str, message: Message) -> Record:
    """Return a message as the log gives it."""
    made = outgoing(topic, message)
    return Record(made.topic, 0, 0, made.key, made.value, made.headers, NOW)


def test_demo_tells_nobody_of_a_simulated_plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses of a real installation stay unused, however they were set."""
    monkeypatch.setenv("NOTICE_URLS", "ntfy://plants")

    settings = demo_settings(DemoRequest(), base_settings(tmp_path, escalation_urls="ntfy://chief"))

    assert (settings.notice_urls, settings.escalation_urls) == ("", "")


def test_the_demo_never_touches_the_real_data(tmp_path: Path) -> None:
    """Database, models, wire and records lie in a folder of its own; the broker stays unused."""
    settings = demo_settings(DemoRequest(), base_settings(tmp_path, database_url="sqlite:////precious.db"))

    folder = tmp_path / "data" / "demo"
    assert settings.data_dir == folder
    assert settings.database_file == folder / "plant_twin.db"
    assert settings.records_url == f"sqlite:///{folder / 'records.db'}"
    assert settings.wire_path == folder / "wire.sock"
    assert settings.models_path == folder / "models"
    assert (settings.messaging, settings.hardware) == ("memory", "simulated")


def test_the_repositorys_rig_is_used_where_there_is_none(tmp_path: Path) -> None:
    """`dt demo` works from any folder."""
    settings = demo_settings(DemoRequest(), base_settings(tmp_path))

    assert load_rig(settings.rig_file).sensors


def test_a_taken_port_of_a_service_is_replaced_by_a_free_one(tmp_path: Path) -> None:
    """Another stack on this machine is no hindrance; every service has a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = f"http://127.0.0.1:{stranger.getsockname()[1]}"
        base = base_settings(tmp_path, flask_db_url=taken, flask_ai_url=taken)
        settings = demo_settings(DemoRequest(port=free_port("127.0.0.1")), base)

    urls = [spec.url(settings) for spec in SERVICES]
    assert taken not in urls
    assert len(set(urls)) == len(urls)


def test_a_port_that_was_asked_for_and_is_taken_is_refused(tmp_path: Path) -> None:
    """Whoever names a port wants that one."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        with pytest.raises(DTError, match=f"port {port} is taken"):
            demo_settings(DemoRequest(port=port), base_settings(tmp_path))


@pytest.mark.parametrize(("days", "port"), [(0.0, None), (-1.0, None), (400.0, None), (1.0, 0), (1.0, 70_000)])
def test_impossible_requests_are_refused(days: float, port: int | None) -> None:
    """The message names the option."""
    with pytest.raises(ConfigError, match=r"--(days|port)"):
        DemoRequest(days=days, port=port)


def test_an_earlier_demo_is_cleared_away_unless_kept(tmp_path: Path) -> None:
    """Each demo begins with a fresh box."""
    settings = demo_settings(DemoRequest(), base_settings(tmp_path))
    with demo_folder(settings, keep=False) as folder:
        (folder / "old").mkdir()
        (folder / "old" / "file").touch()

    with demo_folder(settings, keep=True) as folder:
        assert (folder / "old" / "file").exists()
    with demo_folder(settings, keep=False) as folder:
        assert not (folder / "old").exists()


def test_a_folder_that_no_demo_made_is_left_alone(tmp_path: Path) -> None:
    """A person's files are not the demo's to remove."""
    settings = demo_settings(DemoRequest(), base_settings(tmp_path))
    settings.data_dir.mkdir(parents=True)
    (settings.data_dir / "thesis.txt").touch()

    with pytest.raises(DTError, match="holds files that no demo made"), demo_folder(settings, keep=False):
        pytest.fail("the folder must not be taken")
    assert (settings.data_dir / "thesis.txt").exists()


def test_two_demos_do_not_share_a_folder(tmp_path: Path) -> None:
    """The second would clear away the first one's data."""
    settings = demo_settings(DemoRequest(), base_settings(tmp_path))

    with (
        demo_folder(settings, keep=False),
        pytest.raises(DTError, match="another demo runs"),
        demo_folder(settings, keep=False),
    ):
        pytest.fail("the folder must not be taken twice")


def test_the_past_is_a_raw_reading_of_each_quantity_a_minute(messaging: MemoryMessaging) -> None:
    """It says backfill, carries the rig's sensors, and ends where the present begins."""
    rig = load_rig(ROOT / "rig.toml")
    box, since = prepared_box(box_spec(rig), rig, 0.1, NOW)

    sent = publish_history(lived_through(box, rig, since, NOW), rig, messaging)

    soil = [SensorData.from_json(r.value or b"") for r in messaging.read_all(Topics.SOIL_MOISTURE.raw)]
    assert sent == 9 * 144
    assert len(soil) == 3 * 144
    assert {reading.origin for reading in soil} == {Origin.BACKFILL}
    assert {(reading.sensor_id, reading.unit) for reading in soil} == {
        (sensor.sensor_id, Unit.COUNT) for sensor in rig.sensors if sensor.data_type is Quantity.SOIL_MOISTURE
    }
    assert soil[3].timestamp - soil[0].timestamp == 60.0
    assert soil[-1].timestamp == NOW - 60.0
    assert box.now_s == pytest.approx(NOW, abs=1e-3)


def test_a_kept_demo_fills_in_only_the_time_since(messaging: MemoryMessaging) -> None:
    """What an earlier run stored is not sent again."""
    rig = load_rig(ROOT / "rig.toml")
    box, since = prepared_box(box_spec(rig), rig, 0.1, NOW)

    past = lived_through(box, rig, since, NOW, silent_until=NOW - 600.0)

    assert publish_history(past, rig, messaging) == 90


def test_the_demo_grants_the_pump_in_its_own_name() -> None:
    """Nobody else's word stands under it."""
    rig = load_rig(ROOT / "rig.toml")

    assert [(grant.actuator_id, grant.by) for grant in grants_of(rig, NOW)] == [
        (actuator.actuator_id, "demo") for actuator in rig.actuators if actuator.kind == "pump"
    ]


def test_alerts_and_doses_are_told_in_one_line() -> None:
    """What a person who watches the terminal wants to know."""
    event = AlertEvent(
        alert_id="a", key="soil_dry/basil", severity=Severity.WARNING, description="The soil is dry.", active=True,
        state=AlertState.OPEN, by="alerts", timestamp=NOW, correlation_id="c",
    )  # fmt: skip
    done = ActionResult(
        action_id="x", actuator_id="pump", outcome=Outcome.DONE, timestamp=NOW, correlation_id="c", delivered_ml=99.6,
        on_s=10.0,
    )  # fmt: skip
    refused = ActionResult(
        action_id="x", actuator_id="pump", outcome=Outcome.REFUSED, timestamp=NOW, correlation_id="c",
        refusal=Refusal(invariant="S2", why="too soon"),
    )  # fmt: skip

    assert narrate(record(Topics.ALERTS, event)) == "alert open: The soil is dry."
    assert narrate(record(Topics.ACTION_RESULTS, done)) == "pump gave 100 ml in 10.0 s"
    assert narrate(record(Topics.ACTION_RESULTS, refused)) == "pump: refused: too soon"


def test_history_covers_every_quantity_of_the_rig() -> None:
    """Pictures alone have no past."""
    rig = load_rig(ROOT / "rig.toml")
    box, since = prepared_box(box_spec(rig), rig, 0.01, NOW)
    [sample, *_] = lived_through(box, rig, since, NOW)

    told = with_past(rig.sensors)
    assert len(sample.values) == len(told)
    assert {sensor.data_type for sensor in rig.sensors if sensor not in told} == {Quantity.CAMERA_IMAGE}
