"""A power switch for a chip, at the other end of a wire."""

from __future__ import annotations

from dt.communication.wire import Direction, Pull, Wire, WireRefusedError
from dt.utils.exceptions import SensorError


class WireSwitch:
    """What `gpiozero.OutputDevice` offers of switching."""

    def __init__(self, wire: Wire, pin: int) -> None:
        self._wire = wire
        self._pin = pin

    def on(self) -> None:
        """Give power."""
        self._write(level=True)

    def off(self) -> None:
        """Take it away."""
        self._write(level=False)

    def _write(self, *, level: bool) -> None:
        try:
            self._wire.pin_setup(self._pin, Direction.OUT, Pull.NONE)
            self._wire.pin_write(self._pin, level)
        except WireRefusedError as error:
            raise SensorError(str(error)) from error
