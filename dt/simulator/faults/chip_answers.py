"""Faults of chips: what bytes and frames become on their way out (F1-F7), and whether a chip answers at all (F9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dt.communication.wire_calls import NoAcknowledgeError
from dt.simulator.chip_memory import Shift, checked, plain
from dt.simulator.chips import I2cChip
from dt.simulator.chips.dht22 import Frame
from dt.simulator.chips.seesaw import MOISTURE, TEMPERATURE
from dt.simulator.faults.desk import FaultDesk
from dt.simulator.faults.order import Fault
from dt.utils.quantities import Quantity

_BITS = 40
_MOST_DEGC, _MOST_PCT = 3276.7, 6553.5  # that a frame's 15 and 16 bits can say
_PART_OF_A_FRAME = 2  # bytes that still come of a DHT22 that hangs: more than the driver's 10 pulses, less than its 80


@dataclass(frozen=True, slots=True, kw_only=True)
class _Memory:
    chip: Any
    register: bytes
    stray: Any = None


class FaultyI2c:
    """A chip on the bus with the faults of its sensors upon it."""

    def __init__(
        self,
        chip: I2cChip,
        address: int,
        sensor_ids: Sequence[str],
        desk: FaultDesk,
        now: Callable[[], float],
        stray: Callable[[], I2cChip],
    ) -> None:
        self._chip = chip
        self._address = address
        self._sensor_ids = tuple(sensor_ids)
        self._desk = desk
        self._now = now
        self._make_stray = stray
        self._stray: I2cChip | None = None
        self._register = b""

    def transfer(self, out: bytes, count: int) -> bytes:
        """One transaction; raises `NoAcknowledgeError` or `BusHangError`."""
        self._register = out[:2] if len(out) >= 2 else self._register
        faults = self._desk.active(self._now(), self._sensor_ids)
        if not faults:
            return self._chip.transfer(out, count)
        clashes = [self._is_clash(fault) for fault in faults if fault.fault == "F9"]
        answer = self._chip.transfer(out, count)
        if any(clashes):
            answer = self._with_stray(out, count, answer)
        for fault in faults:
            answer = self._changed(fault, answer)
        return answer

    def snapshot(self) -> Any:
        """Return the chip, and the one that clashed with it, as plain JSON."""
        stray = None if self._stray is None else self._stray.snapshot()
        return plain(_Memory(chip=self._chip.snapshot(), register=self._register, stray=stray))

    def restoring(self, kept: object, shift: Shift) -> Callable[[], None]:
        """Check what `snapshot` returned, and return what takes it up; ValueError when it cannot be."""
        memory = checked(kept, _Memory)
        take_chip = self._chip.restoring(memory.chip, shift)
        stray = None if memory.stray is None else self._make_stray()
        take_stray = None if stray is None else stray.restoring(memory.stray, shift)

        def take() -> None:
            take_chip()
            self._register, self._stray = memory.register, stray
            if take_stray is not None:
                take_stray()

        return take

    def _is_clash(self, fault: Fault) -> bool:
        if not self._desk.strikes(fault):
            return False
        mode = fault.word("mode")
        if mode == "no_acknowledge":
            raise NoAcknowledgeError(self._address)
        if mode == "hang":
            raise BusHangError(fault.number("hang_s"))
        return True

    def _with_stray(self, out: bytes, count: int, answer: bytes) -> bytes:
        """Two chips pull the same open-drain line: a zero of either wins."""
        if self._stray is None:
            self._stray = self._make_stray()
        other = self._stray.transfer(out, count)
        return bytes(a & b for a, b in zip(answer, other, strict=True))

    def _changed(self, fault: Fault, answer: bytes) -> bytes:
        change = _REGISTER_FAULTS.get(fault.fault)
        if change is None or not answer or self._register != change[0]:
            return answer
        if "share" in fault.parameters and not self._desk.strikes(fault):
            return answer
        return change[1](fault)[: len(answer)].ljust(len(answer), b"\xff")


class BusHangError(Exception):
    """The bus is held low; who wired it says for how long."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the bus hangs for {seconds:g} s")
        self.seconds = seconds


def faulty_frame(frame: Frame, sensor_ids: Mapping[Quantity, str], desk: FaultDesk, now_s: float) -> Frame:
    """Return what becomes of a DHT22's frame under the faults of its sensors."""
    for fault in desk.active(now_s, sensor_ids.values()):
        change = _FRAME_FAULTS.get(fault.fault)
        if change is not None and ("share" not in fault.parameters or desk.strikes(fault)):
            quantities = [quantity for quantity, sensor_id in sensor_ids.items() if sensor_id == fault.target]
            frame = change(desk, fault, frame, quantities)
    return frame


def _wrong_bit(desk: FaultDesk, fault: Fault, frame: Frame, _quantities: Sequence[Quantity]) -> Frame:
    bit = desk.chance(fault).randrange(_BITS)
    data = bytearray(frame.data)
    if bit // 8 < len(data):
        data[bit // 8] ^= 0x80 >> bit % 8
    return Frame(bytes(data))


def _wrong_factor(_desk: FaultDesk, fault: Fault, frame: Frame, quantities: Sequence[Quantity]) -> Frame:
    if not frame.is_whole:
        return frame
    factor = 0.5 if fault.word("mode") == "halved" else 2.0
    temperature, humidity = frame.values()
    if Quantity.TEMPERATURE in quantities:
        temperature *= factor
    if Quantity.HUMIDITY in quantities:
        humidity *= factor
    return Frame.of(max(-_MOST_DEGC, min(_MOST_DEGC, temperature)), min(_MOST_PCT, humidity))


def _cut_short(_desk: FaultDesk, _fault: Fault, frame: Frame, _quantities: Sequence[Quantity]) -> Frame:
    return Frame(frame.data[:_PART_OF_A_FRAME])


def _all_zero(_desk: FaultDesk, _fault: Fault, frame: Frame, _quantities: Sequence[Quantity]) -> Frame:
    return Frame(bytes(len(frame.data)))


# By register of the seesaw: what it answers instead.
_REGISTER_FAULTS: Mapping[str, tuple[bytes, Callable[[Fault], bytes]]] = {
    "F1": (MOISTURE, lambda _: b"\xff\xff"),
    "F2": (TEMPERATURE, lambda _: b"\xff\xff\xff\xff"),  # the driver masks the top bits: 16383.99
    "F3": (MOISTURE, lambda fault: round(fault.number("counts")).to_bytes(2, "big")),
}
_FRAME_FAULTS: Mapping[str, Callable[[FaultDesk, Fault, Frame, Sequence[Quantity]], Frame]] = {
    "F4": _wrong_bit,
    "F5": _wrong_factor,
    "F6": _cut_short,
    "F7": _all_zero,
}
