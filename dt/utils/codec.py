"""How a message is checked as it is made, and how it becomes JSON and back."""

from __future__ import annotations

import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Self, TypeVar, cast

import msgspec

from dt.utils.exceptions import MessageError
from dt.utils.not_finite import not_finite_in

Converter = Callable[[str, Any], Any]
_Made = TypeVar("_Made")
_Sent = TypeVar("_Sent", bound="Message")

_EPOCH_MARK = "UTC epoch seconds, rounded to the millisecond"
Timestamp = Annotated[float, _EPOCH_MARK]

LATEST_TIMESTAMP = 253_402_300_799.0  # the last second of the year 9999
LONGEST_TEXT = 8192
LARGEST_INTEGER = 2**53 - 1  # what every reader of JSON holds exactly (RFC 8259, section 6), and every database

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z")
_encoder = msgspec.json.Encoder()


class Message:
    """What travels on the bus and in REST: checked on construction, JSON both ways."""

    __slots__ = ()

    def __post_init__(self) -> None:
        """Turn what is convertible into its type and refuse the rest, naming the field."""
        _repair_of(type(self))(self)
        self.ensure_consistent()

    def ensure_consistent(self) -> None:
        """Refuse what no single field shows; subclasses say what must fit together."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Make a message of a JSON object; unknown fields are ignored, missing ones refused."""
        if not isinstance(data, Mapping):
            raise MessageError("$", f"must be an object, not {_name_of(data)}")
        known = {}
        for name, required in _fields_of(cls):
            if name in data:
                known[name] = data[name]
            elif required:
                raise MessageError(name, "is missing")
        return cls(**known)

    @classmethod
    def from_json(cls, text: bytes | str) -> Self:
        """Decode one message; raises MessageError with the field's name."""
        try:
            return cast(Self, _decoder_of(cls).decode(text))
        except MessageError:
            raise
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            # Slower, tolerant and exact: numeric strings become numbers, and the error names the field.
            return cls.from_dict(parse_json(text))

    def to_dict(self) -> dict[str, Any]:
        """Return the message as plain JSON values."""
        return cast(dict[str, Any], msgspec.to_builtins(self))

    def to_json(self) -> bytes:
        """Encode the message as UTF-8 JSON."""
        return _encoder.encode(self)

    @classmethod
    def validate_json(cls, text: bytes | str) -> list[str]:
        """Return every problem found in a JSON text, each as `field: why`; empty when it is fine."""
        try:
            data = parse_json(text)
        except MessageError as error:
            return [str(error)]
        if not isinstance(data, Mapping):
            return [f"$: must be an object, not {_name_of(data)}"]
        problems = [f"{name}: is missing" for name, required in _fields_of(cls) if required and name not in data]
        for name, _exact, nullable, convert in _checks_of(cls):
            try:
                if name in data and not (nullable and data[name] is None):
                    convert(name, data[name])
            except MessageError as error:
                problems.append(str(error))
        return problems or _whole_problems(cls, data)


def reader_of(cls: type[_Sent]) -> Callable[[bytes | str], _Sent]:
    """Return a function that reads messages as `from_json` does, in half the time, for who only looks at their fields.

    What needs no conversion comes as a struct with the same fields, which is neither equal to nor an instance of `cls`.
    """
    twin = msgspec.defstruct(cls.__name__, _twin_fields(cls), frozen=True, gc=False)
    decode, is_exact, ensure = msgspec.json.Decoder(twin).decode, _is_exact_of(cls), cls.ensure_consistent

    def read(text: bytes | str) -> _Sent:
        try:
            if len(text) <= LONGEST_TEXT:  # then none of its texts is longer
                found = cast(_Sent, decode(text))
                if is_exact(found):
                    ensure(found)
                    return found
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, MessageError):
            pass  # said by `from_json`
        return cls.from_json(text)

    return read


def filled_by_slot(cls: type[_Made]) -> type[_Made]:
    """Give a frozen, slotted dataclass a constructor that costs half: `object.__setattr__` looks up every name."""
    names: dict[str, Any] = {}
    parameters, lines = [], []
    for row in fields(cast(Any, cls)):
        has_default = row.default is not MISSING
        parameters.append(f"{row.name}=default_{row.name}" if has_default else row.name)
        lines.append(f"    put_{row.name}(self, {row.name})")
        names.update({f"default_{row.name}": row.default, f"put_{row.name}": getattr(cls, row.name).__set__})
    source = [f"def __init__(self, *, {', '.join(parameters)}):", *lines, "    self.__post_init__()"]
    exec("\n".join(source), names)  # noqa: S102 - made of the names of dataclass fields alone
    names["__init__"].__qualname__ = f"{cls.__qualname__}.__init__"
    setattr(cls, "__init__", names["__init__"])  # noqa: B010 - the type checker refuses the assignment
    return cls


