"""Smooth seeded noise as a pure function of time, so that the step size never changes the weather."""

# ruff: noqa: S311 - noise of a simulation, no secret

from __future__ import annotations

import math
import random


class SmoothNoise:
    """Values around 0 with unit spread, drawn anew every `period_s` and blended in between."""

    __slots__ = ("_knot", "_left", "_name", "_period_s", "_right")

    def __init__(self, seed: int, name: str, period_s: float) -> None:
        self._name = f"{seed}:{name}"
        self._period_s = period_s
        self._knot = -1
        self._left = 0.0
        self._right = 0.0

    def at(self, time_s: float) -> float:
        """Return the value at one time."""
        position = time_s / self._period_s
        knot = math.floor(position)
        if knot != self._knot:
            self._left = self._right if knot == self._knot + 1 else self._draw(knot)
            self._right = self._draw(knot + 1)
            self._knot = knot
        part = position - knot
        return self._left + (self._right - self._left) * part * part * (3.0 - 2.0 * part)

    def _draw(self, knot: int) -> float:
        return random.Random(f"{self._name}:{knot}").gauss(0.0, 1.0)
