"""S7: doses with and without their effect, what hides it, what makes it up, and who releases the pump."""

from __future__ import annotations

from pathlib import Path

import pytest

from dt.controller.effect_watch import SETTLES_S
from dt.controller.rig_limits import guard_config
from dt.utils.dataclasses import ActionResult, Outcome, Severity
from dt.utils.quantities import Quantity
from tests.controller.garden import Garden, make_garden
from tests.controller.rooms import Room, dose, make_guard, room_of


@pytest.fixture
def garden(tmp_path: Path) -> Garden:
    """A box whose soil is dry."""
    return make_garden(tmp_path)


def _give(garden: Garden, action_id: str = "a-1", ml: float = 60.0, seconds: float = SETTLES_S + 60.0) -> ActionResult:
    """A person's dose, and its result once its effect is known."""
    assert garden.room.gate.submit(dose(garden.room.clock, action_id, ml)) is None
    garden.run(seconds)
    [*_, last] = [one for one in garden.results() if one.action_id == action_id]
    return last


def _lock_of(garden: Garden, actuator_id: str = "basil-pump") -> str | None:
    lock = garden.room.core.locks.of(actuator_id)
    return None if lock is None else lock.why


def test_a_dose_that_arrives_is_published_again_with_its_effect(garden: Garden) -> None:
    """First what was delivered, then what it did: the same action, the last word stands."""
    result = _give(garden)

    assert (result.outcome, result.effect) == (Outcome.DONE, "seen")
    assert result.expected_rise == pytest.approx(0.06, abs=0.009)
    assert result.measured_rise == pytest.approx(result.expected_rise, abs=0.002)
    assert [one.effect for one in garden.results()] == [None, "seen"]
    assert _lock_of(garden) is None


def test_s07_a_dose_without_effect_locks_the_pump_out_and_says_why(garden: Garden) -> None:
    """An alert with likely causes; then nobody doses until a person releases it."""
    garden.flows["basil-pump"] = False

    result = _give(garden)

    assert result.effect == "missing"
    condition = garden.conditions()["locked_out:basil-pump"]
    assert (condition.active, condition.severity, condition.plant_id) == (True, Severity.CRITICAL, "basil")
    assert "blocked" in condition.description
    assert "release" in condition.advice
    garden.run(600.0)
    refused = garden.room.gate.submit(dose(garden.room.clock, "a-2"))
    assert refused is not None
    assert refused.refusal is not None
    assert refused.refusal.invariant == "S7"
    assert refused.refusal.value == pytest.approx(0.0, abs=0.001)
    assert refused.refusal.limit == pytest.approx(0.02, abs=0.003)
    assert refused.refusal.margin == pytest.approx(-0.02, abs=0.003)


def test_s07_only_a_release_by_a_person_ends_a_lock_out_over_restarts_too(garden: Garden) -> None:
    """It is on disk; and its end is told."""
    garden.flows["basil-pump"] = False
    _give(garden)
    again = _restarted(garden.room)
    assert again.core.locks.of("basil-pump") is not None

    released = again.core.release("basil-pump", "anna")

    assert released is not None
    assert _restarted(garden.room).core.locks.of("basil-pump") is None
    garden.room.core.release("basil-pump", "anna")
    assert garden.conditions()["locked_out:basil-pump"].active is False


def _restarted(room: Room) -> Room:
    config = guard_config(room.rig, room.folder)
    return room_of(room.folder, room.rig, room.clock, room.pins, make_guard(config, room.pins, room.clock), config)


def test_s07_a_controller_that_dies_after_a_dose_judges_it_when_it_is_back(garden: Garden) -> None:
    """Else a blocked line would go unseen on a machine that is restarted often."""
    garden.flows["basil-pump"] = False
    assert garden.room.gate.submit(dose(garden.room.clock)) is None
    garden.run(60.0)

    garden.room = _restarted(garden.room)
    garden.run(SETTLES_S)

    assert _lock_of(garden) is not None


