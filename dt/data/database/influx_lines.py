"""Readings as lines of InfluxDB's line protocol.

Measurement: the quantity. Tags: sensor, zone, plant, unit. Everything else is a field, and only there where it says
something: `value` (`bad_value` of a bad reading, so that sums over `value` need no filter), `suspect`, `unjudged`,
`raw_value` where it is another number (`no_raw` where there is none), `sequence`, `boot_id`, the correlation id as
`id_high` and `id_low`.
"""

from __future__ import annotations

import re
from operator import attrgetter
from typing import Any

import msgspec

from dt.utils.dataclasses import Origin, SensorData, Verdict
from dt.utils.exceptions import DTError

MOST_CAUSES = 3  # parents kept as numbers; more of them, or foreign ids, are a text
LATEST_MS = 9_223_372_036_853  # in the year 2262: the server counts nanoseconds in 63 bits
OWN_TIME_BITS = (
    16  # of an id: what follows its milliseconds in the first half; kept alone where those are the reading's
)

_LATEST_INT = 0x7FFF_FFFF_FFFF_FFFF
_MOST_KNOWN = 20_000  # 10 MB; a sensor that was renamed never comes back
_HALF = 0xFFFF_FFFF_FFFF_FFFF

_is_uuid = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
_special_in_tags = re.compile(r"[,= ]")
_special_in_texts = re.compile(r'["\\]')
_shared = attrgetter(
    *("sensor_id", "data_type", "unit", "zone_id", "plant_id"),
    *("boot_id", "clock_synced", "calibration", "late", "schema", "origin"),
)


class UnkeepableError(DTError):
    """A reading that line protocol or the server's types cannot hold."""


class LineWriter:
    """Makes lines; remembers what the last reading of a sensor and verdict shares with the next."""

    def __init__(self) -> None:
        self._known: dict[Any, tuple[Any, str, str]] = {}
        self.made = 0  # beginnings of lines: each may be of a series that was not there

    def line(self, reading: SensorData, timestamp_ms: int) -> str:
        """Return a reading's line, its time in milliseconds; raises UnkeepableError."""
        quality = reading.quality
        # The value behind the enumeration's member: a member's own hash takes ten times as long.
        key = reading.sensor_id if quality is None else (reading.sensor_id, quality.verdict._value_, quality.check)
        shared, start, end = self._known.get(key) or self._ends(key, reading)
        if shared != _shared(reading):
            shared, start, end = self._ends(key, reading)
        value, raw_value, sequence = reading.value, reading.raw_value, reading.sequence
        if sequence > _LATEST_INT or timestamp_ms > LATEST_MS:
            raise UnkeepableError(_too_large(reading))
        correlation_id = reading.correlation_id
        if _is_uuid(correlation_id) is None:
            own = f",correlation_id={_text(correlation_id)}"
        else:
            number = int(correlation_id.replace("-", ""), 16)
            high, low = number >> 64, number & _HALF
            if high >> OWN_TIME_BITS == timestamp_ms:
                own = f",id_high={high & 0xFFFF}i,id_low={low - 0x1_0000_0000_0000_0000 if low > _LATEST_INT else low}i"
            else:
                own = foreign_id(correlation_id, high, low)
        if raw_value != value:
            own += ",no_raw=t" if raw_value is None else f",raw_value={raw_value!r}"
        if reading.revision or reading.caused_by or (quality is not None and quality.why is not None):
            own += _rare(reading)
        return f"{start}{value!r},sequence={sequence}i{own}{end} {timestamp_ms}"

    def _ends(self, key: Any, reading: SensorData) -> tuple[Any, str, str]:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self.made += 1
        made = self._known[key] = (_shared(reading), _start(reading), _end(reading))
        return made


def tag(name: str, value: str) -> str:
    r"""Return a tag's value as it stands in a line.

    >>> print(tag("zone_id", "top shelf, a=b"))
    top\ shelf\,\ a\=b
    """
    if value.endswith("\\") or not value.isprintable():
        raise UnkeepableError(
            f"{name}: must have no control characters and no backslash at its end, and is {value!r:.80}"
        )
    return _special_in_tags.sub(r"\\\g<0>", value)


