"""A camera at the other end of a wire."""

from __future__ import annotations

from dt.communication.wire import Wire, WireRefusedError
from dt.utils.exceptions import SensorError


class WireCamera:
    """Takes pictures of the simulated box."""

    def __init__(self, wire: Wire, number: int) -> None:
        self._wire = wire
        self._number = number

    def capture(self) -> bytes:
        """Return a JPEG; a camera that is gone is a `SensorError`, as on a Pi."""
        try:
            return self._wire.capture(self._number)
        except WireRefusedError as error:
            raise SensorError(str(error)) from error
