"""Follows the dose that a condition recommends; without a grant it only says what it would have done (S14)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from dt.controller.issuers import POLICY_ISSUER
from dt.controller.kinds.pump import Pump
from dt.controller.policies.base_policy import BasePolicy, PolicyView, Wish
from dt.utils.clock import Clock
from dt.utils.dataclasses import ActionCommand, ActionResult, AlertCondition, Command, Origin, Outcome
from dt.utils.ids import derived_id

NAME = "recommendation"
FRESH_S = 15 * 60.0
_FUTURE_S = 5.0
_AFTER_REFUSAL_S = 60.0
_MOST_CAUSES = 50
_MOST_WISHES = 1000  # of more, the one that was heard of longest ago is forgotten
_LEAST_ML = 10.0  # no pump starts for less; the gate refuses it where even that is too much, and says so
# An action runs once by its id: what was only said must not keep a grant that comes a second later from being followed.
_DONE: tuple[str, ...] = ()
_ONLY_SAID = ("recommended",)
_SETTLES_S = 2.0  # until the guard's status shows what was just submitted


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendationParameters:
    """None: the condition says how much."""


class Recommendation(BasePolicy):
    """The row of the table; conditions come by the bus, so `RecommendationPolicy` follows them by itself."""

    name: ClassVar[str] = NAME
    words: ClassVar[str] = "Follows the dose that an alert condition recommends."
    kinds: ClassVar[frozenset[str]] = frozenset({"pump"})
    parameters_type = RecommendationParameters

    def __init__(self, parameters: RecommendationParameters) -> None:
        del parameters

    def decide(self, view: PolicyView) -> Wish | None:
        """Return None: it wishes nothing by readings alone."""
        del view
        return None


@dataclass(slots=True, kw_only=True)
class _Heard:
    condition: AlertCondition
    seen_at_s: float
    done_with: str = ""
    recommended_with: str = ""
    acted_at_s: float = float("-inf")
    recommended_at_s: float = float("-inf")


class RecommendationPolicy:
    """One step at a time, from the control loop; `is_enabled` is asked by the pump's actuator_id."""

    def __init__(
        self,
        *,
        pumps: Mapping[str, Pump],
        is_granted: Callable[[str], bool],
        is_enabled: Callable[[str], bool],
        submit: Callable[[ActionCommand], ActionResult | None],
        recommend: Callable[[ActionCommand], object],
        clock: Clock,
        most_ml: Callable[[Pump], float] = lambda pump: pump.largest_dose_ml,
    ) -> None:
        self._most_ml = most_ml
        self._pumps: dict[str | None, list[Pump]] = {}  # of each plant, the last one of the rig first
        for pump in pumps.values():
            self._pumps.setdefault(pump.descriptor.plant_id, []).insert(0, pump)
        self._is_granted = is_granted
        self._is_enabled = is_enabled
        self._submit = submit
        self._recommend = recommend
        self._clock = clock
        self._lock = threading.Lock()
        self._wishes: dict[str, _Heard] = {}
        self._not_before_s: dict[str, float] = {}

    def see(self, condition: AlertCondition) -> None:
        """Take a condition into account; one that is not live, or no longer active, asks for nothing."""
        if condition.origin is not Origin.LIVE or condition.plant_id not in self._pumps:
            return
        with self._lock:
            wish = self._wishes.get(condition.key)
            now = self._clock.monotonic()
            if wish is None:
                if len(self._wishes) >= _MOST_WISHES:
                    del self._wishes[min(self._wishes, key=lambda key: self._wishes[key].seen_at_s)]
                self._wishes[condition.key] = _Heard(condition=condition, seen_at_s=now)
            elif not self._is_old_news(condition, wish.condition):
                wish.condition, wish.seen_at_s = condition, now

    def step(self, outputs: Mapping[str, Mapping[str, Any]]) -> None:
        """Do what is due; `outputs` is the guard's latest word on every output."""
        with self._lock:
            wishes = [wish for wish in self._wishes.values() if _asks_for_water(wish.condition)]
        for wish in wishes:
            pumps = self._pumps.get(wish.condition.plant_id, [])
            pump = next((one for one in pumps if self._is_enabled(one.actuator_id)), None)
            if pump is not None and self._is_fresh(wish):
                self._follow(wish, pump, outputs.get(pump.actuator_id))

    def _follow(self, wish: _Heard, pump: Pump, state: Mapping[str, Any] | None) -> None:
        now = self._clock.monotonic()
        if wish.done_with == wish.condition.correlation_id or now < self._not_before_s.get(pump.actuator_id, 0.0):
            return
        if not self._is_granted(pump.actuator_id):
            is_new = wish.recommended_with != wish.condition.correlation_id
            if is_new and now - wish.recommended_at_s >= pump.output.pause_s:
                wish.recommended_with, wish.recommended_at_s = wish.condition.correlation_id, now
                self._recommend(self._command(wish.condition, pump, _ONLY_SAID))
            return
        if state is not None and self._came_after_the_pause(wish, pump, state) and wish.seen_at_s > wish.acted_at_s:
            self._act(wish, pump, now)

    def _act(self, wish: _Heard, pump: Pump, now: float) -> None:
        wish.done_with = wish.condition.correlation_id
        result = self._submit(self._command(wish.condition, pump, _DONE))
        if result is None or result.outcome is Outcome.DONE:
            wish.acted_at_s = now
        self._not_before_s[pump.actuator_id] = now + _rests_s(result, pump)

    def _came_after_the_pause(self, wish: _Heard, pump: Pump, state: Mapping[str, Any]) -> bool:
        """Return whether the pump is free, and the wish knows what the last dose did: it came after the pause."""
        if state["desired"] or state["on"] or state["pause_left_s"]:
            return False
        if state["off_for_s"] is None:
            return True
        free_for_s = float(state["off_for_s"]) - pump.output.pause_s
        age_s = self._clock.wall() - wish.condition.timestamp
        return max(age_s, self._clock.monotonic() - wish.seen_at_s) <= free_for_s

    def _is_old_news(self, condition: AlertCondition, held: AlertCondition) -> bool:
        """Return whether the log repeats itself; what came from the future was made under a wrong clock."""
        if held.timestamp > self._clock.wall() + _FUTURE_S:
            return False
        if condition.timestamp == held.timestamp:
            return condition.active and not held.active
        return condition.timestamp < held.timestamp

    def _is_fresh(self, wish: _Heard) -> bool:
        age_s = self._clock.wall() - wish.condition.timestamp
        return -_FUTURE_S <= age_s <= FRESH_S and self._clock.monotonic() - wish.seen_at_s <= FRESH_S

    def _command(self, condition: AlertCondition, pump: Pump, how: tuple[str, ...]) -> ActionCommand:
        dose_ml = min(condition.recommended_dose_ml or 0.0, max(_LEAST_ML, self._most_ml(pump)))
        return ActionCommand(
            action_id=derived_id(
                NAME, condition.key, condition.correlation_id, pump.actuator_id, *how, at=condition.timestamp
            ),
            actuator_id=pump.actuator_id,
            plant_id=condition.plant_id,
            command=Command.DOSE,
            dose_ml=dose_ml,
            issuer=f"{POLICY_ISSUER}{NAME}",
            reason=condition.description,
            timestamp=self._clock.wall(),
            correlation_id=condition.correlation_id,
            caused_by=condition.caused_by[-_MOST_CAUSES:],
        )


def _asks_for_water(condition: AlertCondition) -> bool:
    return condition.active and bool(condition.recommended_dose_ml)


def _rests_s(result: ActionResult | None, pump: Pump) -> float:
    """Return how long to ask for nothing more: soon again for want of readings, after the pause for all else."""
    if result is None or result.outcome is Outcome.DONE:
        return _SETTLES_S
    is_for_readings = result.refusal is not None and result.refusal.invariant == "S4"
    return _AFTER_REFUSAL_S if is_for_readings else pump.output.pause_s
