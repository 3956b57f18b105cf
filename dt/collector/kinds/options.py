"""What the options of a sensor may be: rules that say what is wrong with a value, or None."""

from __future__ import annotations

from collections.abc import Callable

from dt.collector.camera_spec import camera_number
from dt.utils.exceptions import ConfigError, MessageError
from dt.utils.pins import pin_number

Rule = Callable[[object], str | None]


def one_of(*words: str) -> Rule:
    """Return the rule for a word of a list.

    >>> one_of("high", "low")("hi")
    "must be one of high, low, not 'hi'"
    """
    return lambda value: None if value in words else f"must be one of {', '.join(words)}, not {value!r}"


def number(low: float, high: float) -> Rule:
    """Return the rule for a number within limits.

    >>> number(0.0, 60.0)("7"), number(0.0, 60.0)(7)
    ("must be a number from 0 to 60, not '7'", None)
    """

    def rule(value: object) -> str | None:
        is_fine = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
        return None if is_fine else f"must be a number from {low:g} to {high:g}, not {value!r}"

    return rule


def whole(low: int, high: int) -> Rule:
    """Return the rule for a whole number within limits.

    >>> whole(31, 254)(69.5)
    'must be a whole number from 31 to 254, not 69.5'
    """

    def rule(value: object) -> str | None:
        is_fine = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return None if is_fine else f"must be a whole number from {low} to {high}, not {value!r}"

    return rule


def flag(value: object) -> str | None:
    """Say what is wrong with a value that must be true or false."""
    return None if isinstance(value, bool) else f"must be true or false, not {value!r}"


def text(value: object) -> str | None:
    """Say what is wrong with a value that must be a text."""
    return None if isinstance(value, str) and value else f"must be a text, not {value!r}"


def header_pin(value: object) -> str | None:
    """Say what is wrong with a pin of the header.

    >>> header_pin("banana"), header_pin("GPIO4")
    ("must be GPIO0 to GPIO27, not 'banana'", None)
    """
    try:
        pin_number(value if isinstance(value, str) else f"{value}")
    except MessageError as error:
        return error.why
    return None


def camera_pin(value: object) -> str | None:
    """Say what is wrong with the name of a camera.

    >>> camera_pin("camera12"), camera_pin("usb0")
    ("must be camera0 to camera9, or usb0 to usb9, not 'camera12'", None)
    """
    try:
        camera_number(str(value))
    except ConfigError:
        return f"must be camera0 to camera9, or usb0 to usb9, not {value!r}"
    return None
