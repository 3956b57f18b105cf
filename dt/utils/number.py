"""A number that stands outside a message, taken as fields of messages take theirs: a text that is one is one, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dt.utils.codec import Message
from dt.utils.exceptions import MessageError


@dataclass(frozen=True, slots=True, kw_only=True)
class _Number(Message):
    value: float


def number_of(name: str, value: Any) -> float:
    """Return a finite number; raises MessageError with the field's name.

    >>> number_of("ml", "10"), number_of("ml", 2)
    (10.0, 2.0)
    """
    try:
        return _Number(value=value).value
    except MessageError as error:
        raise MessageError(name, f"must be a finite number, not {str(value)[:80]!r}") from error
