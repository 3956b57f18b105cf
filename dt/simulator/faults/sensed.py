"""Faults of what a chip senses: the soil around a probe (F10, F12), too much light (F8), a failing element (F11)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from dt.simulator.faults.desk import FaultDesk
from dt.simulator.faults.order import Fault
from dt.simulator.sensing import Placement
from dt.utils.quantities import Quantity

_DAY_S = 86_400.0
# What F11's `size` is a part of, in the chip's unit.
_RANGES: Mapping[Quantity, float] = {
    Quantity.TEMPERATURE: 40.0,
    Quantity.HUMIDITY: 100.0,
    Quantity.SOIL_MOISTURE: 715.0,
    Quantity.SOIL_TEMPERATURE: 40.0,
    Quantity.LIGHT_INTENSITY: 20_000.0,
}
_NOISE_SHARE = 0.1


class FaultySenses:
    """What the faults of one chip's sensors do to what it senses."""

    def __init__(self, sensor_ids: Mapping[Quantity, str], desk: FaultDesk, now: Callable[[], float]) -> None:
        self._sensor_ids = dict(sensor_ids)
        self._desk = desk
        self._now = now

    def placed(self, placement: Placement) -> Placement:
        """Return how the probe really sits (F10)."""
        for fault in self._desk.active(self._now(), self._sensor_ids.values()):
            if fault.fault != "F10":
                continue
            mode = fault.word("mode")
            if mode == "pulled_out":
                placement = replace(placement, is_out=True)
            elif mode == "air_gap":
                placement = replace(placement, air_share=max(placement.air_share, fault.number("gap")))
            elif mode == "moved":
                placement = replace(placement, depth=fault.number("depth"), inserted_s=fault.since)
        return placement

    def felt(self, quantity: Quantity, value: float, wetness: float) -> float:
        """Return what is sensed instead (F8, F10 drift, F11, F12)."""
        now_s = self._now()
        for fault in self._desk.active(now_s, self._sensor_ids.values()):
            if fault.fault == "F8" and quantity is Quantity.LIGHT_INTENSITY:
                value = max(value, fault.number("lux"))
            elif fault.fault == "F10" and fault.word("mode") == "drift" and quantity is Quantity.SOIL_MOISTURE:
                value += fault.number("counts_per_day") * (now_s - fault.since) / _DAY_S
            elif fault.fault == "F12":
                value += _swing(fault, quantity, now_s)
            elif fault.fault == "F11" and self._sensor_ids.get(quantity) == fault.target:
                value = self._failing(fault, quantity, value, wetness)
        return value

    def _failing(self, fault: Fault, quantity: Quantity, value: float, wetness: float) -> float:
        mode, size = fault.word("mode"), fault.number("size") * _RANGES.get(quantity, 1.0)
        if mode == "stuck":
            return self._desk.held(fault, value)
        if mode == "jump":
            return value + size
        if mode == "spike":
            return value + size if self._desk.strikes(fault) else value
        dryness = 1.0 - wetness if quantity is Quantity.SOIL_MOISTURE else 1.0
        return value + self._desk.chance(fault).gauss(0.0, abs(size) * _NOISE_SHARE * (0.2 + 0.8 * dryness))


def _swing(fault: Fault, quantity: Quantity, now_s: float) -> float:
    """The sun warms the probe, in a half sine from the fault's begin on, once a day."""
    swing_k = fault.number("swing_k") * max(0.0, math.sin(math.tau * (now_s - fault.since) / _DAY_S))
    if quantity is Quantity.SOIL_MOISTURE:
        return fault.number("counts_per_k") * swing_k
    return swing_k if quantity is Quantity.SOIL_TEMPERATURE else 0.0
