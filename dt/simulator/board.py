"""The wiring of a box: its chips and actuators on the addresses and pins that the rig declares, faults and all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dt.communication.wire_calls import (
    BusTimeoutError,
    Direction,
    EdgeCallback,
    HostState,
    NoAcknowledgeError,
    Pull,
    WireRefusedError,
)
from dt.simulator.box import Box
from dt.simulator.chip_rack import ChipRack
from dt.simulator.chips import camera as camera_chip
from dt.simulator.faults.chip_answers import BusHangError
from dt.simulator.faults.desk import FaultDesk
from dt.simulator.faults.devices import Defects
from dt.simulator.faults.machine import host_state
from dt.simulator.faults.order import Fault, Targets
from dt.simulator.faults.pictures import faulty_picture
from dt.simulator.from_rig import box_spec
from dt.simulator.wiring import Output, Place, Wiring, camera_number, chip_name, chip_of, wiring
from dt.utils.clock import Clock, SystemClock
from dt.utils.exceptions import MessageError

__all__ = ["BoxWire", "Output", "Place", "Wiring", "box_spec", "camera_number", "chip_name", "chip_of", "wiring"]

LAST_PIN = 27
MOST_ML = 5000.0  # that a person pours at once
_FULL_ML = 0.5
_SHOWN_DIGITS = 40


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
    """A wire with a box at its end; every call first lets the box catch up with the clock.

    `chip_clock` times the chips' own conversions: drivers sleep for real, whatever clock the box lives by.
    """

    def __init__(
        self,
        box: Box,
        clock: Clock,
        wires: Wiring | None = None,
        *,
        chip_clock: Clock | None = None,
        is_one_process: bool = True,
    ) -> None:
        self.box = box
        self._clock = clock
        self._chip_clock = chip_clock or SystemClock()
        self._wiring = wires or Wiring()
        self._lock = threading.RLock()
        self._bus = threading.Lock()  # one transaction after the other, also while the bus hangs
        self._never = threading.Event()
        self.desk = FaultDesk(self.targets, seed=box.spec.seed, is_one_process=is_one_process)
        self._defects = Defects(box, self.desk)
        self._chips = ChipRack(box, self.desk, self._chip_clock, self._wiring)
        self._pins: dict[int, _Pin] = {}
        self._caught_up_s = float("-inf")
        self._is_pressed = False
        self._connect_button()

    def i2c(self, address: int, out: bytes, count: int) -> bytes:
        """One transaction with the chip at an address; nobody there means no acknowledge."""
        with self._bus:
            try:
                with self._caught_up():
                    chip = self._chips.i2c(address)
                    if chip is None:
                        raise NoAcknowledgeError(address)
                    return chip.transfer(out, count)
            except BusHangError as hang:
                self._chip_clock.wait(self._never, hang.seconds)
                raise BusTimeoutError(address) from hang

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
            chip = self._chips.dht22(pin)
            return [] if chip is None else chip.pulses(trigger_us, max_pulses)

    def capture(self, camera: int) -> bytes:
        """Take a picture."""
        with self._caught_up():
            site = self._wiring.cameras.get(camera)
            if site is None:
                msg = f"the box has no camera {camera}"
                raise WireRefusedError(msg)
            picture = camera_chip.draw(self.box, site.zone_id, site.plant_id)
            faults = self.desk.active(self.box.now_s, site.sensors.values())
        return faulty_picture(picture, faults, camera)

    def host(self) -> HostState:
        """Return what befalls the machine that asks."""
        with self._caught_up():
            return host_state(self.desk, self.box.now_s)

    def now_s(self) -> float:
        """Return the box's time."""
        with self._caught_up():
            return self.box.now_s

    def order(self, order: Mapping[str, Any]) -> Fault:
        """Order a fault; raises MessageError with the field and its limit."""
        with self._caught_up():
            fault = self.desk.add(order, self.box.now_s)
            self._defects.settle(self.box.now_s)
            return fault

    def revoke(self, fault_id: str) -> bool:
        """End a fault; False when there is none of this id."""
        with self._caught_up():
            found = self.desk.remove(fault_id)
            self._defects.settle(self.box.now_s)
            return found

    def targets(self) -> Targets:
        """Return what can have a fault: what is wired, and the lamps on timer plugs."""
        wired = self._wiring.targets()
        timed = {lamp.actuator_id: "lamp" for lamp in self.box.spec.lamps if lamp.on_h != lamp.off_h}
        return replace(wired, actuators={**timed, **wired.actuators})

    def refill(self, reservoir: str, amount_ml: float) -> float:
        """Let a person refill a can, and return when; raises MessageError with what it still takes."""
        with self._caught_up():
            can = self.box.reservoirs.get(reservoir)
            if can is None:
                raise MessageError("reservoir", f"{reservoir!r} is not in the rig; {_listed(self.box.reservoirs)}")
            room_ml = max(0.0, can.spec.content_ml - can.content_ml)
            if room_ml < _FULL_ML:
                raise MessageError("ml", f"the can is full: it holds {can.spec.content_ml:g} ml")
            _ensure_ml(amount_ml, room_ml, f"what the can of {can.spec.content_ml:g} ml still takes")
            self.box.refill(reservoir, float(amount_ml))
            return self.box.now_s

    def pour(self, plant_id: str, amount_ml: float) -> float:
        """Let a person water a plant by hand, and return when; raises MessageError."""
        with self._caught_up():
            if plant_id not in self.box.pots:
                raise MessageError("plant_id", f"{plant_id!r} is not in the rig; {_listed(self.box.pots)}")
            _ensure_ml(amount_ml, MOST_ML, "what a person pours at once")
            self.box.pour(plant_id, self.box.now_s, float(amount_ml))
            return self.box.now_s

    def rewire(self, wires: Wiring) -> None:
        """Hang other chips and outputs on the box; raises ConfigError, and changes nothing, when they do not fit.

        What stays where it was goes on; outputs that vanish are off, and a probe that appears was just inserted.
        """
        with self._caught_up():
            self._chips.rewire(wires)
            for pin, output in self._wiring.outputs.items():
                if wires.outputs.get(pin) != output and output.name in self.box.devices:
                    self.box.drive(output.name, 0.0)
            self._disconnect_button(wires)
            self._wiring = wires
            self._connect_button()
            for pin, state in self._pins.items():
                self._actuate(pin, state)

    def state(self) -> dict[str, object]:
        """Return the truth, with the levels of all pins that were set up; for evaluation only."""
        with self._caught_up():
            pins = {str(pin): {"direction": str(p.direction), "duty": p.duty} for pin, p in sorted(self._pins.items())}
            faults = [fault.to_dict() for fault in self.desk.active(self.box.now_s)]
            return {**self.box.state(), "pins": pins, "faults": faults}

    def snapshot(self) -> dict[str, object]:
        """Return what keeps the box, its chips and its faults over a restart."""
        with self._caught_up():
            return {**self.box.snapshot(), "faults": self.desk.snapshot(), "chips": self._chips.snapshot()}

    def restore(self, snapshot: dict[str, Any]) -> list[str]:
        """Take up what `snapshot` returned, outputs off; return what was left out.

        KeyError, TypeError or ValueError, and no change, when any part of it does not fit.
        """
        with self._lock:
            take_box = self.box.restoring(snapshot)
            plan = self.desk.plan(snapshot.get("faults", _NO_FAULTS))
            take_chips = self._chips.restoring(snapshot["chips"]) if "chips" in snapshot else None
            take_box()
            self.box.release()
            self.desk.take(plan)
            if take_chips is not None:
                take_chips()
            self._defects.begin_anew(self.box.now_s)
            return list(plan.left_out)

    def push(self, pin: int, level: bool | None) -> None:  # noqa: FBT001 - a level, as every pin library passes it
        """Drive an input from outside, as a finger on a button does; None lets go."""

        def change(state: _Pin) -> None:
            state.driven = level

        self._change(pin, change)

    def press(self, *, is_pressed: bool) -> None:
        """Let a person press the emergency-stop button or let it out; raises MessageError when the rig has none."""
        button = self._wiring.button
        if button is None:
            raise MessageError("button", "the rig has no [emergency_stop]")
        self._is_pressed = is_pressed
        self.push(button.pin, button.drives(is_pressed=is_pressed))

    def _connect_button(self) -> None:
        button = self._wiring.button
        if button is not None:
            self._pin(button.pin).driven = button.drives(is_pressed=self._is_pressed)

    def _disconnect_button(self, wires: Wiring) -> None:
        button = self._wiring.button
        if button is not None and button != wires.button:
            self._pin(button.pin).driven, self._is_pressed = None, False

    def _caught_up(self) -> _CaughtUp:
        return _CaughtUp(self._lock, self._catch_up)

    def _catch_up(self) -> None:
        """Let the box live until now; what begins or ends meanwhile does so at its own moment."""
        now_s = self._clock.wall()
        if now_s == self._caught_up_s and now_s == self.box.now_s:
            return  # a chip is asked several times in one moment of a clock that is stepped
        for edge_s in self.desk.edges(self.box.now_s, now_s):
            self.box.advance(edge_s)
            self._defects.settle(edge_s)
        self.box.advance(now_s)
        self._defects.settle(self.box.now_s)
        self._caught_up_s = now_s

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
        is_driven = state.direction is Direction.OUT
        self._chips.power(pin, is_on=not is_driven or state.duty > 0.0)
        output = self._wiring.outputs.get(pin)
        if output is None or output.name not in self.box.devices:
            return
        if not is_driven:
            self.box.drive(output.name, 0.0)  # a relay board releases when its input floats
        else:
            self.box.drive(output.name, state.duty if output.active_high else 1.0 - state.duty)


_NO_FAULTS: Mapping[str, Any] = {"count": 0, "faults": []}


def _ensure_ml(amount_ml: float, most_ml: float, what: str) -> None:
    if not 0.0 < amount_ml <= most_ml:
        shown = str(amount_ml)[:_SHOWN_DIGITS]
        raise MessageError("ml", f"must be more than 0 and at most {most_ml:.0f} ({what}), not {shown}")


def _listed(names: Mapping[str, object]) -> str:
    return f"there are: {', '.join(sorted(names)) or 'none'}"


class _CaughtUp:
    """Holds the box still at the present moment."""

    __slots__ = ("_catch_up", "_lock")

    def __init__(self, lock: threading.RLock, catch_up: Callable[[], None]) -> None:
        self._lock, self._catch_up = lock, catch_up

    def __enter__(self) -> None:
        self._lock.acquire()
        try:
            self._catch_up()
        except BaseException:  # Ctrl-C too must not leave the lock held: the stop that follows needs it
            self._lock.release()
            raise

    def __exit__(self, *_exc: object) -> None:
        self._lock.release()
