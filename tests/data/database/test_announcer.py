"""`dt.registry`: everything at start, each record as it changes, and what a reader needs first goes first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dt.communication.memory import MemoryMessaging
from dt.communication.topics import Topics
from dt.data.database.announcer import Announcer
from dt.data.database.records_db import RecordsDB
from dt.data.database.registry_messages import policy_record, sensor_record, zone_record
from dt.data.database.registry_records import RegistryRecords
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import Grant, KeptGrant, ModelRecord, Plant, Policy, RegistryRecord
from dt.utils.rig import Zone
from tests.data.readings import NOW, make_descriptor

Eventually = Callable[[Callable[[], object], str], None]
LINE = [[0, 0.0], [1000, 1.0]]


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RegistryRecords]:
    """Return a registry with one record of each kind, and two versions of a calibration."""
    with closing(RecordsDB(f"sqlite:///{tmp_path}/records.db")) as db:
        made = RegistryRecords(db)
        made.put_zone(Zone(zone_id="box"), NOW)
        made.put_plant(Plant(plant_id="basil", zone_id="box"), NOW)
        made.bind(make_descriptor("soil", "soil_moisture", calibration={"version": 1, "points": LINE}), NOW)
        made.patch("soil", {"calibration": {"points": LINE}}, NOW, "ada")
        made.put_policy(Policy(plant_id="basil"), NOW)
        made.put_grant(Grant(actuator_id="pump", by="ada", since=NOW))
        made.put_model(ModelRecord(name="soil", version="1"), NOW)
        yield made


@pytest.fixture
def announcer(registry: RegistryRecords, messaging: MemoryMessaging, clock: ManualClock) -> Announcer:
    """Return what announces them."""
    return Announcer(registry, messaging, clock)


def told(messaging: MemoryMessaging) -> dict[str, RegistryRecord]:
    """Return what the topic says, in the order of saying."""
    records = messaging.read_all(Topics.REGISTRY)
    return {record.key or "": RegistryRecord.from_json(record.value or b"") for record in records}


def test_everything_is_told_at_start(announcer: Announcer, messaging: MemoryMessaging, eventually: Eventually) -> None:
    """Every kind under its own id, the versions of a calibration before their sensor."""
    stop = announcer.start()

    eventually(lambda: len(told(messaging)) == 8, "all is told")

    stop()
    assert list(told(messaging)) == [
        "zone:box",
        "plant:basil",
        "calibration:soil:1",
        "calibration:soil:2",
        "sensor:soil",
        "policy:basil",
        "grant:pump",
        "model:soil:1",
    ]


def test_sensor_is_told_after_the_versions_of_its_calibration(
    announcer: Announcer, registry: RegistryRecords, messaging: MemoryMessaging
) -> None:
    """Whoever sees a version in the sensor has seen since when it holds."""
    changed = registry.patch("soil", {"calibration": {"points": LINE}}, NOW + 5, "bob")
    assert changed is not None

    announcer.announce(sensor_record(changed, NOW))

    said = told(messaging)
    assert list(said) == ["calibration:soil:1", "calibration:soil:2", "calibration:soil:3", "sensor:soil"]
    assert [said["calibration:soil:3"].body[name] for name in ("version", "since", "by")] == [3, NOW + 5, "bob"]


def test_what_the_log_did_not_take_is_told_later(
    registry: RegistryRecords, clock: ManualClock, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """A log that is closed and one that is open behind the same announcer: all of it comes, not the one record."""
    away = MemoryMessaging()
    away.close()
    announcer = Announcer(registry, away, clock)
    announcer.announce(policy_record(registry.policies()[0], NOW))
    announcer._messaging = messaging
    stop = announcer.start()

    eventually(lambda: len(told(messaging)) == 8, "all is told")

    stop()


def test_a_change_while_all_is_told_is_not_undone_by_it(registry: RegistryRecords, clock: ManualClock) -> None:
    """What was read before the change is said before it: the last record of a key is what readers keep."""
    is_changed = threading.Event()

    def change() -> None:
        changed = registry.patch("soil", {"name": "changed"}, NOW + 5)
        is_changed.set()
        assert changed is not None
        announcer.announce(sensor_record(changed, NOW))

    changing = threading.Thread(target=change)

    class Interrupted(MemoryMessaging):
        """A log that hears of a change in the middle of everything."""

        def publish(self, topic: str, value: object, *, key: str | None = None, **more: object) -> None:
            if key == "sensor:air":  # `soil` was read with it, and is said next
                changing.start()
                assert is_changed.wait(5.0)
                changing.join(0.3)
            super().publish(topic, value, key=key, **more)  # type: ignore[arg-type]

    messaging = Interrupted()
    registry.bind(make_descriptor("air"), NOW)
    announcer = Announcer(registry, messaging, clock)
    announcer._announce_due()
    changing.join(5.0)

    assert told(messaging)["sensor:soil"].body["name"] == "changed"


def test_of_two_changes_within_a_millisecond_the_later_one_is_said_last(
    announcer: Announcer, registry: RegistryRecords, messaging: MemoryMessaging
) -> None:
    """Two requests keep their changes in one order and come to the announcer in the other."""
    first = registry.patch("soil", {"name": "first"}, NOW + 5)
    second = registry.patch("soil", {"name": "second"}, NOW + 5)
    assert first is not None
    assert second is not None
    registry.put_zone(Zone(zone_id="box", name="first"), NOW)
    registry.put_zone(Zone(zone_id="box", name="second"), NOW)

    announcer.announce(sensor_record(second, NOW))
    announcer.announce(sensor_record(first, NOW))
    announcer.announce(zone_record(Zone(zone_id="box", name="second"), NOW))
    announcer.announce(zone_record(Zone(zone_id="box", name="first"), NOW))

    said = told(messaging)
    assert [said[name].body["name"] for name in ("sensor:soil", "zone:box")] == ["second", "second"]


def test_revoked_grant_is_told_as_such(
    announcer: Announcer, registry: RegistryRecords, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """A reader that was away learns that policies may only recommend again."""
    registry.revoke("pump", NOW + 5, "bob")
    stop = announcer.start()

    eventually(lambda: "grant:pump" in told(messaging), "the grant is told")

    stop()
    assert KeptGrant.from_dict(told(messaging)["grant:pump"].body).revoked_at == NOW + 5
