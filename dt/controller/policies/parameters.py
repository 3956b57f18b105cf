"""Parameters of policies: dataclasses whose fields carry limits, unit and words; checked, and described for people."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from dt.utils.dataclasses import PlantLimits
from dt.utils.exceptions import MessageError
from dt.utils.number import number_of

_Parameters = TypeVar("_Parameters")
_MOST_ENTRIES = 24


def number(default: float | None, low: float, high: float, unit: str, words: str) -> Any:
    """Return a field for a number within limits; one without a default follows the plant's own limits."""
    return dataclasses.field(default=default, metadata={"low": low, "high": high, "unit": unit, "words": words})


def choice(default: str, options: tuple[str, ...], words: str) -> Any:
    """Return a field for one of some words."""
    return dataclasses.field(default=default, metadata={"options": options, "words": words})


def text(default: str, words: str) -> Any:
    """Return a field for a text that the policy reads itself."""
    return dataclasses.field(default=default, metadata={"words": words})


def texts(words: str) -> Any:
    """Return a field for a list of texts."""
    return dataclasses.field(default=(), metadata={"words": words})


def read_parameters(kind: type[_Parameters], said: Mapping[str, Any]) -> _Parameters:
    """Make parameters of what a person said; raises MessageError that names `parameters.<name>` and its limit."""
    rows = {row.name: row for row in dataclasses.fields(cast(Any, kind))}
    for name in said:
        if name not in rows:
            known = ", ".join(rows) or "none"
            raise MessageError(f"parameters.{name}", f"is no parameter of this policy; there are: {known}")
    return kind(**{name: _checked(rows[name], value) for name, value in said.items()})


def describe_parameters(kind: type[Any]) -> dict[str, Any]:
    """Return a JSON schema of the parameters, with units and words."""
    rows = dataclasses.fields(kind)
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {row.name: _described(row) for row in rows},
    }


def require_below_high(name: str, value: float, limits: PlantLimits) -> None:
    """Refuse a soil moisture (m3/m3) above the plant's upper limit, up to which nothing waters (S5)."""
    if value > limits.soil_moisture_high:
        raise MessageError(
            name, f"must be at most {limits.soil_moisture_high:g} m3/m3, the plant's upper limit, not {value:g}"
        )


def _checked(row: dataclasses.Field[Any], value: Any) -> Any:
    name, meta = f"parameters.{row.name}", row.metadata
    if "low" in meta:
        return _number(name, meta, value, is_nullable=row.default is None)
    if "options" in meta:
        if value not in meta["options"]:
            raise MessageError(name, f"must be one of {', '.join(meta['options'])}, not {str(value)[:80]!r}")
        return value
    if row.default == ():
        if not isinstance(value, list | tuple) or len(value) > _MOST_ENTRIES:
            raise MessageError(name, f"must be a list of at most {_MOST_ENTRIES} texts")
        return tuple(_text(name, one) for one in value)
    return _text(name, value)


def _number(name: str, meta: Mapping[str, Any], value: Any, *, is_nullable: bool) -> float | None:
    if value is None and is_nullable:
        return None
    try:
        number = number_of(name, value)
    except MessageError as error:
        raise MessageError(name, f"must be a number, not {str(value)[:80]!r}") from error
    if not meta["low"] <= number <= meta["high"]:
        limits = f"{meta['low']:g} to {meta['high']:g} {meta['unit']}".rstrip()
        raise MessageError(name, f"must be from {limits}, not {number:g}")
    return number


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > 100:
        raise MessageError(name, f"must be a text of at most 100 characters, not {str(value)[:80]!r}")
    return value


def _described(row: dataclasses.Field[Any]) -> dict[str, Any]:
    meta, default = row.metadata, row.default
    seen: dict[str, Any] = {"description": meta["words"], "default": [] if default == () else default}
    if "low" in meta:
        kind = ["number", "null"] if default is None else "number"
        return seen | {"type": kind, "minimum": meta["low"], "maximum": meta["high"], "unit": meta["unit"]}
    if "options" in meta:
        return seen | {"type": "string", "enum": list(meta["options"])}
    return seen | ({"type": "array", "items": {"type": "string"}} if default == () else {"type": "string"})
