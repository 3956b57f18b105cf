"""What a row of kind mqtt says: topic, place of the value, unit, and how long a value counts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dt.utils.dataclasses import SensorDescriptor
from dt.utils.exceptions import ConfigError, MessageError
from dt.utils.quantities import NEEDS_CALIBRATION, QUANTITIES, Quantity, Unit, to_canonical

Path = tuple[str | int, ...]

_STALE_AFTER_CADENCES = 3.0
_STEP = re.compile(r"""\.?(?P<name>[^.\[\]"]+)|\[(?P<index>\d+)\]|\["(?P<quoted>[^"]+)"\]""")


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttOptions:
    """The options of one sensor, checked; `json` and `time` are paths into a JSON payload."""

    topic: str
    json: Path | None
    unit: Unit
    scale: float
    offset: float
    time: Path | None
    timezone: ZoneInfo
    stale_after_s: float
    availability: str | None
    offline: str

    @classmethod
    def of(cls, descriptor: SensorDescriptor) -> MqttOptions:
        """Read a descriptor's options; raises ConfigError that names sensor and option."""
        given = descriptor.options
        try:
            return cls(
                topic=_topic(given, "topic", is_needed=True) or "",
                json=_path(given, "json"),
                unit=_unit(given, descriptor.data_type),
                scale=_scale(given),
                offset=_number(given, "offset", 0.0),
                time=_path(given, "time"),
                timezone=_zone(given),
                stale_after_s=_positive(given, _STALE_AFTER_CADENCES * descriptor.read_interval),
                availability=_topic(given, "availability", is_needed=False),
                offline=_text(given, "offline") or "offline",
            )
        except MessageError as error:
            raise ConfigError(f"sensor {descriptor.sensor_id}: {error}") from error


def check_options(descriptor: SensorDescriptor) -> None:
    """Raise ConfigError for options that cannot be."""
    MqttOptions.of(descriptor)


def parse_path(text: str) -> Path:
    """Return the steps of a path into JSON; raises ValueError.

    >>> parse_path("AM2301.Temperature")
    ('AM2301', 'Temperature')
    >>> parse_path('ENERGY["Total.Today"][1]')
    ('ENERGY', 'Total.Today', 1)
    """
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None or (at == 0 and text.startswith(".")):
            msg = f"cannot be read from {text[at:]!r} on; write it like AM2301.Temperature or values[0]"
            raise ValueError(msg)
        index = match["index"]
        steps.append(int(index) if index is not None else match["name"] or match["quoted"])
        at = match.end()
    if not steps:
        msg = "is empty"
        raise ValueError(msg)
    return tuple(steps)


def _text(given: dict[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise MessageError(name, f"must be a text, not {value!r}")
    return value


def _topic(given: dict[str, Any], name: str, *, is_needed: bool) -> str | None:
    topic = _text(given, name)
    if topic is None:
        if is_needed:
            raise MessageError(name, "is missing: the MQTT topic that the device publishes on")
        return None
    if re.search(r"[+#\0]", topic) or len(topic.encode()) > 65_535:
        raise MessageError(name, f"must be one topic, without + and #, not {topic[:80]!r}")
    return topic


def _path(given: dict[str, Any], name: str) -> Path | None:
    text = _text(given, name)
    try:
        return None if text is None else parse_path(text)
    except ValueError as error:
        raise MessageError(name, f"{error}") from error


def _unit(given: dict[str, Any], quantity: Quantity) -> Unit:
    text = _text(given, "unit")
    if text is None:
        return QUANTITIES[quantity].unit
    try:
        unit = Unit(text)
    except ValueError:
        raise MessageError("unit", f"must be one of {', '.join(Unit)}, not {text!r}") from None
    if (quantity, unit) not in NEEDS_CALIBRATION:
        to_canonical(quantity, 0.0, unit)  # raises where the quantity has no such unit
    return unit


def _number(given: dict[str, Any], name: str, default: float) -> float:
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < float("inf"):
        raise MessageError(name, f"must be a number, not {value!r}")
    return float(value)


def _scale(given: dict[str, Any]) -> float:
    scale = _number(given, "scale", 1.0)
    if scale == 0.0:
        raise MessageError("scale", "must not be 0, which makes every value the same")
    return scale


def _positive(given: dict[str, Any], default: float) -> float:
    seconds = _number(given, "stale_after_s", default)
    if seconds <= 0.0:
        raise MessageError("stale_after_s", f"must be more than 0 s, not {seconds:g}")
    return seconds


def _zone(given: dict[str, Any]) -> ZoneInfo:
    name = _text(given, "timezone") or "UTC"
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise MessageError("timezone", f"must be an IANA zone such as Europe/Rome, not {name!r}") from None
