"""The wiring of a box: its chips and actuators on the addresses and pins that the rig declares."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from dt.communication.wire_calls import Direction, EdgeCallback, NoAcknowledgeError, Pull, WireRefusedError
from dt.simulator.box import Box
from dt.simulator.chips import camera as camera_chip
from dt.simulator.chips.bh1750 import Bh1750Chip
from dt.simulator.chips.dht22 import Dht22Chip
from dt.simulator.chips.seesaw import SeesawChip
from dt.simulator.from_rig import OUTPUT_KINDS, box_spec
from dt.simulator.sensing import Senses
from dt.simulator.spec import LAMP, PLANT, PUMP, ZONE
from dt.utils.clock import Clock
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.exceptions import ConfigError
from dt.utils.rig import ActuatorDescriptor, Rig, pin_number

__all__ = ["BoxWire", "Output", "Place", "Wiring", "box_spec", "camera_number", "chip_name", "chip_of", "wiring"]

LAST_PIN = 27


class I2cChip(Protocol):
    """A chip on the bus."""

    def transfer(self, out: bytes, count: int) -> bytes:
        """Take bytes and give `count` back."""
        ...


_I2C_CHIPS: Mapping[str, Callable[[Senses], I2cChip]] = {"seesaw": SeesawChip, "bh1750": Bh1750Chip}


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """An actuator on a pin."""

    name: str
    active_high: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a chip is: in a zone's air or, with a plant, in its pot (a camera: above it)."""

    kind: str
    zone_id: str = ZONE
    plant_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What hangs where: chips by I2C address, DHT22s and outputs by BCM pin, cameras by number."""

    i2c: Mapping[int, Place] = field(
        default_factory=lambda: {0x36: Place(kind="seesaw", plant_id=PLANT), 0x23: Place(kind="bh1750")}
    )
    dht22: Mapping[int, Place] = field(default_factory=lambda: {4: Place(kind="dht22")})
    outputs: Mapping[int, Output] = field(default_factory=lambda: {17: Output(name=PUMP), 27: Output(name=LAMP)})
    cameras: Mapping[int, Place] = field(default_factory=lambda: {0: Place(kind="camera", plant_id=PLANT)})


@dataclass(slots=True)
class _Pin:
    """One pin's set-up and level; an input that nothing drives follows its resistor."""

    direction: Direction = Direction.IN
    pull: Pull = Pull.NONE
    duty: float = 0.0
    driven: bool | None = None
    callbacks: list[EdgeCallback] = field(default_factory=list)

    @property
    def level(self) -> bool:
        if self.direction is Direction.OUT:
            return self.duty > 0.0
        return self.driven if self.driven is not None else self.pull is Pull.UP