def require_text(message: Message, *names: str) -> None:
    """Refuse empty texts in these fields."""
    for name in names:
        if not getattr(message, name):
            raise MessageError(name, "must not be empty")


def require_at_least(message: Message, name: str, low: int) -> None:
    """Refuse a number below the lowest that there is."""
    if getattr(message, name) < low:
        raise MessageError(name, f"must be {low} or more, not {getattr(message, name)}")


def _whole_problems(cls: type[Message], data: Mapping[str, Any]) -> list[str]:
    try:
        cls.from_dict(data)
    except MessageError as error:
        return [str(error)]
    return []


def parse_json(text: bytes | str) -> Any:
    """Return any JSON value; raises MessageError for everything else: field `$`, or that of a number that is none."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if (field := not_finite_in(text)) is not None:
            raise MessageError(field, "must be a finite number") from error
        raise MessageError("$", f"is not JSON: {error}") from error
    except RecursionError:
        raise MessageError("$", "is nested too deeply") from None


def _once_per_class(make: Callable[[type[Message]], _Made]) -> Callable[[type[Message]], _Made]:
    # A class object is hashable, which the type checker doubts where its instances define __eq__.
    return cast(Callable[[type[Message]], _Made], cache(make))


@_once_per_class
def _decoder_of(cls: type[Message]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(cls)


@_once_per_class
def _fields_of(cls: type[Message]) -> tuple[tuple[str, bool], ...]:
    rows = fields(cast(Any, cls))  # every subclass is a dataclass
    return tuple((row.name, row.default is MISSING and row.default_factory is MISSING) for row in rows)


@_once_per_class
def _checks_of(cls: type[Message]) -> tuple[tuple[str, type | None, bool, Converter], ...]:
    """Return for each field: name, the type that needs no conversion, whether null is fine, the conversion."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return tuple((name, *_check_of(hints[name])) for name, _required in _fields_of(cls))


def _twin_fields(cls: type[Message]) -> list[Any]:
    hints, made = typing.get_type_hints(cls), []
    for row in fields(cast(Any, cls)):
        factory = row.default_factory
        default = row.default if factory is MISSING else msgspec.field(default_factory=factory)
        made.append((row.name, hints[row.name], *(() if default is MISSING else (default,))))
    return made


@_once_per_class
def _is_exact_of(cls: type[Message]) -> Callable[[Message], bool]:
    """Return a function that tells whether what was decoded strictly also keeps the limits of its numbers."""
    names: dict[str, Any] = {"LATEST": LATEST_TIMESTAMP}
    conditions = ["False"]
    for index, (name, exact, nullable, convert) in enumerate(_checks_of(cls)):
        if exact is int or convert is as_timestamp:
            needed = _needs_conversion(exact, f"type_{index}", is_time=convert is as_timestamp)
            there = "is not None and " if nullable else "is value and "
            names[f"type_{index}"] = exact
            conditions.append(f"(value := message.{name}) {there}({needed})")
    exec(f"def is_exact(message):\n    return not ({' or '.join(conditions)})", names)  # noqa: S102 - of our own fields
    return cast(Callable[[Message], bool], names["is_exact"])


@_once_per_class
def _repair_of(cls: type[Message]) -> Callable[[Message], None]:
    """Return a function that converts the fields that need it: written out, for every message goes through it."""
    lines = ["def repair(message):", "    pass"]
    names: dict[str, Any] = {"put": object.__setattr__, "LATEST": LATEST_TIMESTAMP}
    for index, (name, exact, nullable, convert) in enumerate(_checks_of(cls)):
        needed = _needs_conversion(exact, f"type_{index}", is_time=convert is as_timestamp)
        there = "value is not None and " if nullable else ""
        names.update({f"type_{index}": exact, f"convert_{index}": convert})
        lines += [
            f"    value = message.{name}",
            f"    if {there}({needed}):",
            f"        put(message, {name!r}, convert_{index}({name!r}, value))",
        ]
    exec("\n".join(lines), names)  # noqa: S102 - made of the names of dataclass fields alone
    return cast(Callable[[Message], None], names["repair"])


def _needs_conversion(exact: type | None, type_name: str, *, is_time: bool) -> str:
    """Return the condition, as source, under which `value` is not what it should be."""
    if exact is None:
        return "value != ()"  # empty is right for every structure
    if exact is tuple:
        return "value != () and not (type(value) is tuple and all(type(part) is str for part in value))"
    if is_time:
        return "type(value) is not float or not 0.0 <= value <= LATEST or round(value * 1000.0) / 1000.0 != value"
    if exact is float:
        return "type(value) is not float or value - value != 0.0"  # infinities and NaN
    beyond = {
        int: f" or not -{LARGEST_INTEGER} <= value <= {LARGEST_INTEGER}",
        str: f" or len(value) > {LONGEST_TEXT}",
    }.get(exact, "")
    return f"type(value) is not {type_name}{beyond}"


