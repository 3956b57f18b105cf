"""One sensor's place in the schedule: its slots, its chip while that is open, and what it misses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from dt.collector.kinds.base_sensor import Sensor
from dt.collector.sensor_health import SensorHealth
from dt.collector.slots import Slots
from dt.utils.dataclasses import SensorDescriptor


def _nothing() -> None:
    """Most sensors leave nothing behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorSource:
    """A sensor that is declared: how to open it, and the chip (`lane`) whose sensors are read one after the other.

    `leave` lets go of what outlives its closing, when it is declared no more.
    """

    descriptor: SensorDescriptor
    open: Callable[[], Sensor]
    lane: str
    leave: Callable[[], None] = _nothing


@dataclass(slots=True)
class Turn:
    """Everything about one declared sensor at run time; only its lane reads or closes the chip."""

    source: SensorSource
    slots: Slots
    due_s: float
    next_number: int = 0  # of the first slot whose reading is neither taken nor told missing
    sensor: Sensor | None = None
    health: SensorHealth = field(default_factory=SensorHealth)
    reported_s: float = float("-inf")
    gap_told_s: float = float("-inf")

    @classmethod
    def begun(cls, source: SensorSource, now_s: float, first: int = 0) -> Turn:
        """Return a sensor whose first reading is due now."""
        slots = Slots(source.descriptor.read_interval, now_s, first)
        return cls(source, slots, now_s, first, gap_told_s=now_s)

    @property
    def sensor_id(self) -> str:
        """The sensor's name."""
        return self.source.descriptor.sensor_id

    def number_after(self, now_s: float) -> int:
        """Return which number a successor begins with: the slot that is running, unless it has its reading."""
        return max(self.next_number, self.slots.at(now_s))

    def successor(self, source: SensorSource, now_s: float) -> Turn:
        """Return the same sensor, declared otherwise: numbers go on, and a cadence that is the same keeps its grid."""
        if source.descriptor.read_interval == self.source.descriptor.read_interval:
            return Turn(source, self.slots, max(self.due_s, now_s), self.next_number, gap_told_s=self.gap_told_s)
        return Turn.begun(source, now_s, self.number_after(now_s))
