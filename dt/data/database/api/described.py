"""What an endpoint says of itself: the document is made of it, and unknown parameters are refused by it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, request

from dt.utils.exceptions import MessageError

_View = TypeVar("_View", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """An answer that is no message: its media type."""

    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """Group, words, types of query string, body and answers, and the problems beside 422 that may come."""

    group: str
    answers: Mapping[int, Any]
    query: type | None = None
    body: Any = None
    problems: tuple[int, ...] = ()
    repeated: tuple[str, ...] = ()  # parameters that may be given more than once

    @property
    def parameters(self) -> tuple[str, ...]:
        """Return the names of the query string's fields."""
        return () if self.query is None else tuple(field.name for field in dataclasses.fields(self.query))


def described(
    group: str,
    answers: Mapping[int, Any],
    *,
    query: type | None = None,
    body: Any = None,
    problems: tuple[int, ...] = (),
    repeated: tuple[str, ...] = (),
) -> Callable[[_View], _View]:
    """Describe a view; its docstring is what people read."""

    def describe(view: _View) -> _View:
        view.description = Description(  # type: ignore[attr-defined]
            group=group, answers=answers, query=query, body=body, problems=problems, repeated=repeated
        )
        return view

    return describe


def description_of(view: object) -> Description | None:
    """Return what a view says of itself."""
    found: Description | None = getattr(view, "description", None)
    return found


def refuse_unknown_parameters(app: Flask) -> None:
    """Let every described endpoint of an app refuse what its description does not have, by name."""

    @app.before_request
    def _check() -> None:
        for name, text in (*(request.view_args or {}).items(), *request.args.items(multi=True)):
            if "\x00" in str(text) or "\x00" in name:
                raise MessageError(name.replace("\x00", "")[:80], "must not hold the character NUL")
        description = description_of(app.view_functions.get(request.endpoint or ""))
        if description is None:
            return
        for name, values in request.args.lists():
            if name not in description.parameters:
                known = ", ".join(description.parameters)
                there_are = f"there are {known}" if known else "it has none"
                raise MessageError(name[:80], f"is no parameter of {request.path[:200]}; {there_are}")
            if len(values) > 1 and name not in description.repeated:
                raise MessageError(name, f"must be given once, not {len(values)} times")
