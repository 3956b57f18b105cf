"""The OpenAPI 3.1 document, made by spectree of the types that endpoints describe themselves with."""

from __future__ import annotations

import dataclasses
import functools
import re
import typing
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec
from flask import Flask
from spectree import SpecTree
from spectree.model_adapter import get_msgspec_model_adapter
from spectree.response import Response as Answers

from dt.data.database.api import answers
from dt.data.database.api.answers import ProblemBody
from dt.data.database.api.described import Description, Media, description_of
from dt.data.database.api.ids import take_ids
from dt.data.database.api.words import EXAMPLES, GROUPS, PARAMETERS, PROBLEMS
from dt.utils.access import scope_of
from dt.utils.codec import LATEST_TIMESTAMP, Timestamp
from dt.utils.tokens import Scope

_REF = "#/components/schemas/"
_EVERYWHERE = (401, 403, 405, 422, 429, 503)
_TIME = {"type": "number", "minimum": 0, "maximum": LATEST_TIMESTAMP}
_TIMES = ("since", "until")
_TIME_WORDS = "UTC epoch seconds or ISO 8601"
_TEXT_TIME = {"type": "string", "format": "date-time"}
_NUMBER_AS_TEXT = {"type": "string", "pattern": r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"}
_MEDIA: Mapping[str, Any] = {
    "application/json": {"schema": {"type": "object"}},
    "text/csv": {"schema": {"type": "string"}},
    "text/html": {"schema": {"type": "string"}},
    "text/plain": {"schema": {"type": "string"}},
}
_TITLE = "Plant Twin: database service"
_ABOUT = (
    "Readings, records and everything that is known of plants, sensors and zones.\n\n"
    "Errors are problem+json (RFC 9457) and name the field and the limit. Times are UTC epoch seconds; where they are"
    " given, ISO 8601 does as well. Writing needs `Authorization: Bearer <token>` with the scope that an endpoint says;"
    " reading needs it when the service listens beyond loopback."
)


def document_of(app: Flask) -> dict[str, Any]:
    """Return the document of an app's described endpoints."""
    tree = SpecTree("flask", title=_TITLE, description=_ABOUT, version=_version(), annotations=False,
                    model_adapter=get_msgspec_model_adapter(), mode="strict", path="-",
                    naming_strategy=name_of, nested_naming_strategy=lambda _parent, child: child)  # fmt: skip
    # Spectree's wrapper would read whole streams: it describes a twin of the app, and never serves.
    twin = Flask(__name__, static_folder=None)
    take_ids(twin)
    for rule, description, view in described_rules(app):
        twin.add_url_rule(rule.rule, rule.endpoint, _told(tree, description, view), methods=sorted(rule.methods or ()))
    with twin.app_context():
        return _finished(typing.cast(dict[str, Any], tree.spec), app)


def described_rules(app: Flask) -> Iterator[tuple[Any, Description, Any]]:
    """Yield rule, description and view of every endpoint that describes itself."""
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        description = description_of(view)
        if description is not None:
            yield rule, description, view


def name_of(hint: Any) -> str:
    """Return the name of a type in the document.

    >>> name_of(list[ProblemBody])
    'ProblemBodyList'
    """
    if typing.get_origin(hint) is typing.Annotated:
        titles = [part.title for part in hint.__metadata__ if isinstance(part, msgspec.Meta) and part.title]
        return str(titles[-1]) if titles else name_of(typing.get_args(hint)[0])
    if typing.get_origin(hint) is list:
        return f"{name_of(typing.get_args(hint)[0])}List"
    return str(hint.__name__)


def _told(tree: SpecTree, description: Description, view: Any) -> Any:
    told_answers = {
        f"HTTP_{status}": None if kind is None or isinstance(kind, Media) else kind
        for status, kind in description.answers.items()
    }
    for status in sorted({*_EVERYWHERE, *description.problems} - set(description.answers)):
        told_answers[f"HTTP_{status}"] = (ProblemBody, PROBLEMS[status])

    @functools.wraps(view)
    def copy(*arguments: Any, **named: Any) -> Any:  # one view may serve two rules, with a description each
        return view(*arguments, **named)

    told = tree.validate(
        query=description.query,
        json=description.body,
        resp=Answers(**told_answers),
        tags=[description.group],
        skip_validation=True,
    )
    return told(copy)


def _finished(spec: dict[str, Any], app: Flask) -> dict[str, Any]:
    """Add what spectree has no words for: problem+json, other media, scopes, limits and examples."""
    spec["servers"] = [{"url": "/"}]
    spec["tags"] = [{"name": name, "description": GROUPS[name]} for name in sorted(tag["name"] for tag in spec["tags"])]
    spec["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    schemas = spec["components"]["schemas"]
    _reconcile(schemas, _message_types(app))
    for rule, description, view in described_rules(app):
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            operation = spec["paths"][path][method.lower()]
            operation["operationId"] = rule.endpoint
            _finish_operation(operation, description, scope_of(view, method))
    return spec


def _finish_operation(operation: dict[str, Any], description: Description, scope: Scope | None) -> None:
    if description.body is answers.Person:
        operation["requestBody"]["required"] = False
    operation["security"] = [{}, {"token": []}] if scope is Scope.READ else [{"token": []}]
    needed = str(scope) if scope else "write or act"
    operation["description"] = f"{operation['description']}\n\nScope: `{needed}`.".strip()
    for status, answer in operation["responses"].items():
        if int(status) not in description.answers:
            answer["content"] = {"application/problem+json": {"schema": {"$ref": f"{_REF}ProblemBody"}}}
    for status, kind in description.answers.items():
        if isinstance(kind, Media):
            operation["responses"][str(status)]["content"] = {kind.kind: _MEDIA.get(kind.kind, {})}
    for parameter in operation["parameters"]:
        _finish_parameter(parameter, description)


def _finish_parameter(parameter: dict[str, Any], description: Description) -> None:
    name = parameter["name"]
    kind = "" if description.query is None else description.query.__name__
    more = PARAMETERS.get(f"{kind}.{name}") or PARAMETERS.get(name, {})
    schema = _without_null(parameter["schema"])
    if schema.get("default", 0) is None:
        del schema["default"]
    if name in _TIMES:  # every endpoint knows what to take when they are left out
        schema = {"anyOf": [_TIME, _TEXT_TIME]}
        parameter["required"] = False
    parameter["description"] = more.get("description", "")
    parameter["schema"] = schema | {limit: value for limit, value in more.items() if limit != "description"}
    if name in description.repeated:
        parameter["style"], parameter["explode"] = "form", False


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without null, which a query string cannot say."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if not choices:
        return dict(schema)
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    return rest | (choices[0] if len(choices) == 1 else {"anyOf": choices})


def _reconcile(schemas: dict[str, Any], kinds: Mapping[str, type]) -> None:
    """Say of times, numbers and unknown fields what the messages themselves take and give."""
    for name, kind in kinds.items():
        schema = schemas.get(name)
        if schema is None:
            continue
        for field, hint in _hints(kind).items():
            if _is_time(hint) and field in schema["properties"]:
                schema["properties"][field] = _time_schema(schema["properties"][field])
    for name in EXAMPLES.keys() & schemas.keys():
        schemas[name]["examples"] = [EXAMPLES[name]]


def _time_schema(found: dict[str, Any]) -> dict[str, Any]:
    choices: list[dict[str, Any]] = [_TIME, _TEXT_TIME, _NUMBER_AS_TEXT]
    is_optional = {"type": "null"} in found.get("anyOf", ())
    return {"anyOf": [*choices, {"type": "null"}] if is_optional else choices, "description": _TIME_WORDS}


def _message_types(app: Flask) -> dict[str, type]:
    """Return every dataclass that bodies, queries and answers are made of, by name."""
    found: dict[str, type] = {}
    waiting: list[Any] = [
        hint
        for _rule, description, _view in described_rules(app)
        for hint in (description.query, description.body, *description.answers.values())
    ]
    while waiting:
        hint = waiting.pop()
        waiting += typing.get_args(hint)
        if isinstance(hint, type) and dataclasses.is_dataclass(hint) and hint.__name__ not in found:
            found[hint.__name__] = hint
            waiting += _hints(hint).values()
    return found


def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


def _is_time(hint: Any) -> bool:
    return hint == Timestamp or Timestamp in typing.get_args(hint)


def _version() -> str:
    try:
        return version("plant-twin")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"
