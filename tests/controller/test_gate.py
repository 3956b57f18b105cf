"""The one gate: interlocks, refusals, idempotence, and what is recorded of every command."""

from __future__ import annotations

from pathlib import Path

import pytest

from dt.communication.memory import MemoryMessaging
from dt.controller.results import ResultBook
from dt.utils.dataclasses import Command, Grant, Origin, Outcome, Quality, Verdict
from dt.utils.exceptions import ConfigError, MessageError
from tests.controller.rooms import RIG, Room, dose, make_room

_POLICY = "policy:test"


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """A controller's inner parts, one pump of 5 ml/s, dry soil."""
    return make_room(tmp_path)


def _refusal(room: Room, **changes: object) -> tuple[str, float | None, float | None, float | None]:
    result = room.gate.submit(dose(room.clock, **changes))  # type: ignore[arg-type]
    assert result is not None
    assert result.refusal is not None
    assert not room.is_on()
    return result.refusal.invariant, result.refusal.value, result.refusal.limit, result.refusal.margin


def _grant(room: Room, until_s: float | None = None) -> None:
    until = None if until_s is None else room.clock.wall() + until_s
    room.decisions.grant(Grant(actuator_id="basil-pump", by="anna", since=room.clock.wall(), until=until))


def test_a_persons_dose_runs_for_its_calibrated_seconds(room: Room) -> None:
    """50 ml at 5 ml/s are 10 s; the result tells what was delivered, and carries the command."""
    assert room.gate.submit(dose(room.clock)) is None
    room.pass_time(5)
    assert room.is_on()

    room.pass_time(6)

    result = room.results.get("a-1")
    assert result is not None
    assert (result.outcome, room.is_on()) == (Outcome.DONE, False)
    assert result.delivered_ml == pytest.approx(50.0, abs=1.0)
    assert result.command == dose(room.clock, timestamp=result.command.timestamp if result.command else 0)
    assert result.correlation_id == "c-1"


def test_s01_a_dose_that_takes_too_long_is_refused(room: Room) -> None:
    """200 ml at 5 ml/s would take 40 s."""
    assert _refusal(room, ml=200.0) == ("S1", 40.0, 30.0, -10.0)


def test_s02_a_second_dose_waits_for_the_pause(room: Room) -> None:
    """Ten minutes after the first ended, not before."""
    room.gate.submit(dose(room.clock))
    room.pass_time(11)

    invariant, value, limit, _ = _refusal(room, action_id="a-2")
    assert (invariant, limit) == ("S2", 600.0)
    assert value == pytest.approx(1.0, abs=0.3)
    room.pass_time(600)
    room.see_moisture(0.2, 0.2, 0.2)
    assert room.gate.submit(dose(room.clock, "a-3")) is None


def test_s03_a_plant_gets_its_daily_dose_and_no_more(room: Room) -> None:
    """200 ml a litre of pot; the refusal tells how much is missing."""
    for number in (1, 2):
        room.gate.submit(dose(room.clock, f"a-{number}", 90.0))
        room.pass_time(620, step_s=0.4)

    invariant, value, limit, margin = _refusal(room, action_id="a-3")

    assert (invariant, limit) == ("S3", 200.0)
    assert value == pytest.approx(230.0, abs=8.0)
    assert margin == pytest.approx(-30.0, abs=8.0)


def test_s04_automatic_watering_needs_three_good_readings(tmp_path: Path) -> None:
    """Bad, late and replayed readings do not count, and people may water all the same."""
    room = make_room(tmp_path)
    _grant(room)
    room.pass_time(3600, step_s=0.4)
    room.see_moisture(0.2, 0.2, 0.2, quality=Quality(verdict=Verdict.BAD, check="range", why="test"))
    room.see_moisture(0.2, 0.2, 0.2, late=True)
    room.see_moisture(0.2, 0.2, 0.2, origin=Origin.REPLAY)

    assert _refusal(room, issuer=_POLICY)[0] == "S4"
    assert room.gate.submit(dose(room.clock, "a-2")) is None


def test_s04_a_moisture_older_than_a_quarter_of_an_hour_is_no_estimate(room: Room) -> None:
    """Also when the wall clock was set back meanwhile."""
    _grant(room)
    room.pass_time(901, step_s=0.4)
    room.clock.set_wall(room.clock.wall() - 901)

    invariant, value, limit, _ = _refusal(room, issuer=_POLICY)

    assert (invariant, limit) == ("S4", 900.0)
    assert value is not None
    assert value > 900.0


def test_s04_readings_far_apart_are_not_certain_enough(room: Room) -> None:
    """Half their range is above 0.05 m3/m3."""
    _grant(room)
    room.see_moisture(0.2, 0.35, 0.2)

    assert _refusal(room, issuer=_POLICY)[0] == "S4"


