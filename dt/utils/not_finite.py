"""Which field of a text that is JSON but for its numbers has none: NaN, an infinity, or one too large to hold."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

_LONGEST_KEY = 80


def not_finite_in(text: bytes | str) -> str | None:
    """Return the field, as errors name it, of the first number that is not finite; None for any other text.

    >>> not_finite_in('{"value": NaN}'), not_finite_in(b'{"points": [[1, -Infinity]]}'), not_finite_in("[1e999]")
    ('value', 'points[0][1]', '[0]')
    >>> not_finite_in('{"value": 1')
    """
    try:
        return next(_places(json.loads(text), ""), None)
    except (ValueError, RecursionError):  # UnicodeDecodeError, and a number of too many digits, are ValueErrors
        return None


def _places(value: Any, place: str) -> Iterator[str]:
    if isinstance(value, float) and not math.isfinite(value):
        yield place or "$"
    elif isinstance(value, dict):
        for key, part in value.items():
            name = key[:_LONGEST_KEY].encode("utf-8", "replace").decode()  # half of a surrogate pair is no text
            yield from _places(part, f"{place}.{name}" if place else name)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _places(part, f"{place}[{index}]")
