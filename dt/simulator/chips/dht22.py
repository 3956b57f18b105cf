"""Aosong AM2302 (DHT22): one frame of 40 bits as pulse lengths on a single wire."""

from __future__ import annotations

from dataclasses import dataclass

from dt.simulator.sensing import Senses

_SHORTEST_TRIGGER_US = 800  # host start signal, datasheet: at least 0.8 ms
_RELEASE_US, _RESPONSE_US = 30, 80
_BIT_LOW_US, _ZERO_US, _ONE_US = 50, 26, 70
_REST_S = 2.0
_JITTER_US = 3


@dataclass(slots=True)
class Dht22Chip:
    """Answers a start signal; converts anew only after 2 s, and repeats its last frame until then."""

    senses: Senses
    _frame: bytes = b""
    _converted_s: float = float("-inf")

    def pulses(self, trigger_us: int, max_pulses: int) -> list[int]:
        """Return the last `max_pulses` lengths of the answer in microseconds, ending with a low one."""
        if trigger_us < _SHORTEST_TRIGGER_US:
            return []
        now_s = self.senses.box.now_s
        if now_s - self._converted_s >= _REST_S or not self._frame:
            self._frame = encode(self.senses.air_degc(), self.senses.humidity_pct())
            self._converted_s = now_s
        answer = [_RELEASE_US, _RESPONSE_US, _RESPONSE_US, *self._bits(), _BIT_LOW_US]
        return answer[-max_pulses:]

    def _bits(self) -> list[int]:
        jitter = self.senses.noise.randint
        lengths: list[int] = []
        for byte in self._frame:
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
