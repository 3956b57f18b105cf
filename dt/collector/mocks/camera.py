"""A camera at the other end of a wire."""

from __future__ import annotations

from dt.communication.wire import Wire


class WireCamera:
    """Takes pictures of the simulated box."""

    def __init__(self, wire: Wire, number: int) -> None:
        self._wire = wire
        self._number = number

    def capture(self) -> bytes:
        """Return a JPEG."""
        return self._wire.capture(self._number)