def test_s05_wet_soil_is_not_watered_by_anybody(room: Room) -> None:
    """Not by a person either: an interlock always wins."""
    room.see_moisture(0.5, 0.5, 0.5, 0.5, 0.5)

    assert _refusal(room) == ("S5", 0.5, 0.45, -0.05)


def test_s09_the_emergency_stop_refuses_everything(room: Room) -> None:
    """Until a person releases it."""
    room.guard.emergency_stop("anna")

    assert _refusal(room) == ("S9", 1.0, 0.0, -1.0)
    room.guard.release_stop("anna")
    assert room.gate.submit(dose(room.clock, "a-2")) is None


@pytest.mark.parametrize(
    "changes", [{"age_s": 31.0}, {"age_s": -60.0}, {"origin": Origin.REPLAY}, {"origin": Origin.BACKFILL}]
)
def test_s10_old_future_and_replayed_commands_start_nothing(room: Room, changes: dict[str, object]) -> None:
    """They end as expired, with the reason."""
    timestamp = room.clock.wall() - float(changes.get("age_s", 0.0))  # type: ignore[arg-type]
    others = {name: value for name, value in changes.items() if name != "age_s"}

    result = room.gate.submit(dose(room.clock, timestamp=timestamp, **others))

    assert result is not None
    assert result.outcome is Outcome.EXPIRED
    assert result.refusal is not None
    assert result.refusal.invariant == "S10"


def test_s10_a_command_runs_once_however_often_it_comes(room: Room) -> None:
    """While it runs, after it ran, and after everything was restarted."""
    command = dose(room.clock)
    assert room.gate.submit(command) is None
    assert room.gate.submit(command) is None
    room.pass_time(11)

    again = room.gate.submit(command)

    assert again is not None
    assert again.outcome is Outcome.DONE
    room.guard.close()
    restarted = make_room(room.folder)
    remembered = restarted.gate.submit(dose(restarted.clock))
    assert remembered is not None
    assert remembered.outcome is Outcome.DONE
    restarted.pass_time(1)
    assert not restarted.is_on()


@pytest.mark.parametrize("issuer", ["policy", "policy:recommendation", " Policy ", "POLICY:x", "policies", "policy/1"])
def test_s14_nothing_from_outside_passes_for_a_policy_of_ours(room: Room, issuer: str) -> None:
    """Also under a grant and with good readings; it is told why, and its id never runs."""
    _grant(room)

    result = room.gate.submit_from_outside(dose(room.clock, issuer=issuer))

    assert result is not None
    assert result.refusal is not None
    assert (result.refusal.invariant, result.refusal.margin) == ("S14", -1.0)
    assert "from outside says who asks" in result.refusal.why
    assert room.gate.submit(dose(room.clock, issuer=issuer)) == result
    assert not room.is_on()


@pytest.mark.parametrize("issuer", ["automation", "Scheduler 2", "twin", "ai", "node-red.cron", "my_bot", "?"])
def test_s14_and_s04_hold_for_every_machine(tmp_path: Path, issuer: str) -> None:
    """Whatever it calls itself: without a grant it does nothing, with one nothing without readings."""
    room = make_room(tmp_path)
    room.pass_time(901, step_s=0.4)

    without = room.gate.submit_from_outside(dose(room.clock, "a-1", issuer=issuer))
    _grant(room)
    granted = room.gate.submit_from_outside(dose(room.clock, "a-2", issuer=issuer))

    assert without is not None
    assert without.refusal is not None
    assert without.refusal.invariant == "S14"
    assert granted is not None
    assert granted.refusal is not None
    assert granted.refusal.invariant == "S4"
    assert room.gate.submit_from_outside(dose(room.clock, "a-3", issuer="person:Ai")) is None


def test_s13_every_refusal_is_recorded_in_the_ledger(room: Room) -> None:
    """With the command itself, so that its trail is whole."""
    _refusal(room, ml=200.0)

    [entry] = room.guard.entries()

    assert entry["outcome"] == "refused"
    assert '"S1"' in entry["why"]
    assert '"a-1"' in entry["note"]


def test_s14_a_policy_without_a_grant_is_refused(room: Room) -> None:
    """And with one it waters, until the grant ends."""
    assert _refusal(room, issuer=_POLICY)[0] == "S14"
    _grant(room, until_s=60.0)
    room.see_moisture(0.2, 0.2, 0.2)
    assert room.gate.submit(dose(room.clock, "a-2", issuer=_POLICY)) is None
    room.pass_time(700, step_s=0.4)
    assert _refusal(room, action_id="a-3", issuer=_POLICY)[0] == "S14"


