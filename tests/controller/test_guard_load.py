"""S6 in the guard: one pump on a supply, loads within its limit, a heater against a fan; levels of what runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dt.controller.guard_client import InProcessGuard
from dt.controller.guard_types import Denial, Exclusion, GuardConfig, GuardConfigError, OutputConfig
from dt.utils.clock import ManualClock
from tests.controller.guard_box import order
from tests.controller.outputs import mixed_config
from tests.controller.rooms import PinLog, make_guard


class Desk:
    """A guard of the mixed box, asked in short words."""

    def __init__(self, folder: Path, clock: ManualClock) -> None:
        self.clock = clock
        self.pins = PinLog(clock)
        self.guard: InProcessGuard = make_guard(mixed_config(folder), self.pins, clock)
        self.count = 0

    def start(self, actuator_id: str, level: float = 1.0, on_s: float = 10.0) -> Denial | None:
        """Order a run, and let the pin thread have a turn."""
        self.count += 1
        one = replace(order(f"a-{self.count}", actuator_id, on_s, self.clock.monotonic()), level=level)
        denial = self.guard.run(one).denial
        self.guard.tick()
        return denial

    def adjust(self, actuator_id: str, level: float) -> Denial | None:
        """Ask for another level, and let the pin thread have a turn."""
        denial = self.guard.adjust(actuator_id, level).denial
        self.guard.tick()
        return denial

    def off(self, actuator_id: str) -> None:
        """Switch off, and let the pin thread have a turn."""
        self.guard.off(actuator_id, "asked")
        self.guard.tick()


@pytest.fixture
def desk(tmp_path: Path, clock: ManualClock) -> Desk:
    """A guard of the mixed box."""
    return Desk(tmp_path, clock)


def test_s06_one_pump_at_a_time_runs_on_a_supply(desk: Desk) -> None:
    """The second one is refused while the first runs, and may start when it is off."""
    assert desk.start("pump-0") is None

    denial = desk.start("pump-1")

    assert denial is not None
    assert (denial.invariant, denial.value, denial.limit, denial.margin) == ("S6", 2.0, 1.0, -1.0)
    desk.off("pump-0")
    assert desk.start("pump-1") is None


def test_s06_pumps_that_name_no_supply_share_one(tmp_path: Path, clock: ManualClock) -> None:
    """Nobody said that they do not."""
    config = mixed_config(tmp_path)
    unnamed = tuple(replace(one, supply=None) if one.moves_water else one for one in config.outputs)
    guard = make_guard(replace(config, outputs=unnamed), PinLog(clock), clock)
    assert guard.run(order("a", "pump-0", now=clock.monotonic())).accepted

    denial = guard.run(order("b", "pump-1", now=clock.monotonic())).denial

    assert denial is not None
    assert denial.invariant == "S6"


def test_s06_pumps_on_supplies_of_their_own_run_together(tmp_path: Path, clock: ManualClock) -> None:
    """Each has its own limit."""
    config = mixed_config(tmp_path)
    apart = tuple(replace(one, supply="other") if one.actuator_id == "pump-1" else one for one in config.outputs)
    guard = make_guard(replace(config, outputs=apart, supplies={"main": 60.0, "other": 6.0}), PinLog(clock), clock)

    assert guard.run(order("a", "pump-0", now=clock.monotonic())).accepted
    assert guard.run(order("b", "pump-1", now=clock.monotonic())).accepted


def test_s06_loads_times_levels_stay_within_the_supply(desk: Desk) -> None:
    """40 W and half of 30 W leave 5 of 60 W; a full lamp would make 70."""
    assert desk.start("heater") is None
    assert desk.start("lamp", 0.5) is None

    denial = desk.adjust("lamp", 1.0)

    assert denial is not None
    assert (denial.invariant, denial.value, denial.limit, denial.margin) == ("S6", 70.0, 60.0, -10.0)
    assert desk.pins.levels["lamp"] == 0.5
    full = desk.start("pump-0")
    assert full is not None
    assert full.margin == -1.0
    assert desk.adjust("lamp", 0.4) is None
    assert desk.start("pump-1") is None


def test_s06_a_load_that_is_due_counts_before_its_pin_is_high(desk: Desk) -> None:
    """Two orders between two ticks find each other."""
    now = desk.clock.monotonic()
    assert desk.guard.run(order("x", "heater", now=now)).accepted

    denial = desk.guard.run(order("y", "lamp", now=now)).denial

    assert denial is not None
    assert denial.value == 70.0


def test_s06_a_level_that_falls_counts_until_the_pin_has_fallen(desk: Desk) -> None:
    """The pins change one after the other: in between both would be high."""
    desk.start("heater")
    desk.guard.adjust("heater", 0.0)

    early = desk.guard.run(order("y", "lamp", now=desk.clock.monotonic())).denial
    desk.guard.tick()

    assert early is not None
    assert early.invariant == "S6"
    assert desk.start("lamp") is None


@pytest.mark.parametrize(("first", "second"), [("heater", "fan"), ("fan", "heater")])
def test_s06_a_heater_and_a_fan_at_full_speed_exclude_each_other(desk: Desk, first: str, second: str) -> None:
    """Whichever comes second is refused; below the level they work together."""
    assert desk.start(first) is None

    denial = desk.start(second)

    assert denial is not None
    assert (denial.invariant, denial.value, denial.limit) == ("S6", 1.0, 0.9)
    assert desk.adjust("fan", 0.89) is None or first == "heater"
    assert desk.start(second, 0.89) is None


def test_s06_a_fan_that_is_turned_up_beside_a_heater_is_refused(desk: Desk) -> None:
    """Also by `adjust`; with the heater at level 0 it may."""
    desk.start("heater", 0.5)
    desk.start("fan", 0.3)

    denial = desk.adjust("fan", 0.9)

    assert denial is not None
    assert denial.invariant == "S6"
    assert desk.adjust("heater", 0.0) is None
    assert desk.adjust("fan", 0.9) is None
    back = desk.adjust("heater", 0.1)
    assert back is not None
    assert (back.invariant, back.margin) == ("S6", 0.0)


def test_s06_an_output_that_could_not_be_driven_counts_as_full(desk: Desk) -> None:
    """Nobody knows what it draws."""
    desk.start("heater", 0.1)
    desk.pins.fails = True
    desk.adjust("heater", 0.2)

    denial = desk.start("lamp")

    assert denial is not None
    assert denial.value == 70.0
    assert desk.guard.status()["reported"]["heater"] == 1.0


def test_a_level_is_what_the_pin_gets_and_what_is_reported(desk: Desk) -> None:
    """At level 0 the run goes on with its pin at 0."""
    desk.start("fan", 0.4)
    assert desk.pins.levels["fan"] == 0.4

    desk.adjust("fan", 0.0)

    status = desk.guard.status()
    assert (status["outputs"]["fan"]["desired"], status["outputs"]["fan"]["level"]) == (True, 0.0)
    assert (desk.pins.levels["fan"], status["reported"]["fan"]) == (0.0, 0.0)
    desk.adjust("fan", 0.7)
    assert desk.guard.status()["reported"]["fan"] == 0.7


def test_s02_an_output_at_level_0_rests_before_it_is_turned_up_again(desk: Desk) -> None:
    """Else its run would be a way around the pause: a relay would chatter."""
    desk.start("heater", on_s=100.0)
    assert desk.guard.adjust("heater", 0.0).accepted
    assert desk.guard.adjust("heater", 0.5).accepted  # its pin has not fallen yet
    desk.guard.tick()
    desk.adjust("heater", 0.0)
    for _ in range(299):
        desk.clock.advance(0.1)
        desk.guard.renew()

    early = desk.adjust("heater", 0.5)
    desk.clock.advance(0.2)

    assert early is not None
    assert (early.invariant, early.limit) == ("S2", 30.0)
    assert desk.adjust("heater", 0.5) is None


def test_s01_an_adjusted_run_ends_when_it_was_ordered_to_end(desk: Desk) -> None:
    """Another level is no longer run."""
    desk.start("fan", 0.4, on_s=5.0)
    for _ in range(60):
        desk.clock.advance(0.1)
        desk.guard.renew()
        desk.adjust("fan", 0.5)

    assert desk.pins.levels["fan"] == 0.0
    gone = desk.adjust("fan", 0.6)
    assert gone is not None
    assert "does not run" in gone.why


@pytest.mark.parametrize("level", [0.0, 0.5, 0.999])
def test_s06_a_pump_knows_full_alone(desk: Desk, level: float) -> None:
    """At half speed nobody knows what it gives."""
    assert desk.start("pump-0") is None

    denial = desk.adjust("pump-0", level)

    assert denial is not None
    assert denial.invariant == "S6"
    assert desk.pins.levels["pump-0"] == 1.0
    assert desk.adjust("pump-0", 1.0) is None


@pytest.mark.parametrize("level", [-0.1, 1.1, float("nan")])
def test_a_level_beyond_its_range_is_refused(desk: Desk, level: float) -> None:
    """And the pin keeps the one that it has."""
    desk.start("fan", 0.5)

    denial = desk.adjust("fan", level)

    assert denial is not None
    assert desk.pins.levels["fan"] == 0.5


def test_a_switched_output_is_off_or_on(desk: Desk) -> None:
    """Half a relay is a humming one."""
    denial = desk.start("relay", 0.5)

    assert denial is not None
    assert "switched" in denial.why


def test_s09_s11_no_level_changes_under_a_stop_or_without_the_lease(desk: Desk) -> None:
    """What goes off is not turned up again."""
    desk.start("fan", 0.5, on_s=100.0)
    other = desk.guard._desk.adjust("fan", 0.6, "another").denial
    desk.guard._desk.guard.off("fan", "asked")
    going = desk.guard.adjust("fan", 0.6).denial
    desk.guard.emergency_stop("anna")
    stopped = desk.guard.adjust("fan", 0.6).denial

    assert [one.invariant for one in (other, going, stopped) if one is not None] == ["S11", "S1", "S9"]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"supplies": {}}, "main powers pump-0 and is not declared"),
        ({"supplies": {"main": 39.0}}, r"heater\.load_w"),
        ({"supplies": {"main": float("nan")}}, r"supplies\.main"),
        ({"exclusions": (Exclusion(heater="oven", fan="fan", above=0.9),)}, "no output oven"),
    ],
)
def test_s06_a_configuration_that_cannot_be_kept_is_refused(
    tmp_path: Path, changes: dict[str, object], what: str
) -> None:
    """Before anything starts, by the field's name."""
    with pytest.raises(GuardConfigError, match=what):
        replace(mixed_config(tmp_path), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"output_class": "oven"}, "output_class"),
        ({"output_class": "heater", "max_on_s": 1801.0}, "max_on_s"),
        ({"output_class": "light", "max_on_s": 64_801.0}, "max_on_s"),
        ({"output_class": "light", "max_on_s_per_day": 64_801.0}, "max_on_s_per_day"),
        ({"output_class": "fan", "max_on_s": 86_401.0}, "max_on_s"),
        ({"output_class": "fan", "pause_s": -1.0}, "pause_s"),
        ({"output_class": "fan", "flow_ml_s": 2.0, "plant_id": "basil"}, "flow_ml_s"),
        ({"output_class": "fan", "pwm_hz": 20_000.0}, "pwm_hz"),
        ({"output_class": "fan", "load_w": float("nan")}, "load_w"),
        ({"pwm_hz": 100.0}, "pwm_hz"),
        ({"pause_s": 59.0}, "pause_s"),
    ],
)
def test_s01_every_class_of_output_has_ceilings(changes: dict[str, object], what: str) -> None:
    """What moves water is held to the narrowest; what names no class is taken for it."""
    with pytest.raises(GuardConfigError, match=what):
        OutputConfig(actuator_id="x", pin=17, **changes)  # type: ignore[arg-type]


