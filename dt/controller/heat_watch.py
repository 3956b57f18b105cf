"""S8: heaters that are on without effect, without a sensor, or too hot, and those that heat while they are off."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dt.controller.effect import slope_of
from dt.controller.interlocks.heater_sensor import OLDEST_S
from dt.controller.kinds.base_actuator import BaseActuator
from dt.controller.locks import LockOut, Locks
from dt.controller.situation import HeatSense
from dt.utils.clock import Clock

RISES_WITHIN_S = 15 * 60.0
LEAST_RISE_K = 0.3  # three steps of a DHT22
_COLD_AFTER_S = 15 * 60.0  # off for so long: a start from which the temperature has to rise
_JUDGED_FROM_LEVEL = 0.5
_MOST_FALL_K = 2.0
COOLS_WITHIN_S = 10 * 60.0  # what is stored in a heater goes on warming the air for a while
_WATCHED_FOR_S = 60 * 60.0
STUCK_RISE_K = 1.5
_BRIGHTER = 1.5
_SAMPLE_EVERY_S = 60.0
_LOOKS_EVERY_S = 1.0

_LOOK = "See whether the heater is warm, and whether the thermometer hangs where it should; then release the heater."
_PULL = "Take the heater off its supply now: its relay may be welded on."


@dataclass(slots=True, kw_only=True)
class _Seen:
    """Of one heater; times are monotonic, temperatures in degC."""

    samples: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=30))
    began_s: float | None = None
    start_degc: float = 0.0
    drift_per_s: float = 0.0
    is_proven: bool = False
    off_s: float | None = None
    cooled_degc: float | None = None
    light: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with a heater: value and limit, in words, and what to do."""

    why: str
    value: float
    limit: float
    advice: str


def why_off_now(heat: HeatSense) -> Fault | None:
    """Return why a heater that is on has to go off at once, or None."""
    if heat.temperature is None or heat.is_faulty:
        why = (
            "it was on, and the last temperature was not good" if heat.is_faulty else "it was on without a temperature"
        )
        return Fault(why=why, value=0.0, limit=1.0, advice=_LOOK)
    if heat.age_s > OLDEST_S:
        why = f"it was on, and the newest temperature was {heat.age_s:.0f} s old (at most {OLDEST_S:.0f} s)"
        return Fault(why=why, value=round(heat.age_s, 1), limit=OLDEST_S, advice=_LOOK)
    if heat.temperature > heat.cut_off_degc:
        why = f"it was on at {heat.temperature:.1f} degC, above its cut-off of {heat.cut_off_degc:g} degC"
        return Fault(why=why, value=heat.temperature, limit=heat.cut_off_degc, advice=_LOOK)
    return None


def why_no_effect(seconds: float, rise_k: float, drift_per_s: float, *, is_proven: bool) -> Fault | None:
    """Return why a heater at half its power or more has no effect, or None; cooling before it counts in its favour.

    >>> why_no_effect(900.0, 0.0, 0.0, is_proven=False) is None, why_no_effect(900.0, 0.5, 0.0, is_proven=False)
    (False, None)
    """
    rise = rise_k - min(0.0, drift_per_s) * seconds
    if not is_proven and seconds >= RISES_WITHIN_S and rise < LEAST_RISE_K:
        why = f"it was on for {seconds / 60:.0f} min, and the air warmed by {rise:.2f} K (at least {LEAST_RISE_K:g} K)"
        return Fault(why=why, value=round(rise, 3), limit=LEAST_RISE_K, advice=_LOOK)
    if seconds >= RISES_WITHIN_S and rise < -_MOST_FALL_K:
        why = f"it was on, and the temperature fell by {-rise:.1f} K (at most {_MOST_FALL_K:g} K)"
        return Fault(why=why, value=round(rise, 3), limit=-_MOST_FALL_K, advice=_LOOK)
    return None