def foreign_id(correlation_id: str, high: int, low: int) -> str:
    """Return the fields of an id that tells another time than its reading's, or none."""
    if high <= 0xFFFF:  # would look like what is left of an id with the reading's time
        return f",correlation_id={_text(correlation_id)}"
    return f",id_high={_signed(high)}i,id_low={_signed(low)}i"


def halves_of(correlation_id: str) -> tuple[int, int] | None:
    """Return a UUID as two signed numbers of 64 bits; None for ids that are none in lower case."""
    if _is_uuid(correlation_id) is None:
        return None
    number = int(correlation_id.replace("-", ""), 16)
    return _signed(number >> 64), _signed(number & _HALF)


def id_of(high: int, low: int) -> str:
    """Return the UUID of two signed halves.

    >>> id_of(*halves_of("01a3185c-507b-7ecf-8800-f706caefca72"))
    '01a3185c-507b-7ecf-8800-f706caefca72'
    """
    digits = f"{high & _HALF:016x}{low & _HALF:016x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def field_names(line: str) -> set[str]:
    r"""Return the names of a line's fields, and its measurement with tags as one more.

    >>> sorted(field_names(r'vpd,zone_id=a\ b value=1.0,why="a,b=\"c d" 7'))
    ['value', 'vpd,zone_id=a\\ b', 'why']
    """
    series, _space, fields = re.split(r"(?<!\\)( )", line, maxsplit=1)
    return {series, *re.findall(r'(\w+)=(?:"(?:[^"\\]|\\.)*"|[^,"]*)', fields.rpartition(" ")[0])}


def _start(reading: SensorData) -> str:
    tags = {
        "plant_id": reading.plant_id,
        "sensor_id": reading.sensor_id,
        "unit": reading.unit,
        "zone_id": reading.zone_id,
    }
    kept = [f",{name}={tag(name, value)}" for name, value in tags.items() if value]
    name = "bad_value" if reading.quality is not None and reading.quality.verdict is Verdict.BAD else "value"
    return f"{reading.data_type}{''.join(kept)} {name}="


def _end(reading: SensorData) -> str:
    """Return the fields that readings of a boot share."""
    quality = reading.quality
    parts = [(f",boot_id={_text(reading.boot_id)}", bool(reading.boot_id))]
    parts.append((",clock_synced=f", not reading.clock_synced))
    parts.append((",unjudged=t", quality is None))
    parts.append((",suspect=t", quality is not None and quality.verdict is Verdict.SUSPECT))
    if quality is not None and quality.check is not None:
        parts.append((f",check={_text(quality.check)}", True))
    if reading.calibration is not None:
        parts.append((f",calibration={_integer('calibration', reading.calibration)}", True))
    parts.append((",late=t", reading.late))
    parts.append((f",schema={_integer('schema', reading.schema)}", reading.schema != 1))
    parts.append((f",origin={_text(reading.origin)}", reading.origin is not Origin.LIVE))
    return "".join(part for part, wanted in parts if wanted)


def _rare(reading: SensorData) -> str:
    made = "" if not reading.revision else f",revision={_integer('revision', reading.revision)}"
    if reading.quality is not None and reading.quality.why is not None:
        made += f",why={_text(reading.quality.why)}"
    halves = [halves_of(parent) for parent in reading.caused_by]
    if len(halves) > MOST_CAUSES or None in halves:
        return f"{made},caused_by={_text(msgspec.json.encode(reading.caused_by).decode())}"
    return made + "".join(
        f",cause{place}_high={half[0]}i,cause{place}_low={half[1]}i"
        for place, half in enumerate(halves)
        if half is not None
    )


def _text(value: str) -> str:
    return '"' + _special_in_texts.sub(r"\\\g<0>", value) + '"'


def _integer(name: str, value: int) -> str:
    if not -_LATEST_INT <= value <= _LATEST_INT:
        raise UnkeepableError(f"{name}: must be within 63 bits, and is {value}")
    return f"{value}i"


def _signed(number: int) -> int:
    return number - 0x1_0000_0000_0000_0000 if number > _LATEST_INT else number


def _too_large(reading: SensorData) -> str:
    if reading.sequence > _LATEST_INT:
        return f"sequence: must be at most {_LATEST_INT}, and is {reading.sequence}"
    return f"timestamp: must be at most {LATEST_MS / 1000:.0f} (in the year 2262), and is {reading.timestamp}"
