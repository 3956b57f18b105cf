"""Which field of a text that is JSON but for its numbers has none: NaN, an infinity, or one too large to hold."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any


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
        for name, part in value.items():
            yield from _places(part, f"{place}.{name:.80}" if place else f"{name:.80}")
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _places(part, f"{place}[{index}]")