class HeatWatch:
    """Steps with the control loop: switches off first, locks out, then others say so."""

    def __init__(
        self,
        *,
        heaters: Mapping[str, BaseActuator],
        sense: Callable[[BaseActuator], HeatSense | None],
        light_of: Callable[[BaseActuator], float | None],
        switch_off: Callable[[str, str], None],
        locks: Locks,
        clock: Clock,
    ) -> None:
        self._heaters = heaters
        self._sense = sense
        self._light_of = light_of
        self._switch_off = switch_off
        self._locks = locks
        self._clock = clock
        self._seen = {name: _Seen() for name in heaters}
        self._next_s = float("-inf")

    def step(self, status: Mapping[str, Any]) -> None:
        """Look once a second at every heater."""
        now_s = self._clock.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + _LOOKS_EVERY_S
        for name, heater in self._heaters.items():
            state, heat = status["outputs"].get(name), self._sense(heater)
            if state is not None and heat is not None:
                self._look(heater, state, heat, now_s)

    def _look(self, heater: BaseActuator, state: Mapping[str, Any], heat: HeatSense, now_s: float) -> None:
        seen, is_on = self._seen[heater.actuator_id], bool(state["desired"] or state["on"])
        fault = self._while_on(seen, state, heat, now_s) if is_on else self._while_off(heater, seen, heat, now_s)
        if heat.temperature is not None and (not seen.samples or now_s - seen.samples[-1][0] >= _SAMPLE_EVERY_S):
            seen.samples.append((now_s, heat.temperature))
        if fault is not None:
            self._lock_out(heater, fault, is_on=is_on)
            seen.began_s = seen.off_s = None

    def _while_on(self, seen: _Seen, state: Mapping[str, Any], heat: HeatSense, now_s: float) -> Fault | None:
        fault = why_off_now(heat)
        if fault is not None or heat.temperature is None:
            return fault
        if seen.began_s is None:
            self._begin(seen, heat.temperature, now_s)
        seen.cooled_degc = None
        if float(state.get("level", 1.0)) < _JUDGED_FROM_LEVEL:
            seen.began_s, seen.start_degc, seen.drift_per_s = now_s, heat.temperature, 0.0
            return None
        seconds, rise_k = now_s - (seen.began_s or now_s), heat.temperature - seen.start_degc
        fault = why_no_effect(seconds, rise_k, seen.drift_per_s, is_proven=seen.is_proven)
        if rise_k >= LEAST_RISE_K:
            seen.is_proven = True
        return fault

    @staticmethod
    def _begin(seen: _Seen, degc: float, now_s: float) -> None:
        is_cold = seen.off_s is None or now_s - seen.off_s >= _COLD_AFTER_S
        seen.is_proven = seen.is_proven and not is_cold
        seen.began_s, seen.start_degc = now_s, degc
        seen.drift_per_s = slope_of(list(seen.samples)[-15:]) if is_cold else 0.0
        seen.off_s = None

    def _while_off(self, heater: BaseActuator, seen: _Seen, heat: HeatSense, now_s: float) -> Fault | None:
        """Return a fault when the air goes on warming long after the heater went off, and no more light explains it."""
        if seen.began_s is not None:
            seen.began_s, seen.off_s, seen.cooled_degc = None, now_s, None
        off_for_s = float("inf") if seen.off_s is None else now_s - seen.off_s
        if not COOLS_WITHIN_S <= off_for_s <= _WATCHED_FOR_S or heat.temperature is None or heat.age_s > OLDEST_S:
            return None
        if seen.cooled_degc is None:
            seen.cooled_degc, seen.light = heat.temperature, self._light_of(heater)
            return None
        rise_k, light = heat.temperature - seen.cooled_degc, self._light_of(heater)
        if rise_k < STUCK_RISE_K or (
            light is not None and seen.light is not None and light > _BRIGHTER * seen.light + 100
        ):
            return None
        why = f"it is off, and the air went on warming by {rise_k:.1f} K (at most {STUCK_RISE_K:g} K)"
        return Fault(why=why, value=round(rise_k, 2), limit=STUCK_RISE_K, advice=f"{_PULL} {_LOOK}")

    def _lock_out(self, heater: BaseActuator, fault: Fault, *, is_on: bool) -> None:
        name = heater.actuator_id
        if is_on:
            self._switch_off(name, f"S8: {fault.why}")
        self._locks.lock(
            LockOut(
                actuator_id=name, invariant="S8", why=fault.why, since=self._clock.wall(), value=fault.value,
                limit=fault.limit, advice=fault.advice,
            )
        )  # fmt: skip
