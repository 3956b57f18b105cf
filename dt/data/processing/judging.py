"""A raw reading into a zone: converted, judged beside its series, and remembered there."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from dt.data.processing.arrival import Arrival
from dt.data.processing.checks import Sample, judge, judge_previous
from dt.data.processing.checks.step import unexplained
from dt.data.processing.course import Course
from dt.data.processing.neighbourhood import PERSISTS_S, Neighbourhood
from dt.data.processing.sensor_book import SensorEntry
from dt.data.processing.thresholds import thresholds_of
from dt.data.processing.zone_state import Zone
from dt.utils.codec import LARGEST_INTEGER
from dt.utils.dataclasses import Origin, Quality, SensorData, Verdict
from dt.utils.quantities import NEEDS_CALIBRATION, QUANTITIES, Unit, to_canonical

LATE_AFTER_S = 60.0
_AGREES = 0.25  # of what is unexplained: far nearer to the others than to where the step led from
_AGREES_AT_MOST = 0.5  # of what sets two sensors of one air apart


class Judged(NamedTuple):
    """A reading with its verdict, how it came, its sensor's pause, and the one before where that must be corrected."""

    reading: SensorData
    quality: Quality
    arrival: Arrival
    cadence_s: float
    corrected: SensorData | None = None


class _Measured(NamedTuple):
    """A value in the unit that it is stored in, and the version of the calibration that made it of counts."""

    value: float
    unit: Unit
    calibration: int | None = None


def judged(raw: SensorData, received_at: float, entry: SensorEntry | None, zone: Zone) -> Judged | None:
    """Return what becomes of a raw reading; None of one that was taken already. Raises MessageError."""
    measured = _converted(raw, entry)
    course = zone.course_of(raw)
    arrival = course.arrival_of(raw)
    if arrival is Arrival.REPEATED:  # what became of it was committed together with the state that knows it
        return None
    scale = measured.unit if measured.calibration is None else f"{measured.unit}:{measured.calibration}"
    if scale != course.scale and arrival is Arrival.NEXT:
        course.begin_level(scale)
    sample = _sample(raw, measured, received_at, entry, zone, course, arrival)
    quality = judge(sample)
    reading = _reading(raw, sample, quality, measured.calibration)
    corrected = None
    if quality.check == "clock_time" and quality.verdict is Verdict.BAD:
        pass  # the instant is nobody's: it says nothing of the series
    elif arrival is Arrival.NEXT:
        if quality.verdict is not Verdict.BAD:
            corrected = _corrected(course, judge_previous(sample))
            course.advance(reading, sample.raw_value, _even(sample), sample.limits, sample.offset)
        course.note(reading, quality)
    elif arrival is Arrival.BACK:
        course.note_back(reading)
    elif raw.boot_id == course.boot_id:
        course.note_number(reading)
    return Judged(reading, quality, arrival, course.cadence_s, corrected)


def _sample(
    raw: SensorData,
    measured: _Measured,
    received_at: float,
    entry: SensorEntry | None,
    zone: Zone,
    course: Course,
    arrival: Arrival,
) -> Sample:
    value, unit, version = measured
    limits = thresholds_of(raw.data_type, unit)
    elapsed_s = change = offset = 0.0
    apart = None
    if arrival is Arrival.NEXT:
        if course.count:
            elapsed_s, change = raw.timestamp - course.at, value - course.value
            offset = unexplained(course, limits, change, elapsed_s, raw.timestamp)
        likely = limits.plausible
        if limits.pair is not None and likely is not None and likely[0] <= value <= likely[1]:
            group = zone.group_at("|".join((raw.data_type, raw.plant_id or "", raw.origin)))
            if offset and course.offset and _is_confirmed(group, raw, value, course, offset, limits.pair):
                offset = 0.0
            apart = group.accept(raw.sensor_id, raw.timestamp, value, limits.pair)
    return Sample(
        raw.data_type,
        value,
        unit,
        raw.value,
        raw.timestamp,
        received_at,
        entry is not None,
        entry.calibration_at(raw.timestamp) if entry is not None and version is not None else None,
        raw.origin,
        raw.quality,
        limits,
        arrival,
        course,
        elapsed_s,
        change,
        offset,
        apart,
    )


def _even(sample: Sample) -> float:
    return sample.value if sample.calibration is None else sample.raw_value * sample.calibration.slope


def _is_confirmed(
    group: Neighbourhood, raw: SensorData, value: float, course: Course, offset: float, margin: float
) -> bool:
    """Return whether other sensors of this air have long agreed with a level that was reached by a step.

    A value that has not changed since then says nothing: they may have come across a plateau.
    """
    within = min(_AGREES * abs(offset), _AGREES_AT_MOST * margin)
    since = group.agrees_since(raw.sensor_id, raw.timestamp, value, within, course.offset_at)
    return since is not None and raw.timestamp - since >= PERSISTS_S and course.run_since > since


def _corrected(course: Course, finding: Quality | None) -> SensorData | None:
    """Return the reading before this one with its new verdict; a worse one stays."""
    before, known = course.doubted, course.quality
    if finding is None or before is None or known is None or known.verdict is not Verdict.GOOD:
        return None
    return replace(before, quality=finding, revision=min(before.revision + 1, LARGEST_INTEGER))


def _reading(raw: SensorData, sample: Sample, quality: Quality, calibration: int | None) -> SensorData:
    return SensorData(
        sensor_id=raw.sensor_id,
        data_type=raw.data_type,
        value=sample.value,
        unit=sample.unit,
        timestamp=raw.timestamp,
        correlation_id=raw.correlation_id,
        zone_id=raw.zone_id,
        plant_id=raw.plant_id,
        boot_id=raw.boot_id,
        sequence=raw.sequence,
        clock_synced=raw.clock_synced,
        raw_value=raw.value if raw.raw_value is None else raw.raw_value,
        quality=quality,
        calibration=calibration,
        caused_by=raw.caused_by,
        late=sample.arrival is Arrival.LATE
        or (raw.origin is Origin.LIVE and sample.received_at - raw.timestamp > LATE_AFTER_S),
        revision=raw.revision,
        schema=raw.schema,
        origin=raw.origin,
    )


def _converted(raw: SensorData, entry: SensorEntry | None) -> _Measured:
    """Return the value in its canonical unit; counts stay counts where no calibration reads them."""
    if (raw.data_type, raw.unit) not in NEEDS_CALIBRATION:
        return _Measured(*to_canonical(raw.data_type, raw.value, raw.unit))
    calibration = None if entry is None else entry.calibration_at(raw.timestamp)
    if calibration is None:
        return _Measured(raw.value, raw.unit)
    return _Measured(calibration.apply(raw.value), QUANTITIES[raw.data_type].unit, calibration.version)
