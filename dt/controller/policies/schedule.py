"""By the clock and the sun: doses at times, or an output that is on from one time to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dt.controller.policies.base_policy import BasePolicy, PolicyView, Wish
from dt.controller.policies.parameters import number, text, texts
from dt.controller.policies.wall_times import days_around, parse_wall_time, span_at
from dt.utils.dataclasses import PlantLimits
from dt.utils.exceptions import MessageError


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleParameters:
    """Times are the zone's own; `times` for pumps, `since` and `until` for everything that is held."""

    times: tuple[str, ...] = texts("When a pump doses: 07:30, sunrise+00:30, sunset-01:00.")
    dose_ml: float = number(50.0, 1.0, 2000.0, "ml", "How much each time.")
    late_min: float = number(15.0, 1.0, 120.0, "min", "How late a dose may still come; later ones are left out.")
    since: str = text("07:00", "When an output goes on.")
    until: str = text("21:00", "When it goes off; the next day's, if it is never later than `since`.")
    level: float = number(1.0, 0.05, 1.0, "", "How strongly meanwhile.")


class Schedule(BasePolicy):
    """Each time of each local day comes once, also when clocks change."""

    name: ClassVar[str] = "schedule"
    words: ClassVar[str] = "Doses at times of the day, or holds an output on between two times."
    kinds: ClassVar[frozenset[str]] = frozenset({"pump", "light", "fan", "relay"})
    parameters_type = ScheduleParameters

    def __init__(self, parameters: ScheduleParameters) -> None:
        self._is = parameters
        self._times = [(said, parse_wall_time(said, "parameters.times")) for said in parameters.times]
        self._since = parse_wall_time(parameters.since, "parameters.since")
        self._until = parse_wall_time(parameters.until, "parameters.until")

    def check(self) -> None:
        """Refuse a span without a length, and the same time twice."""
        if self._since == self._until:
            raise MessageError("parameters.until", f"must differ from since ({self._is.since})")
        doubled = {said for said in self._is.times if self._is.times.count(said) > 1}
        if doubled:
            raise MessageError("parameters.times", f"{min(doubled)} stands there twice")

    def check_use(self, kind: str, limits: PlantLimits | None) -> None:  # noqa: ARG002 - of all policies
        """Refuse a pump without a time to dose at, which would do nothing."""
        if kind == "pump" and not self._times:
            raise MessageError(
                "parameters.times", "is missing: a pump needs from 1 to 24 times such as 07:30 to dose at"
            )

    def decide(self, view: PolicyView) -> Wish | None:
        """Return the dose that is due, or the level that holds now."""
        return self._dose(view) if view.kind == "pump" else self._held(view)

    def _dose(self, view: PolicyView) -> Wish | None:
        due = [
            (at, f"{day.isoformat()} {said}")
            for day in days_around(view.now, view.zone)
            for said, wall_time in self._times
            if (at := wall_time.on(day, view.zone)) is not None and at <= view.now < at + self._is.late_min * 60.0
        ]
        done = view.memory.get("done_at", 0.0)
        open_ = sorted(one for one in due if one[0] > done)
        if not open_:
            return Wish(reason="no dose is due", memory=view.memory)
        at, key = open_[0]
        dose_ml = min(self._is.dose_ml, view.largest_dose_ml)
        return Wish(dose_ml=dose_ml, reason=f"scheduled for {key}", key=key, at=at, memory=view.memory)

    def _held(self, view: PolicyView) -> Wish | None:
        span = span_at(view.now, self._since, self._until, view.zone)
        if span is None:
            return Wish(level=0.0, reason=f"off outside {self._is.since} to {self._is.until}")
        return Wish(level=self._is.level, reason=f"on from {self._is.since} to {self._is.until}")
