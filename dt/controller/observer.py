"""Gathers what interlocks and policies look at: readings, limits, the guard's words, decisions, lock-outs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from dt.controller.books import Books
from dt.controller.decisions import Decisions
from dt.controller.guard_client import GuardLink
from dt.controller.guard_types import GuardConfig, GuardUnreachableError
from dt.controller.kinds.base_actuator import BaseActuator
from dt.controller.kinds.pump import Pump
from dt.controller.live_readings import OLDEST_S, Latest
from dt.controller.locks import Locks
from dt.controller.modes import Mode
from dt.controller.policies.base_policy import PolicyView
from dt.controller.situation import HeatSense, Load, MoistureEstimate, Situation
from dt.controller.vacation import floor_of, share_ml
from dt.utils.clock import Clock
from dt.utils.dataclasses import ActionCommand
from dt.utils.quantities import Quantity
from dt.utils.rig import Rig

_ROUNDING_ML = 0.01

CUT_OFF_DEGC = 35.0  # safety case, limits; the ceiling of 45 degC is checked where the rig is read


class Observer:
    """Reads, and changes nothing."""

    def __init__(
        self,
        *,
        rig: Rig,
        config: GuardConfig,
        actuators: Mapping[str, BaseActuator],
        guard: GuardLink,
        books: Books,
        decisions: Decisions,
        locks: Locks,
        clock: Clock,
    ) -> None:
        self._rig = rig
        self._config = config
        self._actuators = actuators
        self._guard = guard
        self._plants, self._moisture, self._air = books.plants, books.moisture, books.air
        self._decisions = decisions
        self._locks = locks
        self._clock = clock

    def situation(self, command: ActionCommand, actuator: BaseActuator, on_s: float) -> Situation:
        """Return everything that the interlocks look at; raises GuardUnreachableError."""
        status = self._guard.status()
        state = status["outputs"].get(actuator.actuator_id)
        if state is None:
            msg = f"it was started with another rig and does not know {actuator.actuator_id}; restart it"
            raise GuardUnreachableError(msg)
        actuator.see(state)
        budget = self._guard.budget(actuator.actuator_id)
        plant_id = actuator.descriptor.plant_id
        plant = self._plants.get(plant_id)
        mode = self._decisions.mode_of(actuator.actuator_id)
        return Situation(
            command=command,
            age_s=self._clock.wall() - command.timestamp,
            on_s=on_s,
            dose_ml=actuator.charged_ml(on_s),
            max_on_s=actuator.output.max_on_s,
            pause_s=actuator.output.pause_s,
            pause_left_s=float(state["pause_left_s"]),
            is_on=bool(state["on"] or state["desired"]),
            stopped_by=status["stopped_by"],
            is_granted=mode.mode is Mode.AUTOMATIC,
            spent_ml=budget["spent_ml"] or 0.0,
            budget_ml=budget["budget_ml"],
            reservoir_left_ml=budget["reservoir_left_ml"],
            moisture=self._moisture.estimate(plant_id or "", since_off_s(state)),
            moisture_high=plant.limits.soil_moisture_high if plant is not None else None,
            mode=mode,
            lock=self._locks.of(actuator.actuator_id),
            heat=self.heat_of(actuator),
            share_ml=self._share_ml(actuator, budget),
            on_left_s=budget.get("on_left_s"),
            load=Load(config=self._config, level=actuator.level_of(command), levels=_levels(status)),
        )

    def view(self, actuator: BaseActuator, *, is_settling: bool = False) -> PolicyView:
        """Return what a policy looks at; memory and level are the round's."""
        plant = self._plants.get(actuator.descriptor.plant_id)
        trip = self._decisions.vacation
        return PolicyView(
            actuator_id=actuator.actuator_id,
            kind=actuator.kind,
            now=self._clock.wall(),
            now_s=self._clock.monotonic(),
            zone=self._rig.zones[actuator.descriptor.zone_id],
            limits=None if plant is None else plant.limits,
            pot_volume_l=1.0 if plant is None else plant.pot_volume_l,
            moisture=self._fresh_moisture(actuator),
            air=self._air_of(actuator),
            largest_dose_ml=self._largest_ml(actuator) if isinstance(actuator, Pump) else 0.0,
            is_settling=is_settling,
            floor=None if trip is None or plant is None else floor_of(plant.limits),
        )

    def heat_of(self, actuator: BaseActuator) -> HeatSense | None:
        """Return what a heater is held by; None for everything else."""
        if actuator.kind != "heater":
            return None
        places = (actuator.descriptor.plant_id, actuator.descriptor.zone_id)
        latest = self._air.latest(Quantity.TEMPERATURE, *places)
        return HeatSense(
            temperature=None if latest is None else latest.value,
            age_s=math.inf if latest is None else latest.age_s,
            is_faulty=self._air.last_is_bad(Quantity.TEMPERATURE, *places),
            cut_off_degc=cut_off_of(actuator),
        )

    def shares(self) -> dict[str, dict[str, float]]:
        """Return what each pump's plant may get in 24 h while a vacation lasts, and what is left of it, in ml."""
        seen = {}
        for name, actuator in self._actuators.items():
            budget = self._guard.budget(name) if actuator.waters else None
            share = None if budget is None else self._share_ml(actuator, budget)
            if budget is not None and share is not None:
                left_ml = max(0.0, share - (budget["spent_ml"] or 0.0))
                seen[name] = {"share_ml": round(share, 1), "left_ml": round(left_ml, 1)}
        return seen

    def most_ml(self, pump: Pump) -> float:
        """Return the largest dose that would pass now: a policy gives a part rather than be refused the whole.

        It is what the pump gives at once, or what a vacation's share, the plant's day or the can has left.
        """
        try:
            budget = self._guard.budget(pump.actuator_id)
        except GuardUnreachableError:
            return 0.0
        left_ml = [] if budget["budget_ml"] is None else [budget["budget_ml"] - (budget["spent_ml"] or 0.0)]
        left_ml += [] if budget["reservoir_left_ml"] is None else [budget["reservoir_left_ml"]]
        share_ml = self._share_left_ml(pump, budget)
        largest_ml = pump.largest_dose_ml if share_ml is None else min(pump.largest_dose_ml, share_ml)
        if not left_ml:
            return largest_ml
        on_s = max(0.0, min(left_ml) - _ROUNDING_ML) / (pump.charged_ml(1.0) or pump.flow_ml_s)
        return min(largest_ml, pump.delivered_ml(on_s) or 0.0)

    def _largest_ml(self, pump: Pump) -> float:
        if self._decisions.vacation is None:
            return pump.largest_dose_ml
        try:
            left_ml = self._share_left_ml(pump, self._guard.budget(pump.actuator_id))
        except GuardUnreachableError:
            return 0.0
        return pump.largest_dose_ml if left_ml is None else min(pump.largest_dose_ml, left_ml)

    def longest_s(self, actuator: BaseActuator) -> float:
        """Return how long a run may last now: the output's longest, or what is left of its day."""
        try:
            left_s = self._guard.budget(actuator.actuator_id).get("on_left_s")
        except GuardUnreachableError:
            return 0.0
        longest_s = actuator.output.max_on_s
        return longest_s if left_s is None else min(longest_s, left_s)

    def light_of(self, actuator: BaseActuator) -> float | None:
        """Return the light (lux) where an actuator works, or None."""
        latest = self._air.latest(Quantity.LIGHT_INTENSITY, actuator.descriptor.plant_id, actuator.descriptor.zone_id)
        return None if latest is None else latest.value

    # -- helpers ------------------------------------------------------------------------------------------------

    def _fresh_moisture(self, actuator: BaseActuator) -> MoistureEstimate | None:
        estimate = self._moisture.estimate(actuator.descriptor.plant_id or "")
        return estimate if estimate.median is not None and estimate.age_s <= OLDEST_S else None

    def _air_of(self, actuator: BaseActuator) -> dict[Quantity, Latest]:
        places = (actuator.descriptor.plant_id, actuator.descriptor.zone_id)
        seen = {one: self._air.latest(one, *places) for one in self._air.quantities}
        seen[Quantity.SOIL_MOISTURE] = self._moisture.latest(Quantity.SOIL_MOISTURE, actuator.descriptor.plant_id)
        return {quantity: latest for quantity, latest in seen.items() if latest is not None}

    def _share_left_ml(self, actuator: BaseActuator, budget: Mapping[str, float | None]) -> float | None:
        share = self._share_ml(actuator, budget)
        return None if share is None else max(0.0, share - (budget["spent_ml"] or 0.0))

    def _share_ml(self, actuator: BaseActuator, budget: Mapping[str, float | None]) -> float | None:
        """Return what a plant may get in 24 h while a vacation lasts, if a reservoir says what it holds."""
        trip, left_ml = self._decisions.vacation, budget["reservoir_left_ml"]
        plant = self._plants.get(actuator.descriptor.plant_id)
        if trip is None or left_ml is None or plant is None:
            return None
        return share_ml(
            vacation=trip, now=self._clock.wall(), reservoir_left_ml=left_ml, spent_ml=budget["spent_ml"] or 0.0,
            volume_l=plant.pot_volume_l, all_volumes_l=self._volumes_on(actuator.output.reservoir),
        )  # fmt: skip

    def _volumes_on(self, reservoir: str | None) -> float:
        fed = {one.descriptor.plant_id for one in self._actuators.values() if one.output.reservoir == reservoir}
        pots = [plant.pot_volume_l for name in fed if (plant := self._plants.get(name)) is not None]
        return sum(pots)


def since_off_s(state: Mapping[str, Any]) -> float:
    """Return how long ago an output was on, in seconds."""
    return math.inf if state["off_for_s"] is None else float(state["off_for_s"])


def _levels(status: Mapping[str, Any]) -> dict[str, float]:
    """Return the level of every output that is on."""
    outputs = status["outputs"].items()
    return {name: float(state["level"]) or 1.0 for name, state in outputs if state["desired"] or state["on"]}


def cut_off_of(actuator: BaseActuator) -> float:
    """Return the temperature (degC) above which a heater goes off."""
    return float(getattr(actuator, "cut_off_degc", CUT_OFF_DEGC))
