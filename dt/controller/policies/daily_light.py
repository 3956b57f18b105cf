"""Light for what the day lacks: as late as possible, so that the sun may give it first, and done before the evening."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dt.controller.live_readings import OLDEST_S
from dt.controller.policies.base_policy import BasePolicy, PolicyView, Wish
from dt.controller.policies.parameters import number, text
from dt.controller.policies.wall_times import parse_wall_time, span_at
from dt.utils.exceptions import MessageError
from dt.utils.quantities import Quantity

_UMOL_PER_MOL = 1e6
_BEGINS_EARLY = 1.1  # the lamp gives a little less than it says
_STAYS_UNTIL = 0.8  # once on: of the time that is left, so that a cloud does not make it flicker


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyLightParameters:
    """The photoperiod by the zone's clock, and what the lamp gives."""

    target_mol_m2: float = number(14.0, 1.0, 60.0, "mol/m2/d", "The daily light integral that the plant should have.")
    lamp_ppfd: float = number(150.0, 5.0, 2000.0, "umol/m2/s", "What the lamp gives at the leaves at full level.")
    since: str = text("06:00", "When the day of the plant begins.")
    until: str = text("22:00", "When it ends; the lamp is off from then on.")
    level: float = number(1.0, 0.05, 1.0, "", "How strongly the lamp burns.")


def seconds_needed(deficit_mol_m2: float, ppfd: float) -> float:
    """Return how long a lamp takes for a deficit of light.

    >>> seconds_needed(1.8, 100.0)
    18000.0
    """
    return max(0.0, deficit_mol_m2) * _UMOL_PER_MOL / ppfd


class DailyLight(BasePolicy):
    """Lights when what is left of the day is just what the lamp needs."""

    name: ClassVar[str] = "daily_light"
    words: ClassVar[str] = "Adds what the day lacks of light before the plant's evening."
    kinds: ClassVar[frozenset[str]] = frozenset({"light"})
    parameters_type = DailyLightParameters

    def __init__(self, parameters: DailyLightParameters) -> None:
        self._is = parameters
        self._since = parse_wall_time(parameters.since, "parameters.since")
        self._until = parse_wall_time(parameters.until, "parameters.until")

    def check(self) -> None:
        """Refuse a day without a length."""
        if self._since == self._until:
            raise MessageError("parameters.until", f"must differ from since ({self._is.since})")

    def decide(self, view: PolicyView) -> Wish | None:
        """Return the level while the lamp is needed; None when nobody knows how much light there was."""
        span = span_at(view.now, self._since, self._until, view.zone)
        if span is None:
            return Wish(level=0.0, reason=f"the plant's night, from {self._is.until}")
        day = view.air.get(Quantity.DLI)
        if day is None or day.age_s > OLDEST_S:
            return None
        deficit = self._is.target_mol_m2 - day.value
        needed_s = seconds_needed(deficit, self._is.lamp_ppfd * self._is.level)
        left_s = span.until - view.now
        is_on = needed_s > 0 and (needed_s * _BEGINS_EARLY >= left_s or self._stays(view, needed_s, left_s))
        reason = f"{max(0.0, deficit):.1f} mol/m2 are lacking, {left_s / 3600:.1f} h of the day are left"
        return Wish(level=self._is.level if is_on else 0.0, reason=reason)

    def _stays(self, view: PolicyView, needed_s: float, left_s: float) -> bool:
        return view.level > 0 and needed_s >= left_s * _STAYS_UNTIL
