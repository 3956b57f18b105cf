"""gpiozero pin factory over the wire: `GPIOZERO_PIN_FACTORY=wire`, with `WIRE_SOCKET` naming the box's socket.

A process that dies leaves the box's pins as they were, as on a Pi. A process that ends in good order makes its pins
inputs again, as gpiozero does with every factory.
"""

# gpiozero has no type hints; what is inferred of its base class's defaults is narrower than what it takes.
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from gpiozero.exc import BadPinFactory, PinFixedPull, PinInvalidFunction, PinInvalidPull, PinSetInput
from gpiozero.pins.pi import PiFactory, PiPin

from dt.communication.wire import Direction, Pull, Wire, WireAwayError, WireClient

SOCKET_VARIABLE = "WIRE_SOCKET"
_REVISION = 0xC03111  # a Raspberry Pi 4B, 4 GB: the header that the rig is wired to
_PULLS = {"floating": Pull.NONE, "up": Pull.UP, "down": Pull.DOWN}


class WirePin(PiPin):  # type: ignore[misc]  # gpiozero has no type hints
    """One pin of the box as gpiozero wants it: input, output or PWM, with edge events."""

    def __init__(self, factory: WireFactory, info: object) -> None:
        super().__init__(factory, info)
        self._function = "input"
        self._pull: str = self.info.pull or "floating"
        self._frequency: float | None = None
        self._duty = 0.0
        self._bounce: float | None = None
        self._edges = "both"
        self._end_edges: Callable[[], None] | None = None
        self._last_edge = float("-inf")

    def close(self) -> None:
        """Make the pin an input again; a box that is away has nothing to reset."""
        self.when_changed = None
        self._frequency = None
        with contextlib.suppress(WireAwayError):
            self._set_up("input", "floating")

    def output_with_state(self, state: float) -> None:
        """Make the pin an output at a level."""
        self._set_function("output")
        self._set_state(state)

    def input_with_pull(self, pull: str) -> None:
        """Make the pin an input with a resistor."""
        self._check_pull(pull)
        self._set_up("input", pull)

    @property
    def _wire(self) -> Wire:
        wire: Wire = self.factory.wire
        return wire

    def _set_up(self, function: str, pull: str) -> None:
        direction = Direction.OUT if function == "output" else Direction.IN
        self._wire.pin_setup(self._number, direction, _PULLS[pull])
        self._function, self._pull = function, pull

    def _get_function(self) -> str:
        return self._function

    def _set_function(self, value: str) -> None:
        if value not in ("input", "output"):
            msg = f"function of {self!r} must be input or output, not {value}"
            raise PinInvalidFunction(msg)
        self._set_up(value, self._pull if value == "input" else "floating")

    def _get_state(self) -> float:
        if self._frequency is not None:
            return self._duty
        return int(self._wire.pin_read(self._number))

    def _set_state(self, value: float) -> None:
        if self._function == "input":
            msg = f"cannot set state of pin {self!r}"
            raise PinSetInput(msg)
        if self._frequency is None:
            self._wire.pin_write(self._number, bool(value))
        else:
            self._wire.pwm(self._number, float(value), self._frequency)
            self._duty = float(value)

    def _get_frequency(self) -> float | None:
        return self._frequency

    def _set_frequency(self, value: float | None) -> None:
        if value is None:
            if self._frequency is not None:
                self._wire.pin_write(self._number, level=False)
            self._frequency, self._duty = None, 0.0
            return
        if self._function != "output":
            msg = f"cannot start PWM on input pin {self!r}"
            raise PinSetInput(msg)
        self._wire.pwm(self._number, self._duty, float(value))
        self._frequency = float(value)

    def _get_pull(self) -> str:
        return self._pull

    def _set_pull(self, value: str) -> None:
        if self._function != "input":
            msg = f"cannot set pull on non-input pin {self!r}"
            raise PinFixedPull(msg)
        self._check_pull(value)
        self._set_up("input", value)

    def _check_pull(self, value: str) -> None:
        if self.info.pull and value != self.info.pull:
            msg = f"{self!r} has a physical pull-{self.info.pull} resistor"
            raise PinFixedPull(msg)
        if value not in _PULLS:
            msg = f"pull of {self!r} must be one of {', '.join(_PULLS)}, not {value}"
            raise PinInvalidPull(msg)

    def _get_bounce(self) -> float | None:
        return self._bounce

    def _set_bounce(self, value: float | None) -> None:
        self._bounce = None if value is None else float(value)

    def _get_edges(self) -> str:
        return self._edges

    def _set_edges(self, value: str) -> None:
        self._edges = value

    def _enable_event_detect(self) -> None:
        self._end_edges = self._wire.pin_edges(self._number, self._on_edge)

    def _disable_event_detect(self) -> None:
        if self._end_edges is not None:
            self._end_edges()
            self._end_edges = None

    def _on_edge(self, level: bool) -> None:  # noqa: FBT001 - a level, as every pin library passes it
        now = time.monotonic()
        bounced = self._bounce is not None and now - self._last_edge < self._bounce
        wanted = self._edges in ("both", "rising" if level else "falling")
        if bounced or not wanted or self._when_changed is None:
            return
        self._last_edge = now
        self._call_when_changed(now, int(level))


class WireFactory(PiFactory):  # type: ignore[misc]  # gpiozero has no type hints
    """Pins of a simulated box, over a wire in this process or the socket that `WIRE_SOCKET` names."""

    def __init__(self, wire: Wire | None = None) -> None:
        super().__init__()
        self.wire = _open_wire() if wire is None else wire
        self.pin_class = WirePin

    def _get_revision(self) -> int:
        return _REVISION

    def ticks(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    def ticks_diff(self, later: float, earlier: float) -> float:
        """Return the seconds between two ticks."""
        return later - earlier


def _open_wire() -> Wire:
    path = os.environ.get(SOCKET_VARIABLE)
    if not path:
        msg = f"GPIOZERO_PIN_FACTORY=wire needs {SOCKET_VARIABLE}, the path of the plant box's socket"
        raise BadPinFactory(msg)
    return WireClient(Path(path))
