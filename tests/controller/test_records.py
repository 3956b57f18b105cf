"""Grants, policies and plants against wrong clocks, full disks, damaged files and old records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dt.communication.messaging import Record
from dt.controller.decisions import Decisions
from dt.controller.records import PlantBook, see_registry
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import Grant, Plant, PlantLimits, Policy, RegistryRecord
from dt.utils.exceptions import StorageError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of decisions."""
    return tmp_path / "controller" / "decisions.json"


@pytest.fixture
def stuck(path: Path) -> Path:
    """The file of decisions where nothing can be written: a file stands where its folder should be."""
    path.parent.touch()
    return path


def _grant(clock: ManualClock, until_s: float | None = None) -> Grant:
    until = None if until_s is None else clock.wall() + until_s
    return Grant(actuator_id="pump", by="anna", since=clock.wall(), until=until)


def _policy(*, enabled: bool) -> Policy:
    return Policy(plant_id="basil", actuator_id="pump", enabled=enabled, by="anna")


def test_s14_a_clock_set_back_prolongs_no_grant(path: Path, clock: ManualClock) -> None:
    """An hour is an hour by the monotonic clock, too."""
    decisions = Decisions(path, clock)
    decisions.grant(_grant(clock, 3600.0))
    clock.advance(1800.0)
    clock.set_wall(clock.wall() - 1800.0)
    clock.advance(1799.0)
    assert decisions.grant_of("pump") is not None

    clock.advance(1.0)

    assert decisions.grant_of("pump") is None


def test_s14_a_grant_that_ended_stays_ended(path: Path, clock: ManualClock) -> None:
    """Also when the clock is set back afterwards, and over a restart."""
    decisions = Decisions(path, clock)
    decisions.grant(_grant(clock, 3600.0))
    clock.advance(1800.0)
    assert decisions.grant_of("pump") is not None
    clock.advance(1800.0)
    assert decisions.grant_of("pump") is None

    clock.set_wall(clock.wall() - 1800.0)

    assert decisions.grant_of("pump") is None
    assert Decisions(path, clock).grant_of("pump") is None


def test_s14_a_grant_does_not_hold_before_it_was_given(path: Path, clock: ManualClock) -> None:
    """A machine that starts in the year 2000 does not know whether its grant has ended."""
    Decisions(path, clock).grant(_grant(clock, 3600.0))

    clock.set_wall(946_684_800.0)

    assert Decisions(path, clock).grant_of("pump") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "[]",
        '{"grants": []}',
        '{"grants": {"pump": {}}}',
        '{"grants": {"pump": {"actuator_id": "pump", "by": "anna", "since": NaN}}}',
        '{"policies": {"basil": {"enabled": "no"}}}',
        '{"policies": {"basil": []}}',
    ],
)
def test_s14_a_damaged_file_grants_nothing_and_is_kept_aside(path: Path, clock: ManualClock, text: str) -> None:
    """The controller starts all the same: a person needs its emergency stop."""
    path.parent.mkdir(parents=True)
    path.write_text(text)

    decisions = Decisions(path, clock)

    assert decisions.grant_of("pump") is None
    assert decisions.policy_of("pump") is None
    assert [kept.read_text() for kept in path.parent.glob("*.unreadable")] == [text]


def test_s14_a_grant_that_cannot_be_saved_does_not_hold(stuck: Path, clock: ManualClock) -> None:
    """Whoever was told that it failed must not find pumps running."""
    decisions = Decisions(stuck, clock)

    with pytest.raises(StorageError):
        decisions.grant(_grant(clock))

    assert decisions.grant_of("pump") is None


def test_s14_a_withdrawal_takes_effect_even_when_it_cannot_be_saved(path: Path, clock: ManualClock) -> None:
    """It says that it would not outlive a restart."""
    decisions = Decisions(path, clock)
    decisions.grant(_grant(clock))
    path.unlink()
    path.mkdir()
    (path / "in the way").touch()

    with pytest.raises(StorageError):
        decisions.withdraw("pump")

    assert decisions.grant_of("pump") is None


def test_a_policy_that_is_switched_off_is_off_at_once(stuck: Path, clock: ManualClock) -> None:
    """Switching off needs no disk, switching on does."""
    decisions = Decisions(stuck, clock)
    with pytest.raises(StorageError):
        decisions.set_policy(_policy(enabled=False))
    assert (off := decisions.policy_of("pump")) is not None
    assert off.enabled is False

    with pytest.raises(StorageError):
        decisions.set_policy(_policy(enabled=True))

    assert decisions.policy_of("pump") == off


def test_the_file_names_each_grant_by_its_actuator(path: Path, clock: ManualClock) -> None:
    """A grant filed under another pump's name grants that pump nothing."""
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"grants": {"other": _grant(clock).to_dict()}}))

    decisions = Decisions(path, clock)

    assert decisions.grant_of("other") is None
    assert decisions.grant_of("pump") is not None


def _announced(high: float, offset: int) -> Record:
    plant = Plant(plant_id="basil", zone_id="box", limits=PlantLimits(soil_moisture_high=high))
    body = RegistryRecord(record_id="plant/basil", kind="plant", body=plant.to_dict(), timestamp=1.0)
    return Record("dt.registry", 0, offset, "plant/basil", body.to_json(), {}, 0.0)


def test_s05_an_older_registry_record_does_not_bring_back_an_old_limit() -> None:
    """The registry is read whole and followed at the same time, and delivery may repeat itself."""
    plants = PlantBook({"basil": Plant(plant_id="basil", zone_id="box")})
    see_registry(plants, _announced(0.40, 7))

    see_registry(plants, _announced(0.60, 3))

    plant = plants.get("basil")
    assert plant is not None
    assert plant.limits.soil_moisture_high == 0.40


def test_s14_a_grant_ends_by_the_wall_clock_too(path: Path, clock: ManualClock) -> None:
    """The machine may have slept, and its monotonic clock with it."""
    decisions = Decisions(path, clock)
    decisions.grant(_grant(clock, 3600.0))

    clock.set_wall(clock.wall() + 3600.0)

    assert decisions.grant_of("pump") is None
