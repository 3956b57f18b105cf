"""S7: soil that got wetter at once although no pump ran: a can, rain, a probe that was moved, or a relay that stuck.

A welded relay empties a can within minutes, and then nothing goes on rising: who waits for that hears of it too late.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dt.controller.books import Books
from dt.controller.condition_desk import ConditionDesk
from dt.controller.effect import noise_of
from dt.controller.kinds.pump import Pump
from dt.controller.live_readings import OLDEST_S
from dt.controller.watch_words import condition
from dt.utils.clock import Clock
from dt.utils.dataclasses import AlertCondition, Severity

RISE = 0.05  # m3/m3 within the window: twice what warmth does to a probe in hours
LASTS_S = 6 * 3600.0  # so long it is told
_WINDOW_S = 20 * 60.0
_SAMPLE_EVERY_S = 60.0
_AGAIN_AFTER_S = 300.0
_ADVICE = (
    "If somebody watered by hand or it rained, nothing needs doing. Else look at the pump, for its relay may stick, at "
    "the hose, for a siphon or a leak, and whether the probe was moved."
)


@dataclass(slots=True, kw_only=True)
class _Seen:
    """Of one pot; times are monotonic."""

    samples: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=21))
    since_s: float | None = None
    told_s: float = float("-inf")
    words: str = ""
    severity: Severity = Severity.INFO


class RiseWatch:
    """Steps with the control loop; tells a rise once it is there, and for some hours after."""

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
        """Take a sample of each pot a minute while its pump rests, and say what is to be said."""
        now_s = self._clock.monotonic()
        for name, pump in self._pumps.items():
            state, seen = status["outputs"].get(name), self._seen[name]
            if state is None:
                continue
            if state["desired"] or self._is_settling(name):
                seen.samples.clear()
            elif not seen.samples or now_s - seen.samples[-1][0] >= _SAMPLE_EVERY_S:
                self._look(pump, seen, now_s)
            self._tell(pump, seen, now_s)

    def _look(self, pump: Pump, seen: _Seen, now_s: float) -> None:
        estimate = self._books.moisture.estimate(pump.descriptor.plant_id or "")
        if estimate.median is None or estimate.age_s > OLDEST_S:
            return
        seen.samples.append((now_s, estimate.median))
        lowest = min(value for at_s, value in seen.samples if now_s - at_s <= _WINDOW_S)
        if estimate.median - lowest < max(RISE, noise_of(estimate.spread)):
            return
        plant = self._books.plants.get(pump.descriptor.plant_id)
        is_high = plant is not None and estimate.median > plant.limits.soil_moisture_high
        seen.severity = Severity.WARNING if is_high else Severity.INFO
        seen.words = (
            f"The soil of {pump.descriptor.plant_id} got wetter from {lowest:.3f} to {estimate.median:.3f} m3/m3 while "
            f"{pump.actuator_id} was off{', and is above its upper limit' if is_high else ''}."
        )
        seen.since_s, seen.told_s = now_s, float("-inf")
        seen.samples.clear()

    def _tell(self, pump: Pump, seen: _Seen, now_s: float) -> None:
        if seen.since_s is None or now_s - seen.told_s < _AGAIN_AFTER_S:
            return
        is_on = now_s - seen.since_s < LASTS_S
        seen.told_s = now_s
        self._desk.say(self._words(pump, seen, is_on=is_on))
        if not is_on:
            seen.since_s = None

    def _words(self, pump: Pump, seen: _Seen, *, is_on: bool) -> AlertCondition:
        over = f"The soil of {pump.descriptor.plant_id} got no wetter by itself in the last hours."
        return condition(
            pump.descriptor, f"soil_rise:{pump.actuator_id}", self._clock.wall(),
            severity=seen.severity, is_on=is_on, description=seen.words if is_on else over, advice=_ADVICE,
        )  # fmt: skip
