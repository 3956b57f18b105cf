"""A camera at the other end of a wire."""

from __future__ import annotations

from dt.communication.wire import Wire
from dt.utils.exceptions import SensorError, WireError


class WireCamera:
    """Takes pictures of the simulated box, as a camera's library does."""

    def __init__(self, wire: Wire, number: int) -> None:
        self._wire = wire
        self._number = number

    def jpeg(self) -> bytes:
        """Return a JPEG; raises `SensorError`."""
        try:
            return self._wire.capture(self._number)
        except WireError as error:
            raise SensorError(str(error)) from error

    def close(self) -> None:
        """The wire belongs to who made it."""
