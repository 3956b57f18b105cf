"""Raw counts to a quantity: straight lines between the points that a person measured."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import msgspec

from dt.utils.dataclasses import SensorDescriptor
from dt.utils.exceptions import MessageError
from dt.utils.quantities import NEEDS_CALIBRATION, QUANTITIES

MOST_VERSIONS = 2**31
_MOST_POINTS = 1000
_HIGHEST_COUNT = 65_535.0  # converters of up to 16 bits; the seesaw probe's touch engine has 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Counts, ascending, with the value that each stands for; outside them the last line goes on."""

    version: int
    counts: tuple[float, ...]
    values: tuple[float, ...]

    def apply(self, count: float) -> float:
        """Return the value that a count stands for.

        >>> soil = Calibration(version=1, counts=(320.0, 600.0, 1000.0), values=(0.02, 0.25, 0.60))
        >>> round(soil.apply(460.0), 3), round(soil.apply(1000.0), 3), round(soil.apply(1040.0), 3)
        (0.135, 0.6, 0.635)
        """
        after = min(max(bisect_right(self.counts, count), 1), len(self.counts) - 1)
        low, high = self.counts[after - 1], self.counts[after]
        start, end = self.values[after - 1], self.values[after]
        return start + (end - start) * (count - low) / (high - low)

    @property
    def slope(self) -> float:
        """Return the mean value of a count, from the first point to the last."""
        return (self.values[-1] - self.values[0]) / (self.counts[-1] - self.counts[0])

    def covers(self, count: float) -> bool:
        """Return whether a count lies between the measured points."""
        return self.counts[0] <= count <= self.counts[-1]


def parse_calibration(data: Mapping[str, Any]) -> Calibration:
    """Read `{"version": 1, "points": [[count, value], ...]}`; raises MessageError naming the part that is wrong."""
    try:
        version = msgspec.convert(data.get("version", 1), int)
    except msgspec.ValidationError as error:
        raise MessageError("calibration.version", str(error)) from error
    try:
        points = msgspec.convert(data.get("points"), list[tuple[float, float]])
    except msgspec.ValidationError as error:
        raise MessageError("calibration.points", f"must be pairs of count and value: {error}") from error
    if not 2 <= len(points) <= _MOST_POINTS:
        raise MessageError("calibration.points", f"must be from 2 to {_MOST_POINTS} pairs, not {len(points)}")
    counts, values = zip(*points, strict=True)
    if any(later <= earlier for earlier, later in pairwise(counts)):
        raise MessageError("calibration.points", "must have ascending counts, each once")
    return Calibration(version=version, counts=counts, values=values)


def require_calibration(sensor: SensorDescriptor) -> None:
    """Refuse a calibration that cannot be of this sensor: MessageError names the part and its limit.

    Points must lie within what converters count and what the quantity can be, in its canonical unit.
    """
    if sensor.calibration is None:
        return
    _require_counts(sensor)
    made = parse_calibration(sensor.calibration)
    if not 0 <= made.version < MOST_VERSIONS:
        raise MessageError("calibration.version", f"must be from 0 to {MOST_VERSIONS - 1}, not {made.version}")
    spec = QUANTITIES[sensor.data_type]
    for what, numbers, low, high in (
        ("counts", made.counts, 0.0, _HIGHEST_COUNT),
        (f"values of {sensor.data_type}", made.values, spec.low, spec.high),
    ):
        wrong = next((number for number in numbers if not low <= number <= high), None)
        if wrong is not None:
            unit = "" if what == "counts" else f" {spec.unit}"
            why = f"must have {what} from {low:g} to {high:.6g}{unit}, and has {wrong:g}"
            raise MessageError("calibration.points", why)


def _require_counts(sensor: SensorDescriptor) -> None:
    """Refuse a calibration where nothing is counted: it would never be applied."""
    counted = sorted(quantity for quantity, _unit in NEEDS_CALIBRATION)
    if sensor.data_type not in counted:
        raise MessageError("calibration", f"is for raw counts of {', '.join(counted)}, not for {sensor.data_type}")
    unit = sensor.options.get("unit")
    if isinstance(unit, str) and (sensor.data_type, unit) not in NEEDS_CALIBRATION:
        raise MessageError("calibration", f"is for raw counts, and this sensor's unit is {unit[:40]}")
