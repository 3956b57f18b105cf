"""A judge of the guard that sees true time, the pins, and what people and the controller did, not the guard's word."""

from __future__ import annotations

from dataclasses import dataclass, field

from dt.controller.guard_types import BUDGET_WINDOW_S, GuardConfig, OutputConfig

STEP_S = 0.1  # between two turns of the pin thread
LEASE_S = 0.5
_SLACK_S = 2 * STEP_S  # a run ends at a turn of the pin thread
_TINY = 1e-6


@dataclass(slots=True, kw_only=True)
class Permit:
    """An accepted order: the only reason for which a pin may be high."""

    action_id: str
    on_s: float
    start_by_s: float
    began_s: float | None = None


@dataclass(slots=True, kw_only=True)
class Pulse:
    """A pin that was high from one true second to another; `flow_ml_s` is what it gave."""

    since_s: float
    until_s: float | None = None
    flow_ml_s: float = 0.0

    def within(self, since_s: float, until_s: float) -> float:
        """Return the seconds of it in a window."""
        end_s = until_s if self.until_s is None else min(self.until_s, until_s)
        return max(0.0, end_s - max(self.since_s, since_s))


@dataclass(slots=True)
class Judge:
    """Asserts S1, S2, S3, S6, S9, S10, S11 and S12 at every change of a pin and at every turn of the pin thread."""

    config: GuardConfig
    now_s: float = 0.0
    levels: dict[str, float] = field(default_factory=dict)
    pulses: dict[str, list[Pulse]] = field(default_factory=dict)
    permits: dict[str, Permit] = field(default_factory=dict)
    flows: dict[str, float] = field(default_factory=dict)
    refilled_s: float = 0.0
    renewed_s: float = float("-inf")
    is_stopped: bool = False
    excused_until_s: dict[str, float] = field(default_factory=dict)
    excused_s: dict[str, float] = field(default_factory=dict)

    # -- what happens -------------------------------------------------------------------------------------------

    def pin(self, actuator_id: str, level: float) -> None:
        """A pin has another level."""
        before, self.levels[actuator_id] = self.levels.get(actuator_id, 0.0), level
        pulses = self.pulses.setdefault(actuator_id, [])
        if level > 0 >= before:
            flow_ml_s = max(self.output(actuator_id).flow_ml_s, self.flows.get(actuator_id, 0.0))
            self._check_pause(actuator_id, pulses)
            pulses.append(Pulse(since_s=self.now_s, flow_ml_s=flow_ml_s))
            self._begin(actuator_id)
        elif level <= 0 < before:
            pulses[-1].until_s = self.now_s
        self.check_loads()

    def excuse(self, actuator_id: str) -> None:
        """The pin's own failure: whatever it does for the next turns is nobody's fault."""
        self.excused_until_s[actuator_id] = self.now_s + 2 * STEP_S + _TINY
        self.excused_s[actuator_id] = self.excused_s.get(actuator_id, 0.0) + 2 * STEP_S

    def accept(self, actuator_id: str, permit: Permit) -> None:
        """The guard took an order."""
        assert not self.is_stopped, "S9: an order was accepted under a stop"
        assert self.holds_lease(), "S11: an order was accepted without a lease"
        self.permits[actuator_id] = permit

    def revoke_all(self) -> None:
        """Nothing may be on from the next turn on: a stop, a lapse or a restart."""
        self.permits.clear()

    # -- what must hold -----------------------------------------------------------------------------------------

    def check(self) -> None:
        """Look at everything, after a turn of the pin thread."""
        for output in self.config.outputs:
            self._check_permit(output)
            self._check_on_time(output)
        self._check_water()
        self.check_loads()

    def check_off(self) -> None:
        """S10: after a restart nothing is on."""
        assert not any(self.levels.values()), f"S10: on after a restart: {self.levels}"

    def holds_lease(self) -> bool:
        """Return whether the controller renewed its lease in time."""
        return self.now_s - self.renewed_s < LEASE_S + _TINY

    def output(self, actuator_id: str) -> OutputConfig:
        """Return an output's row."""
        output = self.config.output(actuator_id)
        assert output is not None
        return output

    def check_loads(self) -> None:
        """S6, at every instant, also between two pins of one turn."""
        on = [output for output in self.config.outputs if self.levels.get(output.actuator_id, 0.0) > 0]
        for supply, limit_w in self.config.supplies.items():
            pumps = [output.actuator_id for output in on if output.moves_water and output.supply == supply]
            load_w = sum(one.load_w * self.levels[one.actuator_id] for one in on if one.supply == supply)
            assert len(pumps) <= 1, f"S6: {pumps} run together"
            assert load_w <= limit_w + _TINY, f"S6: {load_w} W of {limit_w} W: {self.levels}"
        for one in self.config.exclusions:
            is_windy = self.levels.get(one.fan, 0.0) >= one.above
            assert not (is_windy and self.levels.get(one.heater, 0.0) > 0), f"S6: {self.levels}"

    def _begin(self, actuator_id: str) -> None:
        permit = self.permits.get(actuator_id)
        assert permit is not None, f"S10: {actuator_id} rose without an order"
        if permit.began_s is None:
            assert self.now_s <= permit.start_by_s + _TINY, f"S10: {permit} had expired"
            permit.began_s = self.now_s

    def _check_pause(self, actuator_id: str, pulses: list[Pulse]) -> None:
        if pulses:
            rest_s = self.now_s - (pulses[-1].until_s or 0.0)
            assert rest_s >= self.output(actuator_id).pause_s - _TINY, f"S2/S12: {actuator_id} rested {rest_s} s"

    def _check_permit(self, output: OutputConfig) -> None:
        name = output.actuator_id
        if self.levels.get(name, 0.0) <= 0 or self.now_s <= self.excused_until_s.get(name, float("-inf")):
            return
        permit = self.permits.get(name)
        assert permit is not None, f"S9/S10/S11: {name} is on without reason"
        assert permit.began_s is not None
        over_s = self.now_s - permit.began_s - permit.on_s
        assert over_s <= _SLACK_S + self.excused_s.get(name, 0.0), f"S1: {name} is on {over_s} s longer than ordered"

    def _check_on_time(self, output: OutputConfig) -> None:
        pulses = self.pulses.get(output.actuator_id, [])
        if not pulses:
            return
        slack_s = _SLACK_S + self.excused_s.get(output.actuator_id, 0.0)
        longest_s = pulses[-1].within(float("-inf"), self.now_s)
        assert longest_s <= output.max_on_s + slack_s, f"S1: {output.actuator_id} was on {longest_s} s"
        day = [pulse for pulse in pulses if pulse.until_s is None or pulse.until_s > self.now_s - BUDGET_WINDOW_S]
        on_s = sum(pulse.within(self.now_s - BUDGET_WINDOW_S, self.now_s) for pulse in day)
        most_s = output.on_s_per_day + slack_s * len(day)
        assert on_s <= most_s, f"S1/S12: {output.actuator_id} was on {on_s} s of a day"

    def _check_water(self) -> None:
        since_s = self.now_s - BUDGET_WINDOW_S
        pumps = [output for output in self.config.outputs if output.moves_water]
        for plant_id, budget in self.config.budgets.items():
            given_ml, slack_ml = self._given([one for one in pumps if one.plant_id == plant_id], since_s)
            assert given_ml <= budget.ml_per_day + slack_ml, f"S3/S12: {plant_id} got {given_ml} ml in a day"
        for reservoir, capacity_ml in self.config.reservoirs.items():
            drawn = [one for one in pumps if one.reservoir == reservoir]
            drawn_ml, slack_ml = self._given(drawn, self.refilled_s)
            assert drawn_ml <= capacity_ml + slack_ml, f"S3: {reservoir} gave {drawn_ml} ml"

    def _given(self, pumps: list[OutputConfig], since_s: float) -> tuple[float, float]:
        given_ml = slack_ml = 0.0
        for pump in pumps:
            pulses = self.pulses.get(pump.actuator_id, [])
            day = [pulse for pulse in pulses if pulse.until_s is None or pulse.until_s > since_s]
            given_ml += sum(pulse.within(since_s, self.now_s) * pulse.flow_ml_s for pulse in day)
            excused_s = self.excused_s.get(pump.actuator_id, 0.0)
            slack_ml += sum(_SLACK_S * pulse.flow_ml_s for pulse in day) + excused_s * 3 * pump.flow_ml_s
        return given_ml, slack_ml
