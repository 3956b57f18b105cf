"""Which pictures go: all of a day are kept, then one per hour, then one per day. Pure; times in epoch seconds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

_HOUR_S, _DAY_S = 3600.0, 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FramePolicy:
    """How long all pictures are kept, then one per hour, then one per day of a time zone (0: for ever)."""

    all_hours: float = 24.0
    hourly_days: float = 14.0
    daily_days: float = 0.0
    zone: str = "UTC"


class FrameRow(NamedTuple):
    """What thinning knows of a picture."""

    row_id: int
    sensor_id: str
    timestamp: float
    sha256: str
    is_flagged: bool


class _Bucket(NamedTuple):
    """A span of time of which one picture stays."""

    since: float
    until: float


def frames_to_remove(rows: Iterable[FrameRow], now: float, policy: FramePolicy) -> list[FrameRow]:
    """Return the pictures that go; the same again on what is left removes nothing.

    Only spans that are over as a whole are thinned. Of each stays a picture without flags (dark, blurred, blocked)
    where there is one, and of equal ones the nearest to the span's middle.
    """
    spans: defaultdict[tuple[str, _Bucket], list[FrameRow]] = defaultdict(list)
    removed: list[FrameRow] = []
    for row in rows:
        day = _day_of(row.timestamp, policy.zone)
        if policy.daily_days and day.until <= now - policy.daily_days * _DAY_S:
            removed.append(row)
        elif day.until <= now - policy.hourly_days * _DAY_S:
            spans[row.sensor_id, day].append(row)
        elif (hour := _hour_of(row.timestamp)).until <= now - policy.all_hours * _HOUR_S:
            spans[row.sensor_id, hour].append(row)
    for (_sensor_id, span), candidates in spans.items():
        kept = min(candidates, key=lambda row: _badness(row, span))
        removed += [row for row in candidates if row is not kept]
    return removed


def _badness(row: FrameRow, span: _Bucket) -> tuple[bool, float, float]:
    return row.is_flagged, abs(row.timestamp - (span.since + span.until) / 2.0), row.timestamp


def _hour_of(timestamp: float) -> _Bucket:
    since = timestamp // _HOUR_S * _HOUR_S
    return _Bucket(since, since + _HOUR_S)


def _day_of(timestamp: float, zone: str) -> _Bucket:
    """Return the local day of an instant; it has 23 or 25 hours where clocks change."""
    there = ZoneInfo(zone)
    midnight = (
        datetime.fromtimestamp(timestamp, UTC).astimezone(there).replace(hour=0, minute=0, second=0, microsecond=0)
    )
    return _Bucket(midnight.timestamp(), (midnight + timedelta(days=1)).timestamp())