class BoxWire:
    """A wire with a box at its end; every call first lets the box catch up with the clock."""

    def __init__(self, box: Box, clock: Clock, wiring: Wiring | None = None) -> None:
        self.box = box
        self._clock = clock
        self._wiring = wiring or Wiring()
        self._lock = threading.RLock()
        self._i2c = {
            address: _I2C_CHIPS[place.kind](self._senses(place, chip_name(address)))
            for address, place in self._wiring.i2c.items()
        }
        self._dht22 = {
            pin: Dht22Chip(self._senses(place, chip_name(pin=pin))) for pin, place in self._wiring.dht22.items()
        }
        self._pins: dict[int, _Pin] = {}

    def i2c(self, address: int, out: bytes, count: int) -> bytes:
        """One transaction with the chip at an address; nobody there means no acknowledge."""
        with self._caught_up():
            chip = self._i2c.get(address)
            if chip is None:
                raise NoAcknowledgeError(address)
            return chip.transfer(out, count)

    def pin_setup(self, pin: int, direction: Direction, pull: Pull) -> None:
        """Make a pin an input or an output; an output keeps the level that it had as one."""

        def change(state: _Pin) -> None:
            if direction is Direction.IN:
                state.duty = 0.0
            state.direction, state.pull = direction, pull

        self._change(pin, change)

    def pin_write(self, pin: int, level: bool) -> None:  # noqa: FBT001 - a level, as every pin library passes it
        """Drive an output pin."""
        self._drive(pin, 1.0 if level else 0.0)

    def pwm(self, pin: int, duty: float, frequency_hz: float) -> None:
        """Drive an output pin with a duty; the box is too slow to see the frequency."""
        if not 0.0 <= duty <= 1.0 or frequency_hz <= 0.0:
            msg = f"PWM needs a duty of 0..1 and a frequency above 0, not {duty:g} and {frequency_hz:g} Hz"
            raise WireRefusedError(msg)
        self._drive(pin, duty)

    def pin_read(self, pin: int) -> bool:
        """Return a pin's level."""
        with self._caught_up():
            return self._pin(pin).level

    def pin_edges(self, pin: int, callback: EdgeCallback) -> Callable[[], None]:
        """Call back at every change; callbacks run on the thread that causes it."""
        with self._lock:
            callbacks = self._pin(pin).callbacks
            callbacks.append(callback)

        def end() -> None:
            with self._lock:
                if callback in callbacks:
                    callbacks.remove(callback)

        return end

    def pulses(self, pin: int, trigger_us: int, max_pulses: int) -> list[int]:
        """Let the chip on a pin answer a start signal; an empty pin stays silent."""
        with self._caught_up():
            chip = self._dht22.get(pin)
            return [] if chip is None else chip.pulses(trigger_us, max_pulses)

    def capture(self, camera: int) -> bytes:
        """Take a picture."""
        with self._caught_up():
            place = self._wiring.cameras.get(camera)
            if place is None:
                msg = f"the box has no camera {camera}"
                raise WireRefusedError(msg)
            return camera_chip.draw(self.box, place.zone_id, place.plant_id)

    def state(self) -> dict[str, object]:
        """Return the truth, with the levels of all pins that were set up; for evaluation only."""
        with self._caught_up():
            pins = {str(pin): {"direction": str(p.direction), "duty": p.duty} for pin, p in sorted(self._pins.items())}
            return {**self.box.state(), "pins": pins}

    def snapshot(self) -> dict[str, object]:
        """Return what keeps the box over a restart."""
        with self._caught_up():
            return self.box.snapshot()

    def push(self, pin: int, level: bool | None) -> None:  # noqa: FBT001 - a level, as every pin library passes it
        """Drive an input from outside, as a finger on a button does; None lets go."""

        def change(state: _Pin) -> None:
            state.driven = level

        self._change(pin, change)

    def _senses(self, place: Place, chip: str) -> Senses:
        return Senses.of(self.box, place.zone_id, place.plant_id, chip)

    def _caught_up(self) -> _CaughtUp:
        return _CaughtUp(self._lock, self.box, self._clock)

    def _pin(self, pin: int) -> _Pin:
        if not 0 <= pin <= LAST_PIN:
            msg = f"the box has no pin {pin}, only 0 to {LAST_PIN}"
            raise WireRefusedError(msg)
        return self._pins.setdefault(pin, _Pin())

    def _drive(self, pin: int, duty: float) -> None:
        def change(state: _Pin) -> None:
            if state.direction is not Direction.OUT:
                msg = f"pin {pin} is no output"
                raise WireRefusedError(msg)
            state.duty = duty

        self._change(pin, change)

    def _change(self, pin: int, change: Callable[[_Pin], None]) -> None:
        with self._caught_up():
            state = self._pin(pin)
            before = state.level
            change(state)
            level = state.level
            self._actuate(pin, state)
            callbacks = list(state.callbacks) if level != before else []
        for callback in callbacks:  # without the lock: a callback may call the wire
            callback(level)

    def _actuate(self, pin: int, state: _Pin) -> None:
        output = self._wiring.outputs.get(pin)
        if output is None:
            return
        if state.direction is not Direction.OUT:
            self.box.drive(output.name, 0.0)  # a relay board releases when its input floats
        else:
            self.box.drive(output.name, state.duty if output.active_high else 1.0 - state.duty)


class _CaughtUp:
    """Holds the box still at the present moment."""

    __slots__ = ("_box", "_clock", "_lock")

    def __init__(self, lock: threading.RLock, box: Box, clock: Clock) -> None:
        self._lock, self._box, self._clock = lock, box, clock

    def __enter__(self) -> None:
        self._lock.acquire()
        self._box.advance(self._clock.wall())

    def __exit__(self, *_exc: object) -> None:
        self._lock.release()


def wiring(rig: Rig) -> Wiring:
    """Return the wiring that a rig describes."""
    return Wiring(
        i2c=_i2c(rig),
        dht22={pin_number(s.pin): _place(s) for s in rig.sensors if s.kind == "dht22" and s.pin is not None},
        outputs={pin_number(a.pin): _output(a) for a in rig.actuators if a.kind in OUTPUT_KINDS},
        cameras={camera_number(s.pin): _place(s) for s in rig.sensors if s.kind == "camera"},
    )


def chip_name(address: int | None = None, pin: int | None = None) -> str:
    """Return how a chip is called: its errors are drawn by that name.

    >>> chip_name(0x36), chip_name(pin=4)
    ('0x36', 'GPIO4')
    """
    return f"GPIO{pin}" if address is None else f"{address:#04x}"


def camera_number(pin: str | None) -> int:
    """Return which camera a descriptor's `pin` means.

    >>> camera_number("camera1"), camera_number(None)
    (1, 0)
    """
    return int(pin.removeprefix("camera")) if pin else 0


def chip_of(sensor: SensorDescriptor) -> str:
    """Return the name of the chip that a sensor reads."""
    return chip_name(sensor.address, None if sensor.pin is None else pin_number(sensor.pin))


def _i2c(rig: Rig) -> dict[int, Place]:
    """Chips by address; two sensors may read one chip, but one address is one chip in one place."""
    found: dict[int, Place] = {}
    for sensor in rig.sensors:
        if sensor.kind in _I2C_CHIPS and sensor.address is not None:
            place = _place(sensor)
            if found.setdefault(sensor.address, place) != place:
                raise ConfigError(
                    f"{rig.place_of(sensor.sensor_id)}: address: {sensor.address:#04x} is another chip already"
                )
    return found


def _place(sensor: SensorDescriptor) -> Place:
    return Place(kind=sensor.kind, zone_id=sensor.zone_id, plant_id=sensor.plant_id)


def _output(actuator: ActuatorDescriptor) -> Output:
    return Output(name=actuator.actuator_id, active_high=actuator.active_high)
