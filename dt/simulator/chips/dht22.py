"""Aosong AM2302 (DHT22): one frame of 40 bits as pulse lengths on a single wire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dt.simulator.chip_memory import Shift, checked, finite, plain
from dt.simulator.sensing import Senses
from dt.utils.clock import Clock, SystemClock

_SHORTEST_TRIGGER_US = 800  # host start signal, datasheet: at least 0.8 ms
_RELEASE_US, _RESPONSE_US = 30, 80
_BIT_LOW_US, _ZERO_US, _ONE_US = 50, 26, 70
_REST_S = 2.0
_JITTER_US = 3
_WHOLE = 5


@dataclass(frozen=True, slots=True)
class Frame:
    """The bytes of an answer: humidity, temperature with its sign bit, checksum; fewer when the chip breaks off."""

    data: bytes

    @classmethod
    def of(cls, temperature_degc: float, humidity_pct: float) -> Frame:
        """Return the frame of two values.

        >>> Frame.of(-10.1, 65.2).data.hex()
        '028c806573'
        """
        return cls(encode(temperature_degc, humidity_pct))

    @property
    def is_whole(self) -> bool:
        """Return whether all five bytes are there."""
        return len(self.data) == _WHOLE

    def values(self) -> tuple[float, float]:
        """Return temperature in degC and humidity in %.

        >>> Frame.of(-10.1, 65.2).values()
        (-10.1, 65.2)
        """
        humidity = int.from_bytes(self.data[0:2], "big") / 10.0
        temperature = ((self.data[2] & 0x7F) << 8 | self.data[3]) / 10.0
        return (-temperature if self.data[2] & 0x80 else temperature), humidity


Tamper = Callable[[Frame], Frame]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Memory:
    """`converted_s` is the chip clock's."""

    senses: Any
    frame: bytes
    converted_s: float | None


class Dht22Chip:
    """Answers a start signal; converts anew only after 2 s, and repeats its last conversion until then."""

    def __init__(self, senses: Senses, clock: Clock | None = None, tamper: Tamper | None = None) -> None:
        self._senses = senses
        self._clock = clock or SystemClock()
        self._tamper = tamper
        self._frame = Frame(b"")
        self._converted_s = float("-inf")

    def pulses(self, trigger_us: int, max_pulses: int) -> list[int]:
        """Return the last `max_pulses` lengths of the answer in microseconds, ending with a low one."""
        if trigger_us < _SHORTEST_TRIGGER_US or max_pulses <= 0:
            return []
        now_s = self._clock.monotonic()
        if now_s - self._converted_s >= _REST_S or not self._frame.data:
            self._frame = Frame.of(self._senses.air_degc(), self._senses.humidity_pct())
            self._converted_s = now_s
        frame = self._frame if self._tamper is None else self._tamper(self._frame)
        answer = [_RELEASE_US, _RESPONSE_US, _RESPONSE_US, *self._bits(frame.data), _BIT_LOW_US]
        return answer[-max_pulses:]

    def snapshot(self) -> Any:
        """Return its last conversion and its senses as plain JSON."""
        memory = _Memory(senses=self._senses.snapshot(), frame=self._frame.data, converted_s=finite(self._converted_s))
        return plain(memory)

    def restoring(self, kept: object, shift: Shift) -> Callable[[], None]:
        """Check what `snapshot` returned, and return what takes it up; ValueError when it cannot be."""
        memory = checked(kept, _Memory)
        if len(memory.frame) not in (0, _WHOLE):
            msg = f"chips: a DHT22 keeps {_WHOLE} bytes or none, not {len(memory.frame)}"
            raise ValueError(msg)
        take_senses = self._senses.restoring(memory.senses)
        converted_s = shift.moment(memory.converted_s, float("-inf"))

        def take() -> None:
            take_senses()
            self._frame, self._converted_s = Frame(memory.frame), converted_s

        return take

    def _bits(self, data: bytes) -> list[int]:
        jitter = self._senses.noise.randint
        lengths: list[int] = []
        for byte in data:
            for bit in range(7, -1, -1):
                high_us = _ONE_US if byte >> bit & 1 else _ZERO_US
                lengths += (_BIT_LOW_US + jitter(-_JITTER_US, _JITTER_US), high_us + jitter(-_JITTER_US, _JITTER_US))
        return lengths


def encode(temperature_degc: float, humidity_pct: float) -> bytes:
    """Return the five bytes of a frame: humidity, temperature with its sign bit, checksum.

    >>> encode(-10.1, 65.2).hex()
    '028c806573'
    """
    humidity, temperature = round(humidity_pct * 10), round(abs(temperature_degc) * 10)
    sign = 0x8000 if temperature_degc < 0 else 0
    body = humidity.to_bytes(2, "big") + (temperature | sign).to_bytes(2, "big")
    return body + bytes([sum(body) & 0xFF])