def _check_of(hint: Any) -> tuple[type | None, bool, Converter]:
    if typing.get_origin(hint) in (types.UnionType, typing.Union) and type(None) in typing.get_args(hint):
        rest = [arg for arg in typing.get_args(hint) if arg is not type(None)]
        if len(rest) == 1:
            exact, convert = _converter_of(rest[0])
            return exact, True, convert
    exact, convert = _converter_of(hint)
    return exact, False, convert


def _converter_of(hint: Any) -> tuple[type | None, Converter]:
    if typing.get_origin(hint) is Annotated and _EPOCH_MARK in hint.__metadata__:
        return float, as_timestamp
    simple: dict[Any, tuple[type, Converter]] = {
        float: (float, _number),
        int: (int, _integer),
        bool: (bool, _boolean),
        str: (str, _text),
    }
    if hint in simple:
        return simple[hint]
    if hint == tuple[str, ...]:
        return tuple, _structure(hint)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint, _choice(hint)
    if isinstance(hint, type) and issubclass(hint, Message):
        return hint, _nested(hint)
    return None, _structure(hint)


def _number(name: str, value: Any) -> float:
    if type(value) is not float:
        value = _as_float(name, value, "a number")
    if not math.isfinite(value):
        raise MessageError(name, f"must be a finite number, not {value}")
    return cast(float, value)


def as_timestamp(name: str, value: Any) -> float:
    """Return epoch seconds of a number, its text, or ISO 8601; raises MessageError with the field's name."""
    if type(value) is str and not _NUMBER.match(value.strip()):
        value = _epoch_of_iso(name, value)
    number = _number(name, value)
    if not 0.0 <= number <= LATEST_TIMESTAMP:
        raise MessageError(name, f"must be UTC epoch seconds from 0 to {LATEST_TIMESTAMP:.0f}, not {number:g}")
    return round(number * 1000.0) / 1000.0  # round(number, 3) takes four times as long


def _epoch_of_iso(name: str, value: str) -> float:
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError as error:
        raise MessageError(name, f"must be epoch seconds or ISO 8601, not {value[:80]!r}") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _as_float(name: str, value: Any, what: str) -> float:
    if isinstance(value, str) and _NUMBER.match(value.strip()):
        return float(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as error:
            raise MessageError(name, f"must be {what}, and this one is too large") from error
    raise MessageError(name, f"must be {what}, not {_name_of(value)}")


def _integer(name: str, value: Any) -> int:
    number = value if type(value) is int else _as_float(name, value, "a whole number")
    if not -LARGEST_INTEGER <= number <= LARGEST_INTEGER:  # NaN neither
        raise MessageError(name, f"must be a whole number from -{LARGEST_INTEGER} to {LARGEST_INTEGER}")
    if number != int(number):
        raise MessageError(name, f"must be a whole number, not {number}")
    return int(number)


def _boolean(name: str, value: Any) -> bool:
    if type(value) is bool:
        return value
    raise MessageError(name, f"must be true or false, not {_name_of(value)}")


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise MessageError(name, f"must be a text, not {_name_of(value)}")
    if len(value) > LONGEST_TEXT:
        raise MessageError(name, f"must have at most {LONGEST_TEXT} characters, not {len(value)}")
    return value


def _choice(choices: type[StrEnum]) -> Converter:
    def convert(name: str, value: Any) -> StrEnum:
        try:
            return choices(value)
        except ValueError as error:
            allowed = ", ".join(choices)
            raise MessageError(name, f"must be one of {allowed}, not {str(value)[:80]!r}") from error

    return convert


def _nested(cls: type[Message]) -> Converter:
    def convert(name: str, value: Any) -> Message:
        if isinstance(value, cls):
            return value
        try:
            return cls.from_dict(value)
        except MessageError as error:
            raise MessageError(f"{name}.{error.field}".removesuffix(".$"), error.why) from error

    return convert


def _structure(hint: Any) -> Converter:
    def convert(name: str, value: Any) -> Any:
        if value == ():
            return value
        try:
            made = msgspec.convert(value, hint)
        except msgspec.ValidationError as error:
            raise MessageError(name, str(error)) from error
        _require_finite(name, made)
        return made

    return convert


def _require_finite(name: str, value: Any) -> None:
    """Refuse NaN and infinities, however deep they stand."""
    if isinstance(value, float) and not math.isfinite(value):
        raise MessageError(name, f"must hold finite numbers alone, not {value}")
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    for part in inner:
        _require_finite(name, part)


def _name_of(value: Any) -> str:
    if isinstance(value, str):
        return f"the text {value[:80]!r}"
    names = {
        bool: "a boolean",
        type(None): "null",
        dict: "an object",
        list: "a list",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), type(value).__name__)