def test_a_configuration_of_an_older_version_still_loads() -> None:
    """Without classes, supplies and levels; its outputs are pumps."""
    text = """{"outputs": [{"actuator_id": "pump", "pin": 17, "active_high": true, "plant_id": "basil",
        "reservoir": "can", "flow_ml_s": 2.0, "max_on_s": 30.0, "pause_s": 600.0}],
        "budgets": {"basil": {"ml_per_day": 200.0, "pot_volume_l": 1.0}}, "reservoirs": {"can": 1000.0},
        "ledger_path": "ledger.sqlite", "lease_s": 0.5}"""

    config = GuardConfig.from_json(text)

    assert config.outputs[0].moves_water
    assert (config.supplies, config.exclusions, config.stop_input) == ({}, (), None)


def test_a_mixed_configuration_survives_its_file(tmp_path: Path) -> None:
    """What is written is what is read."""
    config = mixed_config(tmp_path)

    assert GuardConfig.from_json(config.to_json()) == config


def test_s01_a_lamp_has_so_many_seconds_of_any_day(desk: Desk, tmp_path: Path) -> None:
    """After four of its six hours two are left; what leaves the window of 24 h is free again."""
    assert desk.start("lamp", on_s=14_400.0) is None
    desk.clock.advance(14_400.0 - 0.2)  # the lease is renewed in between, as the loop does
    desk.guard.guard._lease = ("controller", desk.clock.monotonic() + 0.5)
    desk.clock.advance(0.2)
    desk.guard.tick()
    assert desk.guard.entry("a-1") is not None
    desk.guard.renew()

    denial = desk.start("lamp", on_s=7201.0)

    assert denial is not None
    assert (denial.invariant, denial.limit) == ("S1", 21_600.0)
    assert denial.margin == pytest.approx(-1.0, abs=0.3)
    assert desk.guard.budget("lamp")["on_left_s"] == pytest.approx(7200.0, abs=0.3)
    desk.clock.advance(68_400.0)
    desk.guard.renew()
    assert desk.start("lamp", on_s=10_800.0) is None


