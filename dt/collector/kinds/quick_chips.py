"""The sensors on simulated chips that answer at once, for lockstep runs: no driver sleeps, all else is their own.

What a driver does between the bus and a number is repeated here in a few lines; plausibility, medians, doubts and the
reading that is made of them are those of the kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self

from dt.collector.hardware import SimulatedHardware
from dt.collector.kinds import load_kind
from dt.collector.kinds.base_sensor import ChipMaker, Hardware, Sensor, chip_errors
from dt.collector.kinds.dht22 import Dht22
from dt.collector.kinds.light_intensity import DEFAULT_ADDRESS, DEFAULT_TIME, LightSensor
from dt.collector.kinds.seesaw import SoilProbe, degc_of
from dt.collector.sensor_turn import SensorSource
from dt.communication.wire import Wire
from dt.utils.clock import Clock
from dt.utils.dataclasses import SensorDescriptor

_MOISTURE, _TEMPERATURE = b"\x0f\x10", b"\x00\x04"  # module and register of the seesaw's soil firmware
_GARBAGE_COUNTS, _MOST_COUNTS, _TRIES = 0xFFFF, 4095, 5  # adafruit_seesaw reads up to five times what is above 4095
_FLOATING_BUS = b"\xff\xff\xff\xff"
_START_US, _MOST_PULSES, _ONE_US = 18_000, 81, 51  # adafruit_dht: a high pulse longer than 51 us is a one
_BYTES = 5
_MODES = {"high": (0x21, 2.4), "mid": (0x20, 1.2), "low": (0x23, 1.2)}  # BH1750 one-time opcodes, counts per lux


class QuickHardware(SimulatedHardware):
    """A simulated rig whose soil probes and DHT22s are read without their drivers."""

    def __init__(self, wire: Wire, clock: Clock) -> None:
        super().__init__(wire, clock=clock)
        self._line = wire
        self._clock = clock

    def shared(self, key: str, make: ChipMaker) -> object:
        """Return the chip of this key; a quick one where there is one."""
        kind, _, place = key.partition(":")
        if kind == "seesaw":
            return super().shared(key, partial(QuickProbe, self._line, int(place, 16)))
        if kind == "dht22":
            return super().shared(key, partial(QuickDht22, self._line, place, self._clock))
        return super().shared(key, make)


class QuickProbe(SoilProbe):
    """A seesaw probe, register by register."""

    def __init__(self, wire: Wire, address: int) -> None:
        self._name = f"soil probe at {address:#04x}"
        self._wire = wire
        self._address = address
        self._register_name = b""
        with chip_errors(self._name):
            self._point_at(_MOISTURE)

    def counts(self) -> tuple[float, bool]:
        """Return raw counts, and whether they are at the end of the range."""
        with chip_errors(self._name):
            return super().counts()

    def degc(self) -> float:
        """Return the chip's own temperature."""
        with chip_errors(self._name):
            return super().degc()

    def _look_at_counts(self) -> float:
        for _ in range(_TRIES):
            counts = int.from_bytes(self._register(_MOISTURE, 2), "big")
            if counts <= _MOST_COUNTS:
                return counts
        return _GARBAGE_COUNTS

    def _look_at_degc(self) -> float:
        register = self._register(_TEMPERATURE, 4)
        return float("inf") if register == _FLOATING_BUS else degc_of(register)

    def _register(self, name: bytes, count: int) -> bytes:
        """Read a register; one that was read last is pointed at already."""
        if name != self._register_name:
            self._point_at(name)
        return self._wire.i2c(self._address, b"", count)

    def _point_at(self, name: bytes) -> None:
        self._register_name = b""
        self._wire.i2c(self._address, name, 0)
        self._register_name = name


class QuickDht22(Dht22):
    """A DHT22 whose pulses are decoded here."""

    def __init__(self, wire: Wire, name: str, clock: Clock) -> None:
        super().__init__(None, name, clock, driver=_Pulses(wire, int(name.removeprefix("GPIO"))))


class _Pulses:
    """What adafruit_dht makes of a frame, with its words for what is wrong."""

    def __init__(self, wire: Wire, pin: int) -> None:
        self._wire = wire
        self._pin = pin
        self.temperature = 0.0
        self.humidity = 0.0

    def measure(self) -> None:
        """Take one frame; raises RuntimeError as the driver does."""
        pulses = self._wire.pulses(self._pin, _START_US, _MOST_PULSES)
        if len(pulses) < _MOST_PULSES - 1:
            raise RuntimeError("A full buffer was not returned. Try again.")
        bits = "".join("1" if pulse > _ONE_US else "0" for pulse in pulses[-_MOST_PULSES:][1::2])
        data = int(bits, 2).to_bytes(_BYTES, "big")
        if sum(data[:-1]) & 0xFF != data[-1]:
            raise RuntimeError("Checksum did not validate. Try again.")
        self.humidity = int.from_bytes(data[0:2], "big") / 10.0
        degc = ((data[2] & 0x7F) << 8 | data[3]) / 10.0
        self.temperature = -degc if data[2] & 0x80 else degc

    def exit(self) -> None:
        """Nothing to free."""


class QuickLight(LightSensor):
    """A BH1750, opcode by opcode."""

    def __init__(self, descriptor: SensorDescriptor, bus: Any, address: int = DEFAULT_ADDRESS) -> None:
        super().__init__(descriptor, bus, address, chip=bus)
        self._address = address

    @classmethod
    def open_quick(cls, descriptor: SensorDescriptor, wire: Wire) -> Self:
        """Open the chip at the descriptor's address."""
        return cls(descriptor, wire, descriptor.address or DEFAULT_ADDRESS)

    def _look(self, mode: str, measurement_time: int) -> float:
        opcode, counts_per_lux = _MODES[mode]
        transfer, address = self._chip.i2c, self._address
        transfer(address, bytes([0x40 | measurement_time >> 5, 0x60 | measurement_time & 0x1F, opcode]), 0)
        counts = int.from_bytes(transfer(address, b"", 2), "big")
        return float(counts / counts_per_lux * DEFAULT_TIME / measurement_time)


def quick_sources(descriptors: Sequence[SensorDescriptor], wire: Wire, clock: Clock) -> list[SensorSource]:
    """Return how each sensor is opened."""
    hardware = QuickHardware(wire, clock)
    return [SensorSource(descriptor=one, open=_opener(one, hardware, wire), lane=one.sensor_id) for one in descriptors]


def _opener(descriptor: SensorDescriptor, hardware: Hardware, wire: Wire) -> Callable[[], Sensor]:
    kind = load_kind(descriptor)
    if issubclass(kind, LightSensor):
        return partial(QuickLight.open_quick, descriptor, wire)
    return partial(kind.open, descriptor, hardware)
