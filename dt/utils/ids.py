"""Identifiers: random ones for what is born, derived ones for what must come out the same again."""

from __future__ import annotations

import re
import uuid

from dt.utils.exceptions import MessageError

_NAMESPACE = uuid.UUID("6d1a51c6-6a3c-5f0e-9a0e-3d5b4f6f7a10")


def require_name(name: object, field: str = "id") -> None:
    """Refuse a declared name that could not stand in a topic's key, a path and a line of a log; raises MessageError.

    >>> require_name("air-t.2_b")
    """
    if isinstance(name, str) and (re.fullmatch(r"[A-Za-z0-9._-]{1,100}", name) is None or not name.strip(".")):
        raise MessageError(
            field, f"must be 1 to 100 letters, digits, '.', '_' and '-', not only dots, and is {name!r:.120}"
        )


def new_correlation_id() -> str:
    """Return a fresh random UUID that follows a reading through everything that it causes."""
    return str(uuid.uuid4())


def derived_id(*parts: object) -> str:
    """Return the UUID that belongs to these parts, the same at every call.

    >>> derived_id("a", 1) == derived_id("a", 1) != derived_id("a", 2)
    True
    """
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join(map(str, parts))))


def trace_parent(correlation_id: str) -> str:
    """Return the W3C Trace Context header of a correlation id (version 00, sampled).

    >>> trace_parent("0af76519-16cd-43dd-8448-eb211c80319c")
    '00-0af7651916cd43dd8448eb211c80319c-8448eb211c80319c-01'
    """
    trace_id = correlation_id.replace("-", "")
    if len(trace_id) != 32 or not _is_hex(trace_id):
        trace_id = uuid.uuid5(_NAMESPACE, correlation_id).hex
    return f"00-{trace_id}-{trace_id[16:]}-01"


def _is_hex(text: str) -> bool:
    try:
        int(text, 16)
    except ValueError:
        return False
    return text == text.lower()
