"""What the sensor itself said of its reading, such as that it was at the end of its range."""

from __future__ import annotations

from dt.data.processing.checks.sample import Sample
from dt.utils.dataclasses import Quality, Verdict


def sensor_word(sample: Sample) -> Quality | None:
    """Return the collector's doubt; its praise is no reason to believe anything."""
    said = sample.said
    return None if said is None or said.verdict is Verdict.GOOD else said
