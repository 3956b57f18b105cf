"""Messages as the records keep them, as JSON; sensors of before there were limits come back within them."""

from __future__ import annotations

from dt.utils.codec import Message, parse_json
from dt.utils.dataclasses import LONGEST_INTERVAL_S, SHORTEST_INTERVAL_S, SensorDescriptor
from dt.utils.exceptions import MessageError


def text_of(message: Message) -> str:
    """Return a message's JSON."""
    return message.to_json().decode()


def descriptor_of(text: str) -> SensorDescriptor:
    """Return a sensor of its JSON; a cadence that is kept and cannot be is the nearest that can."""
    try:
        return SensorDescriptor.from_json(text)
    except MessageError as error:
        if error.field != "read_interval":
            raise
        kept = parse_json(text)
        return SensorDescriptor.from_dict({**kept, "read_interval": within_limits(float(kept["read_interval"]))})


def within_limits(seconds: float) -> float:
    """Return the nearest cadence that a sensor can have.

    >>> within_limits(1e300), within_limits(5.0)
    (86400.0, 5.0)
    """
    return min(max(seconds, SHORTEST_INTERVAL_S), LONGEST_INTERVAL_S)