def test_s07_a_damaged_file_of_lock_outs_locks_everything_out(garden: Garden) -> None:
    """Nobody knows what was locked; a person looks and releases."""
    path = garden.room.folder / "controller" / "locks.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text("{")

    locks = _restarted(garden.room).core.locks

    assert {one.actuator_id for one in locks.all()} == set(garden.room.core.actuators)


def test_a_reservoir_that_is_nearly_empty_is_named_first(garden: Garden) -> None:
    """By the ledger, or because another pump on it had no effect either."""
    garden.flows.update({"basil-pump": False, "mint-pump": False})
    garden.moisture["mint"] = 0.20
    command = dose(garden.room.clock, "m-1", 300.0, actuator_id="mint-pump", plant_id="mint")
    assert garden.room.gate.submit(command) is None
    garden.run(SETTLES_S + 60.0)

    _give(garden)

    why = _lock_of(garden)
    assert why is not None
    assert why.index("reservoir may be empty") < why.index("blocked")


def test_a_probe_that_reads_air_is_named(garden: Garden) -> None:
    """It fell out while the dose ran."""
    garden.flows["basil-pump"] = False
    assert garden.room.gate.submit(dose(garden.room.clock)) is None
    garden.run(60.0)
    garden.moisture["basil"] = 0.005
    garden.run(SETTLES_S)

    why = _lock_of(garden)
    assert why is not None
    assert "probe may be out" in why
    assert "blocked" not in why


def test_s07_warmth_that_the_probe_reads_as_water_is_no_effect(garden: Garden) -> None:
    """F12: the reading climbs all morning at the same pace, with and without a dose; the line is blocked."""
    garden.flows["basil-pump"] = False

    def drift() -> None:
        garden.moisture["basil"] = 0.20 + 0.02 * (garden.room.clock.monotonic() - 1000.0) / 3600.0

    garden.on_step = drift
    garden.run(3600.0)

    result = _give(garden, ml=90.0)

    assert result.effect == "missing"
    assert _lock_of(garden) is not None


def test_warmth_that_could_have_hidden_a_rise_locks_nothing_out_at_once(garden: Garden) -> None:
    """A probe of the soil's warmth fell by 6 K; three times in a row is enough."""
    garden.flows["basil-pump"] = False
    garden.air[Quantity.SOIL_TEMPERATURE] = 26.0
    garden.run(60.0)
    effects = []
    for number in range(3):
        garden.air[Quantity.SOIL_TEMPERATURE] = 26.0
        garden.run(120.0)
        assert garden.room.gate.submit(dose(garden.room.clock, f"a-{number}")) is None
        garden.run(60.0)
        garden.air[Quantity.SOIL_TEMPERATURE] = 18.0
        garden.run(SETTLES_S)
        effects.append([one.effect for one in garden.results() if one.action_id == f"a-{number}"][-1])

    assert effects == ["uncertain", "uncertain", "missing"]


def test_a_dose_too_small_for_the_probe_is_not_judged(garden: Garden) -> None:
    """5 ml in a litre are 0.005 m3/m3: less than three times the noise."""
    garden.flows["basil-pump"] = False

    result = _give(garden, ml=8.0)

    assert result.effect == "too_small"
    assert _lock_of(garden) is None


def test_without_readings_after_it_a_dose_is_not_judged(garden: Garden) -> None:
    """Nobody knows; automatic watering waits by S4 anyway."""
    assert garden.room.gate.submit(dose(garden.room.clock)) is None
    garden.silent.add("basil")
    garden.run(3700.0)

    assert garden.results()[-1].effect == "unknown"
    assert _lock_of(garden) is None


def test_rain_and_watering_by_hand_lock_no_pump_out(garden: Garden) -> None:
    """More water than the dose explains is told, and that is all."""
    assert garden.room.gate.submit(dose(garden.room.clock)) is None
    garden.run(60.0)
    garden.moisture["basil"] += 0.15
    garden.run(SETTLES_S)

    assert garden.results()[-1].effect == "excessive"
    assert _lock_of(garden) is None
    assert garden.conditions()["dose_excess:basil-pump"].active
    garden.run(3700.0)
    assert not garden.conditions()["dose_excess:basil-pump"].active


def test_a_second_dose_before_the_first_has_sunk_in_is_judged_with_it(garden: Garden) -> None:
    """A person who doses twice gets one effect for both."""
    _give(garden, ml=30.0, seconds=620.0)

    _give(garden, "a-2", ml=30.0)

    effects = {one.action_id: (one.effect, one.expected_rise) for one in garden.results() if one.effect}
    assert set(effects) == {"a-1", "a-2"}
    assert effects["a-1"] == effects["a-2"]
    assert effects["a-1"][1] == pytest.approx(0.06, abs=0.017)
