"""S7: water that moves while the pump's pin is low: a siphon, a leak, a welded relay; or rain, or a person's can.

Nothing is locked out for it: a lock would not end it, and rain must not keep a plant dry.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dt.controller.books import Books
from dt.controller.condition_desk import ConditionDesk
from dt.controller.effect import noise_of
from dt.controller.effect_causes import UNASKED_ADVICE
from dt.controller.kinds.pump import Pump
from dt.controller.live_readings import OLDEST_S
from dt.controller.watch_words import condition
from dt.utils.clock import Clock
from dt.utils.dataclasses import AlertCondition, Severity

_SAMPLE_EVERY_S = 60.0
_WINDOW_S = 15 * 60.0
RISE = 0.03  # m3/m3 within the window: thirty times what warmth does to a probe meanwhile
_GOES_ON = 0.01  # m3/m3 within the window: somebody's can is empty by then
_LATELY_S, _LATELY_RISE = 5 * 60.0, 0.003  # after a can it stands still, or sinks
LASTS_S = 30 * 60.0
_AGAIN_AFTER_S = 300.0


@dataclass(slots=True, kw_only=True)
class _Seen:
    """Of one pot; times are monotonic."""

    samples: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=16))
    since_s: float | None = None
    rose_from: float = 0.0
    told_s: float | None = None


class WaterWatch:
    """Steps with the control loop; tells what goes on rising, or rises above the upper limit."""

    def __init__(
        self,
        *,
        pumps: Mapping[str, Pump],
        books: Books,
        is_settling: Callable[[str], bool],
        desk: ConditionDesk,
        clock: Clock,
    ) -> None:
        self._pumps = pumps
        self._books = books
        self._is_settling = is_settling
        self._desk = desk
        self._clock = clock
        self._seen = {name: _Seen() for name in pumps}

    def step(self, status: Mapping[str, Any]) -> None:
        """Take a sample of each quiet pot a minute, and judge them."""
        now_s = self._clock.monotonic()
        for name, pump in self._pumps.items():
            state, seen = status["outputs"].get(name), self._seen[name]
            if state is None or (seen.samples and now_s - seen.samples[-1][0] < _SAMPLE_EVERY_S):
                continue
            if state["desired"] or self._is_settling(name):
                self._seen[name] = _Seen(told_s=seen.told_s)
            else:
                self._look(pump, seen, now_s)

    def _look(self, pump: Pump, seen: _Seen, now_s: float) -> None:
        estimate = self._books.moisture.estimate(pump.descriptor.plant_id or "")
        if estimate.median is None or estimate.age_s > OLDEST_S:
            return
        seen.samples.append((now_s, estimate.median))
        rise = _rise_within(seen.samples, now_s, _WINDOW_S)
        if seen.since_s is None and rise > max(RISE, noise_of(estimate.spread)):
            seen.since_s, seen.rose_from = now_s, estimate.median - rise
        if seen.since_s is None:
            self._tell(pump, seen, estimate.median, now_s, is_on=False)
            return
        if rise < _GOES_ON:
            seen.since_s = None
        plant = self._books.plants.get(pump.descriptor.plant_id)
        is_high = plant is not None and estimate.median > plant.limits.soil_moisture_high
        is_rising = _rise_within(seen.samples, now_s, _LATELY_S) >= _LATELY_RISE
        lasts_s = LASTS_S if not is_high else _LATELY_S + _SAMPLE_EVERY_S
        is_on = is_rising and rise >= _GOES_ON and now_s - (seen.since_s or now_s) >= lasts_s
        self._tell(pump, seen, estimate.median, now_s, is_on=is_on)

    def _tell(self, pump: Pump, seen: _Seen, moisture: float, now_s: float, *, is_on: bool) -> None:
        if not is_on and seen.told_s is None:
            return
        if is_on and seen.told_s is not None and now_s - seen.told_s < _AGAIN_AFTER_S:
            return
        seen.told_s = now_s if is_on else None
        self._desk.say(self._words(pump, seen, moisture, is_on=is_on))

    def _words(self, pump: Pump, seen: _Seen, moisture: float, *, is_on: bool) -> AlertCondition:
        name, plant_id = pump.actuator_id, pump.descriptor.plant_id
        rose = f"from {seen.rose_from:.3f} to {moisture:.3f} m3/m3"
        return condition(
            pump.descriptor, f"water_without_pump:{name}", self._clock.wall(),
            severity=Severity.CRITICAL,
            is_on=is_on,
            description=f"The soil of {plant_id} gets wetter ({rose}) although {name} is off."
            if is_on
            else f"The soil of {plant_id} no longer gets wetter while {name} is off.",
            advice=UNASKED_ADVICE,
        )  # fmt: skip


def _rise_within(samples: deque[tuple[float, float]], now_s: float, seconds: float) -> float:
    recent = [value for at_s, value in samples if now_s - at_s <= seconds]
    return recent[-1] - min(recent)
