"""Times as people say them: 07:30, sunrise+00:30, sunset-01:00; in the zone's own time, daylight saving or not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from dt.plant.sun import sun_times
from dt.utils.exceptions import MessageError
from dt.utils.rig import Zone

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_SUN = re.compile(r"(sunrise|sunset)(?:([+-])(\d{1,2}):([0-5]\d))?")
_REFERENCE_DAY = date(2028, 1, 1)  # of one year for all, so that no span changes its kind at New Year
_DAYS_OF_LEAP_YEAR = 366
_HOW = "must be a time such as 07:30, sunrise, sunrise+00:30 or sunset-01:00"


@dataclass(frozen=True, slots=True, kw_only=True)
class WallTime:
    """A time of every day: minutes after `anchor`, which is midnight, sunrise or sunset."""

    anchor: str
    minutes: int

    def on(self, day: date, zone: Zone) -> float | None:
        """Return the instant (epoch seconds) of this time on a local day; None where the sun does not rise or set.

        A time that the clock skips comes as much later; one that comes twice is taken the first time.
        """
        if self.anchor == "midnight":
            wall = datetime.combine(day, time(self.minutes // 60, self.minutes % 60), ZoneInfo(zone.timezone))
            return wall.astimezone(UTC).timestamp()  # fold 0: PEP 495 maps skipped times forward, repeated to the first
        times = sun_times(day, zone.latitude, zone.longitude)
        if times is None:
            return None
        return times[0 if self.anchor == "sunrise" else 1] + self.minutes * 60.0


def parse_wall_time(text: str, name: str) -> WallTime:
    """Read a time; raises MessageError with the field's name.

    >>> parse_wall_time("sunset-01:30", "until")
    WallTime(anchor='sunset', minutes=-90)
    """
    clock = _CLOCK.fullmatch(text)
    if clock is not None:
        return WallTime(anchor="midnight", minutes=int(clock[1]) * 60 + int(clock[2]))
    sun = _SUN.fullmatch(text)
    if sun is None:
        raise MessageError(name, f"{_HOW}, not {text[:40]!r}")
    minutes = int(sun[3] or 0) * 60 + int(sun[4] or 0)
    if minutes > 12 * 60:
        raise MessageError(name, f"lies at most 12:00 from the sun's rising or setting, not {sun[3]}:{sun[4]}")
    return WallTime(anchor=sun[1], minutes=-minutes if sun[2] == "-" else minutes)


def days_around(now: float, zone: Zone) -> list[date]:
    """Return yesterday, today and tomorrow as the zone's clock has them."""
    today = datetime.fromtimestamp(now, ZoneInfo(zone.timezone)).date()
    return [today + timedelta(days=shift) for shift in (-1, 0, 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From one instant to another, and the local day on which it begins."""

    day: date
    since: float
    until: float


def span_at(now: float, since: WallTime, until: WallTime, zone: Zone) -> Span | None:
    """Return the span from `since` to its `until` in which an instant lies, or None."""
    for day in days_around(now, zone):
        span = span_of(day, since, until, zone)
        if span is not None and span.since <= now < span.until:
            return span
    return None


def span_of(day: date, since: WallTime, until: WallTime, zone: Zone) -> Span | None:
    """Return the span that begins on a local day; None where the sun, or a clock that is put forward, leaves nothing.

    It ends on the next day only where it does so by its clock times, or by the sun on every day of the year.
    """
    ends_on = day + timedelta(days=1 if is_overnight(since, until, zone) else 0)
    begins, ends = since.on(day, zone), until.on(ends_on, zone)
    if begins is None or ends is None or ends <= begins:
        return None
    return Span(day=day, since=begins, until=ends)


def is_overnight(since: WallTime, until: WallTime, zone: Zone) -> bool:
    """Return whether a span is meant to reach into the next day: never merely because the days are long just now."""
    if since.anchor == until.anchor:
        return until.minutes <= since.minutes
    return _is_overnight_all_year(since, until, zone.timezone, zone.latitude, zone.longitude)


@lru_cache(maxsize=256)
def _is_overnight_all_year(since: WallTime, until: WallTime, timezone: str, latitude: float, longitude: float) -> bool:
    place = Zone(zone_id="place", timezone=timezone, latitude=latitude, longitude=longitude)
    days = [_REFERENCE_DAY + timedelta(days=count) for count in range(_DAYS_OF_LEAP_YEAR)]
    instants = [(since.on(day, place), until.on(day, place)) for day in days]
    return all(end <= begin for begin, end in instants if begin is not None and end is not None)
