"""Readings of a clock that is wrong: bad."""

from __future__ import annotations

from dt.data.processing.checks.sample import Sample
from dt.utils.dataclasses import Origin, Quality, Verdict

AHEAD_AT_MOST_S = 300.0
EARLIEST = 1_420_070_400.0  # 2015-01-01: no reading of this product is older; clocks that lost their battery are
EARLIEST_REPLAYED = 1_104_537_600.0  # 2005-01-01: archives are older; loggers begin anew at 1970, 1980 or 2000


def clock_time(sample: Sample) -> Quality | None:
    """Refuse event times that lie ahead of the log's own time, or before there were such readings."""
    ahead_s = sample.timestamp - sample.received_at
    if ahead_s > AHEAD_AT_MOST_S:
        why = f"the reading's time is {ahead_s:.0f} s ahead of its arrival, more than {AHEAD_AT_MOST_S:.0f} s"
        return Quality(verdict=Verdict.BAD, check="clock_time", why=why)
    earliest, year = (EARLIEST_REPLAYED, 2005) if sample.origin is Origin.REPLAY else (EARLIEST, 2015)
    if sample.timestamp < earliest:
        return Quality(verdict=Verdict.BAD, check="clock_time", why=f"the reading's time is before {year}")
    return None
