"""Identifiers: random ones for what is born, derived ones for what must come out the same; both tell their time."""

from __future__ import annotations

import hashlib
import os
import re
import uuid

from dt.utils.codec import LATEST_TIMESTAMP, Message
from dt.utils.exceptions import MessageError

LONGEST_NAME = 100

_NAMESPACE = uuid.UUID("6d1a51c6-6a3c-5f0e-9a0e-3d5b4f6f7a10")
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))  # RFC 9562: the first bits of the fourth group are 10

_is_name = re.compile(rf"[A-Za-z0-9._-]{{1,{LONGEST_NAME}}}").fullmatch
_tells_time = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[78][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}").fullmatch
_control = re.compile(r"[\x00-\x1f\x7f-\x9f]").search  # Unicode's category Cc
_is_trace_id = re.compile(r"[0-9a-f]{32}").fullmatch


def require_name(name: object, field: str = "id") -> None:
    """Refuse a declared name that could not stand in a topic's key, a path and a line of a log; raises MessageError.

    >>> require_name("air-t.2_b")
    """
    if isinstance(name, str) and (_is_name(name) is None or not name.strip(".")):
        signs = "letters, digits, '.', '_' and '-', not only dots"
        raise MessageError(field, f"must be 1 to {LONGEST_NAME} {signs}, and is {name!r:.120}")


def require_no_controls(message: Message, *names: str) -> None:
    """Refuse control characters in these fields: few stores, line protocols and logs hold such an id as it is."""
    for name in names:
        found = _control(getattr(message, name) or "")
        if found is not None:
            raise MessageError(name, f"must not have control characters, and has {found[0]!a} at {found.start()}")


def new_correlation_id(timestamp: float) -> str:
    """Return a fresh UUID (RFC 9562, version 7) of the instant of what it names; all that this causes carries it.

    >>> new_correlation_id(1_800_000_000.123)[:15]
    '01a3185c-507b-7'
    """
    return _uuid(timestamp, "7", os.urandom(10).hex())


def derived_id(*parts: object, at: float) -> str:
    """Return the UUID that belongs to these parts at this instant (RFC 9562, version 8), the same at every call.

    >>> derived_id("a", 1, at=0.0) == derived_id("a", 1, at=0.0) != derived_id("a", 2, at=0.0)
    True
    >>> derived_id("a", 1, at=1_800_000_000.123)
    '01a3185c-507b-8f3b-bc80-0f706caefca7'
    """
    name = "\x1f".join(map(str, parts)).encode()
    digest = hashlib.sha1(_NAMESPACE.bytes + name, usedforsecurity=False).hexdigest()
    return _uuid(at, "8", digest)


def time_in(correlation_id: str) -> float | None:
    """Return the instant that an id says it belongs to; None for ids that tell none.

    >>> time_in(new_correlation_id(1_800_000_000.123)), time_in("6d1a51c6-6a3c-4f0e-9a0e-3d5b4f6f7a10")
    (1800000000.123, None)
    """
    return int(correlation_id[:8] + correlation_id[9:13], 16) / 1000.0 if _tells_time(correlation_id) else None


def trace_parent(correlation_id: str) -> str:
    """Return the W3C Trace Context header of a correlation id (version 00, sampled).

    >>> trace_parent("0af76519-16cd-43dd-8448-eb211c80319c")
    '00-0af7651916cd43dd8448eb211c80319c-8448eb211c80319c-01'
    """
    trace_id = correlation_id.replace("-", "")
    if _is_trace_id(trace_id) is None:
        trace_id = uuid.uuid5(_NAMESPACE, correlation_id).hex
    return f"00-{trace_id}-{trace_id[16:]}-01"


def _uuid(timestamp: float, version: str, digits: str) -> str:
    # Put together of digits: arithmetic on 128 bits takes half as long again.
    if not 0.0 <= timestamp <= LATEST_TIMESTAMP:
        raise MessageError("timestamp", f"must be UTC epoch seconds from 0 to {LATEST_TIMESTAMP:.0f}, not {timestamp}")
    time = f"{round(timestamp * 1000.0):012x}"
    return f"{time[:8]}-{time[8:]}-{version}{digits[:3]}-{_VARIANT[digits[3]]}{digits[4:7]}-{digits[7:19]}"
