"""`dt solo`: what it refuses, what outlives its log, and what it loses when it is killed: nothing."""

from __future__ import annotations

import contextlib
import random
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from dt.alerts.desk import AlertDesk
from dt.cli.main import main
from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import Outgoing
from dt.communication.topics import Topics
from dt.operations.kept_topics import KeptTopics
from dt.operations.plan import SERVICES
from dt.operations.solo import Solo, solo_lock
from dt.utils.clock import ManualClock, SystemClock
from dt.utils.config import Settings
from dt.utils.dataclasses import AlertCondition, AlertEvent, AlertState, Severity
from dt.utils.exceptions import DTError
from tests.conftest import wait_until
from tests.operations.solo_rig import solo_rig

Eventually = Callable[..., None]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("RIG_FILE", "nowhere.toml", "RIG_FILE: nowhere.toml"),
        ("MQTT_URL", "http://broker", "MQTT_URL: must be of the form"),
        ("MIRROR_KAFKA_URL", "broker", "MIRROR_KAFKA_URL: "),
        ("HARDWARE", "toaster", "HARDWARE: "),
    ],
)
def test_wrong_settings_end_it_with_code_2_and_one_line(
    name: str,
    value: str,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before anything is opened; the line names the variable."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RIG_FILE", str(Path(__file__).resolve().parents[2] / "rig.toml"))
    monkeypatch.setenv(name, value)

    assert main(["solo"]) == 2
    [line] = [text for text in capsys.readouterr().err.splitlines() if text.startswith("dt solo:")]
    assert says in line


