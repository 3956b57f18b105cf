"""The query string as values; empty parameters count as not given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from flask import request

from dt.data.database.records import MOST_ITEMS, PageQuery
from dt.data.database.storage import Place
from dt.utils.dataclasses import MAX_QUERY_ROWS, AlertState, Outcome
from dt.utils.exceptions import MessageError
from dt.utils.quantities import Quantity

DAY_S = 86_400.0

# Words of a closed set among the columns that pages are narrowed by.
CHOICES: Mapping[str, type[StrEnum]] = {"state": AlertState, "outcome": Outcome, "quantity": Quantity}
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """A page of a list by id; without a limit all of it."""

    limit: int | None = None
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingsQuery:
    """A page of readings."""

    limit: int = MAX_QUERY_ROWS
    cursor: str | None = None


def given() -> dict[str, Any]:
    """Return the parameters that have a value."""
    return {name: text for name, text in request.args.items() if text}


def with_last_day(values: dict[str, Any], now: float) -> dict[str, Any]:
    """Return a range that ends now and is a day long, where nothing else is given."""
    values.setdefault("until", now)
    if "since" not in values:
        until = PageQuery.from_dict({"until": values["until"]}).until or now
        values["since"] = max(0.0, until - DAY_S)
    return values


def page_query(filters: Sequence[str]) -> tuple[PageQuery, dict[str, str]]:
    """Return the page that is asked for, and what narrows it."""
    values = given()
    wanted = {name: values[name] for name in filters if name in values}
    for name, kinds in CHOICES.items():
        if name in wanted:
            choice(name, wanted[name], kinds)
    return PageQuery.from_dict(values), wanted


def choice(name: str, word: str, kinds: type[StrEnum]) -> StrEnum:
    """Return a word of a closed set."""
    try:
        return kinds(word)
    except ValueError as error:
        raise MessageError(name, f"must be of {', '.join(kinds)}, not {word[:80]!r}") from error


def list_page(items: Sequence[_Item], id_of: Callable[[_Item], str]) -> Mapping[str, Any]:
    """Return the page that is asked for of a list, in the order of its ids."""
    cursor = request.args.get("cursor", "")
    left = sorted((item for item in items if id_of(item) > cursor), key=id_of)
    limit = whole_number("limit", MOST_ITEMS, default=None)
    page = left if limit is None else left[:limit]
    return {"items": page, "next": id_of(page[-1]) if len(left) > len(page) else None}


def whole_number(name: str, most: int, default: int | None) -> int | None:
    """Return a parameter from 1 to a limit."""
    text = request.args.get(name, "")
    if not text:
        return default
    is_number = text.isascii() and text.isdecimal() and len(text) <= 12
    if not is_number or not 1 <= int(text) <= most:
        raise MessageError(name, f"must be a whole number from 1 to {most}, not {text[:80]!r}")
    return int(text)


def place() -> Place | None:
    """Return the reading after which a page begins."""
    text = request.args.get("cursor", "")
    if not text:
        return None
    timestamp, separator, sensor_id = text.partition("~")
    try:
        found = (float(timestamp), sensor_id)
    except ValueError as error:
        raise MessageError("cursor", "must be that of a `next` link") from error
    if not separator or not 0.0 <= found[0] < 1e12:
        raise MessageError("cursor", "must be that of a `next` link")
    return found
