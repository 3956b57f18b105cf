"""Numbers and times out of MQTT payloads: plain ones as ESPHome sends them, JSON as Tasmota does."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from dt.collector.kinds.mqtt_options import Path

MOST_BYTES = 64 * 1024
_MOST_CHARACTERS = 64  # of a plain number
_LATEST_EPOCH_S = 253_402_300_800.0  # year 10000


class PayloadError(ValueError):
    """A payload holds no usable value; the text says why."""


def decode(payload: bytes) -> object:
    """Return a JSON payload's content; raises PayloadError."""
    _require_size(payload)
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise PayloadError(f"is no JSON: {error}, and begins with {_shown(payload)}") from error


def find(content: object, path: Path) -> object:
    """Return what stands at a path of decoded JSON; raises PayloadError that says how far the path leads.

    >>> find({"AM2301": {"Temperature": 21.5}}, ("AM2301", "Temperature"))
    21.5
    """
    here = content
    for depth, step in enumerate(path):
        here = _entry(here, step)
        if here is _MISSING:
            before = ".".join(map(str, path[:depth])) or "the payload"
            raise PayloadError(f"has no {step!r} in {before}")
    return here


def number(value: object) -> float:
    """Return a finite number, or a text that is one; raises PayloadError.

    >>> number("21.5")
    21.5
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str) or "_" in str(value):
        raise PayloadError(f"is no number but {str(value)[:_MOST_CHARACTERS]!r}")
    try:
        found = float(value)
    except (ValueError, OverflowError):
        raise PayloadError(f"is no number but {str(value)[:_MOST_CHARACTERS]!r}") from None
    if not math.isfinite(found):
        raise PayloadError(f"is {found}: the device has no value")  # ESPHome's word for a sensor that failed
    return found


def plain_number(payload: bytes) -> float:
    """Return the number that is the whole payload; raises PayloadError.

    >>> plain_number(b"23.40")
    23.4
    """
    _require_size(payload)
    text = payload.decode("ascii", "replace").strip()
    if not text or len(text) > _MOST_CHARACTERS or text[0] in "{[":
        hint = "; for JSON, set the option json" if text[:1] in {"{", "["} else ""
        raise PayloadError(f"is no number but {_shown(payload)}{hint}")
    return number(text)


def epoch(value: object, zone: ZoneInfo, not_after: float) -> float:
    """Return a payload's time in epoch seconds; a text without a zone is in `zone`. Raises PayloadError.

    Where the clock was put back an hour exists twice: the later one is meant unless it lies after `not_after`.

    >>> epoch("2026-03-01T12:00:00", ZoneInfo("UTC"), 2e9)
    1772366400.0
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0.0 <= value < _LATEST_EPOCH_S:
            raise PayloadError(f"has the time {value!r}, which is no epoch second")
        return float(value)
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None:
        raise PayloadError(f"has the time {str(value)[:_MOST_CHARACTERS]!r}, which is not ISO 8601")
    try:
        if moment.tzinfo is not None:
            return moment.astimezone(UTC).timestamp()
        later = moment.replace(tzinfo=zone, fold=1).timestamp()
        return later if later <= not_after else moment.replace(tzinfo=zone, fold=0).timestamp()
    except (OverflowError, ValueError) as error:  # the first and last hours that a calendar has
        raise PayloadError(f"has the time {str(value)[:_MOST_CHARACTERS]!r}, which no clock of UTC shows") from error


def _entry(here: object, step: str | int) -> object:
    if isinstance(step, str):
        return here.get(step, _MISSING) if isinstance(here, dict) else _MISSING
    return here[step] if isinstance(here, list) and step < len(here) else _MISSING


def _require_size(payload: bytes) -> None:
    if len(payload) > MOST_BYTES:
        raise PayloadError(f"has {len(payload)} bytes, more than {MOST_BYTES}")


def _shown(payload: bytes) -> str:
    return repr(payload[:40].decode("utf-8", "replace"))


_MISSING = object()
