"""The electrical seam: what crosses the boundary between software and a plant box.

In one process a call is a method call. Between processes it travels over a Unix socket (mode 0600) by `WireServer` and
`WireClient`.
"""

from __future__ import annotations

from dt.communication.wire_calls import (
    BusTimeoutError,
    Direction,
    Disk,
    EdgeCallback,
    Ending,
    HostState,
    Link,
    NoAcknowledgeError,
    Pull,
    Wire,
    WireAwayError,
    WireRefusedError,
    WireVersionError,
)
from dt.communication.wire_client import WireClient
from dt.communication.wire_frames import PROTOCOL_VERSION
from dt.communication.wire_server import WireServer

__all__ = [
    "PROTOCOL_VERSION",
    "BusTimeoutError",
    "Direction",
    "Disk",
    "EdgeCallback",
    "Ending",
    "HostState",
    "Link",
    "NoAcknowledgeError",
    "Pull",
    "Wire",
    "WireAwayError",
    "WireClient",
    "WireRefusedError",
    "WireServer",
    "WireVersionError",
]