def test_two_of_them_do_not_share_a_folder(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second says so and touches nothing."""
    with solo_lock(settings):
        with pytest.raises(DTError, match="another dt solo runs on"), solo_lock(settings):
            pytest.fail("the folder must not be taken twice")
        monkeypatch.setenv("DATA_DIR", str(settings.data_dir))
        monkeypatch.setenv("LOG_DIR", str(settings.log_dir))
        monkeypatch.setenv("RIG_FILE", str(settings.rig_file))

        assert main(["solo"]) == 1
    assert "another dt solo runs on" in capsys.readouterr().err


def test_a_taken_port_is_named_before_anything_runs(settings: Settings) -> None:
    """With the setting that chooses another."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        url = f"http://127.0.0.1:{stranger.getsockname()[1]}"
        urls = dict.fromkeys((spec.url_setting for spec in SERVICES), url)
        solo = Solo(settings.model_copy(update=urls), SystemClock(), lambda _text: None, threading.Event())

        with pytest.raises(DTError, match=r"port \d+ of the database is taken .*FLASK_DB_URL"):
            solo.start()
        solo.stop()


def condition(clock: ManualClock, *, active: bool, plant: str = "basil") -> AlertCondition:
    """Return a condition about a plant's soil."""
    return AlertCondition(
        key=f"soil_dry/{plant}", plant_id=plant, severity=Severity.WARNING, description="The soil is dry.",
        active=active, timestamp=clock.wall(), correlation_id=f"c-{clock.wall():.0f}",
    )  # fmt: skip


def test_an_alert_that_was_open_is_resolved_by_the_next_run(
    tmp_path: Path, clock: ManualClock, eventually: Eventually
) -> None:
    """The log that knew of it died with its process; the alert is the same one all the same."""
    events: list[AlertEvent] = []
    for active in (True, False):
        clock.advance(60.0)
        messaging = MemoryMessaging(clock)
        kept = KeptTopics(tmp_path / "topics.db")
        assert kept.start(messaging) == 2 * len(events)  # the alert, and what is remembered of its key
        desk = AlertDesk(lambda log=messaging: log.read_all(Topics.ALERTS), clock)  # type: ignore[misc]
        messaging.transform([Topics.ALERT_CONDITIONS], "alerts", desk, state_topic=Topics.STATE_ALERTS)
        message = condition(clock, active=active)
        messaging.publish(Topics.ALERT_CONDITIONS, message, key="basil")
        expected = len(events) + 1
        eventually(lambda log=messaging, n=expected: len(log.read_all(Topics.ALERTS)) == n)
        eventually(lambda keeper=kept: keeper.lag() == 0)
        kept.stop()
        events.append(AlertEvent.from_json(messaging.read_all(Topics.ALERTS)[-1].value or b""))
        messaging.close()

    assert [event.state for event in events] == [AlertState.OPEN, AlertState.RESOLVED]
    assert events[0].alert_id == events[1].alert_id


def test_state_is_given_to_the_next_log_as_it_was_last_and_deleted_state_is_not(
    tmp_path: Path, eventually: Eventually
) -> None:
    """Key, value and headers; a tombstone ends it."""
    first = MemoryMessaging()
    kept = KeptTopics(tmp_path / "topics.db")
    kept.start(first)
    for key, value in (("box", b"1"), ("shelf", b"2"), ("box", b"3"), ("shelf", None)):
        first.publish_batch([Outgoing(Topics.STATE_AI, value, key, {"schema": b"1"})])
    eventually(lambda: kept.lag() == 0)
    kept.stop()
    first.close()
    second = MemoryMessaging()
    kept = KeptTopics(tmp_path / "topics.db")
    kept.start(second)

    [record] = second.read_all(Topics.STATE_AI)
    assert (record.key, record.value, record.headers) == ("box", b"3", {"schema": b"1"})
    kept.stop()
    second.close()


@pytest.mark.parametrize("is_drained", [True, False])
def test_processing_remembers_only_what_was_stored(tmp_path: Path, eventually: Eventually, *, is_drained: bool) -> None:
    """After a kill its state may be ahead of the database, and would call repeated what the outbox sends again."""
    first = MemoryMessaging()
    kept = KeptTopics(tmp_path / "topics.db")
    kept.start(first)
    for topic in (Topics.STATE_PROCESSING, Topics.STATE_AI):
        first.publish(topic, b"1", key="box")
    eventually(lambda: kept.lag() == 0)
    kept.stop(is_drained=is_drained)
    first.close()

    for given in (2 if is_drained else 1, 1):  # the second run ends without a word
        log = MemoryMessaging()
        kept = KeptTopics(tmp_path / "topics.db")
        assert kept.start(log) == given
        kept.stop()
        log.close()


def test_a_file_that_is_no_database_is_moved_aside(tmp_path: Path) -> None:
    """States begin anew, and nothing is deleted."""
    path = tmp_path / "topics.db"
    path.write_bytes(b"not a database, although it is long enough to be one" * 100)
    messaging = MemoryMessaging()
    kept = KeptTopics(path)

    assert kept.start(messaging) == 0
    assert path.with_suffix(".corrupt").read_bytes().startswith(b"not a database")
    kept.stop()
    messaging.close()


def test_states_that_the_disk_refuses_are_kept_when_it_is_well_again(
    tmp_path: Path, clock: ManualClock, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    """Said once, shown, and tried again with the next records; nothing that waited is forgotten."""
    path = tmp_path / "states" / "topics.db"
    path.parent.write_text("a file where the folder should be", "utf-8")
    messaging = MemoryMessaging(clock)
    kept = KeptTopics(path)
    assert kept.start(messaging) == 0
    for number in range(5):
        messaging.publish(Topics.STATE_AI, b"%d" % number, key="basil")
        eventually(lambda: kept.why and kept.lag() == 1)
    assert "states are not kept" in kept.why
    assert kept.lag() == 1
    assert len([record for record in caplog.records if "states are not kept" in record.message]) <= 2

    path.parent.unlink()
    messaging.publish(Topics.STATE_AI, b"fern's", key="fern")
    eventually(lambda: kept.lag() == 0)
    assert kept.why == ""
    kept.stop()
    messaging.close()

    again = MemoryMessaging(clock)
    kept = KeptTopics(path)
    assert kept.start(again) == 2
    assert {record.value for record in again.read_all(Topics.STATE_AI)} == {b"4", b"fern's"}
    kept.stop()
    again.close()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_killed_at_random_it_loses_no_reading_and_stores_none_twice(tmp_path: Path) -> None:
    """What the outbox had of each run is in the database in the end, and as much as the health page had counted."""
    dice = random.Random(4)
    taken: dict[tuple[str, str, int], int] = {}
    seen: Counter[tuple[str, str]] = Counter()
    with solo_rig(tmp_path) as rig:
        for _ in range(4):
            rig.start()
            before = len(rig.stored())
            wait_until(lambda n=before: len(rig.stored()) > n + 20, "readings flow", 30.0)  # type: ignore[misc]
            _let_run_for(dice.uniform(0.0, 2.0))
            seen += rig.reads()
            rig.kill()
            wait_until(lambda: not any(guard.is_running() for guard in rig.guards), "no guard is left", 5.0)
            for reading in rig.in_outbox():
                taken[reading.sensor_id, reading.boot_id, reading.sequence] = round(reading.timestamp * 1000)
        rig.start()
        wait_until(lambda: rig.health("collector").get("waiting") == 0, "everything was sent", 30.0)
        assert rig.stop() < 5.0

        stored = rig.stored()
    places = [(sensor, boot, sequence) for sensor, boot, sequence, _at in stored]
    assert len(taken) > 60
    assert set(taken) - set(places) == set()
    assert len(places) == len(set(places))
    assert {at for *_place, at in stored} >= set(taken.values())
    assert not seen - _count(places)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_within_five_seconds_and_takes_its_guard_along(tmp_path: Path, number: int) -> None:
    """Everything that was read is stored by then; a second one may start at once."""
    with solo_rig(tmp_path) as rig:
        rig.start()
        wait_until(lambda: len(rig.stored()) > 20, "readings flow", 30.0)

        seen = rig.reads()
        assert rig.stop(number) < 5.0
        assert not any(guard.is_running() for guard in rig.guards)
        assert len(rig.guards) >= 2
        assert rig.in_outbox() == []
        assert not seen - _count(row[:3] for row in rig.stored())
        rig.start()
        wait_until(lambda: rig.health("controller").get("guard") == "ok", "the guard serves again", 15.0)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_stopped_while_the_database_takes_nothing_it_loses_no_reading(tmp_path: Path) -> None:
    """What was sent and not stored stays in the outbox at an orderly stop as it does at a kill."""
    with solo_rig(tmp_path) as rig:
        rig.start()
        wait_until(lambda: len(rig.stored()) > 20, "readings flow", 30.0)
        with contextlib.closing(sqlite3.connect(tmp_path / "data" / "plant_twin.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            locked_at = rig.reads()
            wait_until(lambda: (rig.reads() - locked_at).total() > 20, "readings come that cannot be stored", 30.0)
            seen = rig.reads()
            assert rig.solo is not None
            rig.guards += rig.children()
            rig.solo.send_signal(signal.SIGTERM)
            rig.solo.wait(20)
        assert seen - _count(row[:3] for row in rig.stored())
        rig.start()
        wait_until(lambda: not seen - _count(row[:3] for row in rig.stored()), "all are stored", 30.0)
        assert rig.stop() < 5.0
        places = [row[:3] for row in rig.stored()]
    assert len(places) == len(set(places))


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_killed_while_the_pump_runs_it_leaves_the_outputs_off(tmp_path: Path) -> None:
    """The guard outlives it for as long as that takes, and the next one starts with everything off."""
    with solo_rig(tmp_path) as rig:
        rig.start()
        wait_until(lambda: rig.health("controller").get("guard") == "ok", "the guard serves", 15.0)
        token = (tmp_path / "data" / "dt_token").read_text("utf-8").strip()
        order = {"command": "dose", "dose_ml": 150}
        wait_until(lambda: rig.order("pump", order, token) == 202, "the pump is started", 20.0)
        wait_until(lambda: rig.pin(17) == 1.0, "the pin is high", 5.0)

        rig.kill()
        killed_at = time.monotonic()
        wait_until(lambda: rig.pin(17) == 0.0, "the pin is low", 5.0)
        off_after_s = time.monotonic() - killed_at
        rig.start()

        assert off_after_s < 1.5  # a second, and a look at the box
        assert rig.pin(17) == 0.0
        assert rig.stop() < 5.0


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_s11_without_a_broker_dry_soil_is_watered_under_a_grant(tmp_path: Path) -> None:
    """The broker that it would mirror to is away: probe, rule, policy, gate and guard need none."""
    basil = "limits = { soil_moisture_low = 0.25, soil_moisture_target = 0.35, soil_moisture_high = 0.45 }"
    thirsty = "limits = { soil_moisture_low = 0.55, soil_moisture_target = 0.60, soil_moisture_high = 0.70 }"
    with solo_rig(tmp_path, {basil: thirsty}, MIRROR_KAFKA_URL="127.0.0.1:1") as rig:
        rig.start()
        wait_until(lambda: rig.health("controller").get("guard") == "ok", "the guard serves", 15.0)
        token = (tmp_path / "data" / "dt_token").read_text("utf-8").strip()
        assert rig.grant("pump", token) == 201

        wait_until(lambda: any(one["outcome"] == "done" for one in rig.actions()), "a dose is on record", 60.0)

        done = next(one for one in rig.actions() if one["outcome"] == "done")
        assert (done["actuator_id"], done["command"]["issuer"]) == ("pump", "policy:recommendation")
        assert done["delivered_ml"] > 50.0
        assert rig.stop() < 5.0


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("illness", ["full", "read-only"])
def test_on_a_disk_that_takes_nothing_it_reads_and_shows_but_waters_not_until_that_is_well(
    tmp_path: Path, illness: str
) -> None:
    """Sensors, page and alerts run; database and controller say what they wait for, and go on by themselves."""
    with _small_disk(tmp_path / "data") as disk, solo_rig(tmp_path) as rig:
        rig.start()
        wait_until(lambda: len(rig.stored()) > 20, "readings flow", 30.0)
        assert rig.stop() < 5.0
        before = len(rig.stored())
        with disk(illness):
            rig.start()
            for service in ("webapp", "processing", "alerts"):
                assert rig.health(service)["status"] == "ok"
            wait_until(lambda: rig.reads().total() > 20, "sensors are read", 30.0)
            assert "the outbox is in memory alone" in rig.health("collector")["why"]
            assert rig.health("controller") == {}  # nobody is there to take an order
            assert rig.pin(17) == 0.0
            wait_until(lambda: "controller waits for the disk" in rig.output, "it says so", 30.0)

        wait_until(lambda: rig.health("controller").get("guard") == "ok", "the guard serves", 40.0)
        wait_until(lambda: len(rig.stored()) > before + 20, "readings are stored again", 40.0)
        assert rig.stop() < 5.0


@contextlib.contextmanager
def _small_disk(folder: Path) -> Iterator[Callable[[str], contextlib.AbstractContextManager[None]]]:
    """Mount a disk of 8 MB, and give what makes it ill for a while; skip where mounting is not allowed."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a disk")

    @contextlib.contextmanager
    def ill(illness: str) -> Iterator[None]:
        if illness == "read-only":
            subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
            yield
            subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
            return
        with (folder / "fill").open("wb", buffering=0) as fill, contextlib.suppress(OSError):
            while True:
                fill.write(bytes(4096))
        yield
        (folder / "fill").unlink()

    try:
        yield ill
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _let_run_for(seconds: float) -> None:
    """Let time pass for other processes; what they do meanwhile is theirs."""
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= until, "time passes", seconds + 5.0)


def _count(places: Iterable[tuple[str, str, int]]) -> Counter[tuple[str, str]]:
    """Return how many readings there are of each sensor and boot."""
    return Counter((sensor, boot) for sensor, boot, _ in places)
