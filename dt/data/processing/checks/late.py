"""Readings that come after later ones: good, and the record says that nothing compared them with their neighbours."""

from __future__ import annotations

from dt.data.processing.arrival import Arrival
from dt.data.processing.checks.sample import Sample
from dt.utils.dataclasses import Quality, Verdict

_LATE = Quality(verdict=Verdict.GOOD, check="late", why="came after later readings: judged without its neighbours")


def late(sample: Sample) -> Quality | None:
    """Say that a reading was judged by itself alone."""
    return _LATE if sample.arrival is Arrival.LATE else None