def test_s01_an_order_that_moves_nothing_costs_the_lamp_no_time(desk: Desk) -> None:
    """A clean stop pays back what was not used; a run that never started costs nothing."""
    desk.start("lamp", on_s=14_400.0)
    desk.clock.advance(0.3)
    desk.guard.renew()
    desk.off("lamp")

    assert desk.guard.budget("lamp")["on_left_s"] == pytest.approx(21_600.0 - 0.3, abs=0.01)


def test_s01_a_crash_costs_the_lamp_what_it_may_have_been_on(desk: Desk, tmp_path: Path) -> None:
    """Until the next guard at the latest, which has it off; not the hours that it was ordered for."""
    desk.start("lamp", on_s=14_400.0)
    desk.guard._desk._ledger._db.close()
    desk.clock.advance(600.0)

    again = make_guard(mixed_config(tmp_path), PinLog(desk.clock), desk.clock)

    assert again.budget("lamp")["on_left_s"] == pytest.approx(21_600.0 - 600.0, abs=0.01)


def test_s01_a_crash_never_costs_the_lamp_more_than_its_order(desk: Desk, tmp_path: Path) -> None:
    """A guard that comes back days later, too."""
    desk.start("lamp", on_s=1000.0)
    desk.guard._desk._ledger._db.close()
    desk.clock.advance(5000.0)

    again = make_guard(mixed_config(tmp_path), PinLog(desk.clock), desk.clock)

    assert again.budget("lamp")["on_left_s"] == pytest.approx(21_600.0 - 1000.0, abs=0.01)


def test_s03_a_crash_costs_the_plant_its_whole_dose(desk: Desk, tmp_path: Path) -> None:
    """Water is not counted by the clock: it may have run out of a hose that nobody saw."""
    desk.start("pump-0", on_s=20.0)
    desk.guard._desk._ledger._db.close()
    desk.clock.advance(1.0)

    again = make_guard(mixed_config(tmp_path), PinLog(desk.clock), desk.clock)

    assert again.budget("pump-0")["spent_ml"] == 40.0