def test_off_is_never_refused_and_pays_back_the_rest(room: Room) -> None:
    """A person can always switch off."""
    room.gate.submit(dose(room.clock))
    room.pass_time(2)

    off = room.gate.submit(dose(room.clock, "a-2", command=Command.OFF, dose_ml=None))
    room.pass_time(1)

    assert off is not None
    assert off.outcome is Outcome.DONE
    stopped = room.results.get("a-1")
    assert stopped is not None
    assert stopped.outcome is Outcome.STOPPED
    assert stopped.delivered_ml == pytest.approx(10.0, abs=1.0)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"actuator_id": "nobody"}, "actuator_id"),
        ({"plant_id": "cactus"}, "plant_id"),
        ({"command": Command.LEVEL, "level": 0.5}, "command"),
    ],
)
def test_a_command_that_no_actuator_takes_names_its_field(room: Room, changes: dict[str, object], field: str) -> None:
    """It is no refusal of an interlock but a wrong message."""
    with pytest.raises(MessageError) as caught:
        room.gate.submit(dose(room.clock, **changes))
    assert caught.value.field == field


def test_results_reach_the_log_keyed_by_actuator(room: Room, messaging: MemoryMessaging) -> None:
    """And are handed to the guard as published, so that it forgets them."""
    book = ResultBook(messaging, room.clock)
    book.start()
    room.gate.submit(dose(room.clock, ml=200.0))
    result = room.results.get("a-1")
    assert result is not None
    book.add(result)
    book.stop()

    [record] = messaging.read_all("dt.actions.results")

    assert record.key == "basil-pump"
    assert book.take_published() == ["a-1"]


def test_s13_a_command_that_is_too_long_for_the_ledger_names_its_length(room: Room) -> None:
    """It is refused before anything runs, and the same id may come again in a shorter form."""
    with pytest.raises(MessageError):
        room.gate.submit(dose(room.clock, caused_by=tuple(f"cause-{n:032}" for n in range(5000))))

    assert room.gate.submit(dose(room.clock)) is None


def test_a_command_whose_handling_failed_is_not_taken_for_running(room: Room) -> None:
    """An error inside must not answer `accepted` to everybody who asks again."""

    class _Broken(type(room.guard)):  # type: ignore[misc]
        def budget(self, actuator_id: str) -> dict[str, float | None]:
            raise RuntimeError(actuator_id)

    whole, room.guard.__class__ = room.guard.__class__, _Broken
    with pytest.raises(RuntimeError):
        room.gate.submit(dose(room.clock))
    room.guard.__class__ = whole

    assert room.gate.submit(dose(room.clock)) is None
    room.pass_time(1)
    assert room.is_on()


def test_s04_automatic_watering_waits_for_readings_since_the_last_dose(room: Room) -> None:
    """Three good ones, else it would water twice for one thirst; a person may all the same."""
    _grant(room)
    assert room.gate.submit(dose(room.clock, issuer=_POLICY)) is None
    room.see_moisture(0.2, 0.2, 0.2)
    room.pass_time(611, step_s=0.4)

    assert _refusal(room, action_id="a-2", issuer=_POLICY)[:3] == ("S4", 0.0, 3.0)

    room.see_moisture(0.2, 0.2, 0.2)
    assert room.gate.submit(dose(room.clock, "a-3", issuer=_POLICY)) is None


def test_s03_a_can_shared_by_two_pumps_is_one_can(tmp_path: Path) -> None:
    """Also when only one of them says how much it holds."""
    second = RIG.split("[[actuators]]")[1].replace("basil-pump", "other-pump").replace("GPIO17", "GPIO18")
    text = RIG + 'reservoir = "can"\n[[actuators]]' + second.replace("reservoir_ml = 1000", 'reservoir = "can"')

    room = make_room(tmp_path, text.replace("reservoir_ml = 1000", "reservoir_ml = 60"))

    room.gate.submit(dose(room.clock))
    assert _refusal(room, action_id="a-2", actuator_id="other-pump")[:3] == ("S3", 50.0, 10.0)


@pytest.mark.parametrize("entry", ["reservoir_ml = nan", "reservoir_ml = -1", 'reservoir = "can"'])
def test_s03_a_can_of_unknown_size_is_a_wrong_rig(tmp_path: Path, entry: str) -> None:
    """NaN would never be empty."""
    with pytest.raises(ConfigError, match=r"reservoir|finite"):
        make_room(tmp_path, RIG.replace("reservoir_ml = 1000", entry))


def test_s02_a_pump_that_runs_takes_no_other_dose(room: Room) -> None:
    """The gate says so itself, with the pause as the limit."""
    room.gate.submit(dose(room.clock))
    room.pass_time(1)

    result = room.gate.submit(dose(room.clock, "a-2"))

    assert result is not None
    assert result.refusal is not None
    assert result.refusal.why == "the actuator is on"
    assert (result.refusal.value, result.refusal.limit, result.refusal.margin) == (0.0, 600.0, -600.0)
