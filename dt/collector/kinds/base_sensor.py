"""What every sensor is: a descriptor, one look at the chip, and the reading made of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from dt.collector.camera_spec import Picture
from dt.communication.messaging import Outgoing, outgoing
from dt.communication.topics import Topics
from dt.utils.clock import Clock
from dt.utils.dataclasses import Origin, Quality, SensorData, SensorDescriptor, Verdict
from dt.utils.exceptions import SensorError
from dt.utils.quantities import Quantity, Unit


@dataclass(frozen=True, slots=True)
class RawReading:
    """What a chip said, in the sensor's unit; `taken_at` is set when it was not just now (epoch s).

    `doubt` is why the sensor itself does not quite believe it.
    """

    value: float
    saturated: bool = False
    taken_at: float | None = None
    doubt: Quality | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What the manager adds to a look: when, which one, and whether the clock can be believed."""

    timestamp: float
    correlation_id: str
    boot_id: str
    sequence: int
    clock_synced: bool = True
    origin: Origin = Origin.LIVE


class Hardware(Protocol):
    """Where sensors get their buses and pins from: a Pi, or a simulated box."""

    @property
    def clock(self) -> Clock:
        """The machine's clock."""
        ...

    def i2c(self) -> object:
        """Return the I2C bus, with busio's own surface."""
        ...

    def pin(self, name: str) -> object:
        """Return the pin object that drivers take, by its BCM name (`GPIO4`)."""
        ...

    def switch(self, name: str) -> Switch:
        """Return a switch for what a pin gives power to, by its BCM name; it is left as it is."""
        ...

    def camera(self, name: str, options: Mapping[str, Any] | None = None) -> Camera:
        """Return a camera by its name (`camera0`, `usb0`) and its sensor's options; raises `ConfigError`."""
        ...

    def mqtt(self) -> MqttSource:
        """Return the one MQTT client; raises `SensorError` where no usable broker is set."""
        ...

    def shared(self, key: str, make: ChipMaker) -> object:
        """Return the chip that was opened under this key, or open it; several sensors may sit on one chip."""
        ...

    def forget(self, key: str) -> object:
        """Close and return the chip of this key, so that the next `shared` opens it anew; None without one."""
        ...


class ChipMaker(Protocol):
    """Opens a chip."""

    def __call__(self) -> object:
        """Open it; raises `SensorError`."""
        ...


class Switch(Protocol):
    """An output that gives power to a chip."""

    def on(self) -> None:
        """Give power."""
        ...

    def off(self) -> None:
        """Take it away."""
        ...


@dataclass(frozen=True, slots=True)
class Arrival:
    """An MQTT message as it came in: `at` in epoch seconds, and how long before that it may have been sent."""

    payload: bytes
    at: float
    may_have_waited_s: float = 0.0
    is_retained: bool = False


class Camera(Protocol):
    """Something that takes pictures."""

    def capture(self) -> Picture:
        """Take a picture; raises `SensorError`."""
        ...

    def interrupt(self) -> None:
        """End a picture that is being taken; called from another thread."""
        ...

    def close(self) -> None:
        """Let go of the camera; the next picture opens it anew."""
        ...


class MqttSource(Protocol):
    """Where sensors that are MQTT devices hear their messages."""

    @property
    def why_not(self) -> str:
        """Return why nothing can come at present; empty while the broker is there."""
        ...

    def listen(self, topic: str, hear: Callable[[Arrival], None]) -> None:
        """Hear every message of a topic from now on."""
        ...

    def unlisten(self, topic: str, hear: Callable[[Arrival], None]) -> None:
        """Hear a topic no more; the broker keeps nothing for us of one that nobody hears."""
        ...

    def start(self) -> None:
        """Connect, unless that was done: by now everybody listens who wants what the broker kept."""
        ...

    def count(self, topic: str, what: str) -> None:
        """Count what became of a message, for `GET /health`."""
        ...


class Sensor(ABC):
    """One quantity of one chip; opening it talks to the chip and may raise `SensorError`."""

    quantity: ClassVar[Quantity]
    unit: ClassVar[Unit]
    rest_s: ClassVar[float] = 0.0  # how long the chip wants to be left alone between looks

    def __init__(self, descriptor: SensorDescriptor) -> None:
        self.descriptor = descriptor

    @classmethod
    @abstractmethod
    def open(cls, descriptor: SensorDescriptor, hardware: Hardware) -> Sensor:
        """Open the chip that the descriptor names; raises `SensorError`."""

    @classmethod  # noqa: B027 - most sensors leave nothing behind
    def leave(cls, descriptor: SensorDescriptor, hardware: Hardware) -> None:
        """Let go of what outlives `close`, when the rig has the sensor no more."""

    @property
    def pause_s(self) -> float:
        """How long after a look's begin, or after a miss, this sensor is not looked at again."""
        return self.rest_s

    @property
    def topic(self) -> Topics:
        """The channel that this sensor's readings belong to."""
        return Topics.of(self.quantity)

    @abstractmethod
    def read_sensor(self) -> RawReading:
        """Take one look at the chip; raises `SensorError` when it gives no usable value."""

    def process_data(self, raw: RawReading, stamp: Stamp) -> SensorData:
        """Turn a look into the reading that is published."""
        return SensorData(
            sensor_id=self.descriptor.sensor_id,
            data_type=self.quantity,
            value=raw.value,
            unit=self.unit,
            timestamp=stamp.timestamp,
            correlation_id=stamp.correlation_id,
            zone_id=self.descriptor.zone_id,
            plant_id=self.descriptor.plant_id,
            boot_id=stamp.boot_id,
            sequence=stamp.sequence,
            clock_synced=stamp.clock_synced,
            quality=_SATURATED if raw.saturated else raw.doubt,
            origin=stamp.origin,
        )

    def outgoing(self, raw: RawReading, stamp: Stamp) -> Outgoing:
        """Return the record that carries a look to the raw topic."""
        return outgoing(self.topic.raw, self.process_data(raw, stamp), self.descriptor.zone_id)

    def earlier(self) -> Sequence[RawReading]:
        """Return, once, readings of earlier times that came in before the last look's, oldest first."""
        return ()

    def interrupt(self) -> None:  # noqa: B027 - most looks take no time
        """End a look that waits for something; called from another thread, when the manager stops."""

    def close(self) -> None:  # noqa: B027 - most chips have nothing to let go
        """Let go of the chip."""


_SATURATED = Quality(verdict=Verdict.SUSPECT, check="saturation", why="the sensor is at the end of its range")


@contextmanager
def chip_errors(chip: str) -> Iterator[None]:
    """Turn what drivers raise (`OSError`, `RuntimeError`, `ValueError`) into `SensorError` that names the chip."""
    try:
        yield
    except SensorError:
        raise
    except (OSError, RuntimeError, ValueError) as error:
        msg = f"{chip}: {error}"
        raise SensorError(msg) from error
