#!/usr/bin/env python3
"""Write notes/reference from the code: topics, settings, messages and REST. `--check` only says what is stale.

No network, nothing is started: the REST pages come from the services' own URL maps, built in a temporary folder.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
import tempfile
import types
import typing
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from annotated_types import Ge, Le, MaxLen
from flask import Flask

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dt.communication.memory import MemoryMessaging  # noqa: E402 - the checkout comes first on the path
from dt.communication.topics import TOPIC_TABLE, TopicSpec  # noqa: E402
from dt.utils import dataclasses as messages  # noqa: E402
from dt.utils import vocabulary  # noqa: E402
from dt.utils.clock import ManualClock  # noqa: E402
from dt.utils.codec import Message, Timestamp  # noqa: E402
from dt.utils.config import SECRETS, Config, Settings, load_settings  # noqa: E402
from dt.utils.http import create_api  # noqa: E402
from dt.utils.quantities import QUANTITIES, Quantity, Unit  # noqa: E402
from dt.utils.service import Service  # noqa: E402
from scripts.reference_words import REST_WORDS, SETTING_VALUES, SETTING_WORDS, TOPIC_WORDS  # noqa: E402

FOLDER = ROOT / "notes" / "reference"
DIAGRAM = ROOT / "notes" / "block-diagram.svg"
_MADE = "<!-- Made by scripts/make_reference.py from the code; change the code, then run it again. -->"
_SECOND_MS = 1000
_MIB = 1024 * 1024
_PERIODS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))

_EVERYWHERE = ("/health", "/ready", "/metrics")


def main(arguments: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    """Write the pages, or with `--check` return 1 when one is stale."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a page is stale")
    is_check = parser.parse_args(arguments).check
    pages = make_pages()
    stale = [name for name, text in pages.items() if _read(folder / name) != text]
    if is_check:
        if stale:
            listed = ", ".join(stale)
            print(f"notes/reference is stale ({listed}): run scripts/make_reference.py", file=sys.stderr)
        return 1 if stale else 0
    folder.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (folder / name).write_text(pages[name], encoding="utf-8")
    print(f"notes/reference: {len(stale)} of {len(pages)} pages written")
    return 0


def make_pages() -> dict[str, str]:
    """Return every page by its file name."""
    return {
        "topics.md": _page("Topics", topics()),
        "settings.md": _page("Settings", settings_lines()),
        "messages.md": _page("Messages", message_lines()),
        "rest.md": _page("REST", rest_lines()),
    }


# --- topics ----------------------------------------------------------------------------------------------------------


def family_of(topic: str) -> str:
    """Return the family that a topic belongs to.

    >>> family_of("dt.sensors.humidity.raw")
    'dt.sensors.<quantity>.raw'
    """
    topic = re.sub(r"^dt\.sensors\.\w+\.", "dt.sensors.<quantity>.", topic)
    return re.sub(r"^dt\.state\.\w+$", "dt.state.<service>", topic)


def topics() -> Iterator[str]:
    """Yield the page of topics: what they carry, and how they are kept."""
    links = _links_by_family()
    yield "`TOPIC_PREFIX` precedes every name. `scripts/kafka_manager.py setup` creates the topics as the second table"
    yield "says. Every service but the collector writes to `dt.dead_letters` what it could not use."
    yield ""
    rows = [(f"`{f}`", *TOPIC_WORDS[f], *links[f]) for f in dict.fromkeys(map(family_of, TOPIC_TABLE))]
    yield from _table(("topic", "key", "value", "is for", "written by", "read by"), rows)
    yield ""
    kept = [(f"`{topic}`", *_kept(spec)) for topic, spec in TOPIC_TABLE.items()]
    yield from _table(("topic", "partitions", "kept", "largest record"), kept)


def _kept(spec: TopicSpec) -> tuple[str, str, str]:
    kept = "latest of each key" if spec.is_compacted else _period(spec.retention_ms)
    return str(spec.partitions), kept, f"{spec.max_message_bytes // _MIB} MiB"


def _period(milliseconds: int | None) -> str:
    if milliseconds is None:
        return "for ever"
    seconds = milliseconds // _SECOND_MS
    unit, length = next((u, n) for u, n in _PERIODS if seconds % n == 0)
    return f"{seconds // length} {unit}"


def _links_by_family() -> dict[str, tuple[str, str]]:
    """Return who writes and who reads, as the block diagram says (a test compares it with the code)."""
    drawing = ElementTree.parse(DIAGRAM)  # noqa: S314 - a file of this repository
    ids = {g.get("id", ""): _words(g).split()[0] for g in drawing.iter() if g.get("id", "").startswith("topic-")}
    found: dict[str, tuple[list[str], list[str]]] = {family: ([], []) for family in ids.values()}
    for group in drawing.iter():
        name = group.get("id", "").removeprefix("service-")
        for side, key in enumerate(("data-writes", "data-reads")):
            for topic in group.get(key, "").split():
                found[ids[f"topic-{topic}"]][side].append(name)
    found["dt.actions"][0].append("your own program")
    return {family: (", ".join(w) or "nobody", ", ".join(r)) for family, (w, r) in found.items()}


def _words(group: ElementTree.Element) -> str:
    return " ".join("".join(e.itertext()) for e in group.iter() if e.tag.endswith("}text"))


# --- settings --------------------------------------------------------------------------------------------------------


def settings_lines() -> Iterator[str]:
    """Yield the page of settings."""
    yield "The first that is set wins: option, environment, `.env`, secret file (`DT_SECRETS_DIR`), default."
    yield "`dt settings` shows each value and where it came from; a wrong one ends the program with exit code 2."
    yield ""
    rows = []
    for name in Config:
        field = Settings.model_fields[name.lower()]
        default = "empty" if field.default in ("", None) else f"`{field.default}`"
        secret = " (secret)" if name in SECRETS else ""
        allowed = SETTING_VALUES.get(name) or _allowed(field.annotation, field.metadata)
        rows.append((f"`{name}`", default, allowed, SETTING_WORDS[name] + secret))
    yield from _table(("name", "default", "values", "means"), rows)


def _allowed(hint: Any, metadata: Iterable[Any]) -> str:
    arguments = [a for a in typing.get_args(hint) if a is not type(None)]
    if typing.get_origin(hint) is typing.Literal:
        return ", ".join(f"`{a}`" for a in arguments)
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return _allowed(arguments[0], metadata)
    words = {str: "text", int: "whole number", float: "number", Path: "path"}[hint]
    for limit in metadata:
        match limit:
            case Ge(ge=low):
                words += f", at least {low}"
            case Le(le=high):
                words += f", at most {high}"
            case MaxLen(max_length=length):
                words += f", at most {length} characters"
    return words


# --- messages --------------------------------------------------------------------------------------------------------


def message_lines() -> Iterator[str]:
    """Yield the page of messages, their fields, and the closed sets of words."""
    yield "JSON on the bus and in REST. Times are UTC epoch seconds, rounded to the millisecond; a reader ignores what"
    yield "it does not know. Numbers may arrive as text, times as ISO 8601; all else is refused with the field's name."
    for name in messages.__all__:
        kind = getattr(messages, name)
        if isinstance(kind, type) and issubclass(kind, Message) and kind is not Message:
            yield from _message(kind)
    yield from ("", "## Closed sets of words", "")
    sets: list[type[StrEnum]] = [v for v in vars(vocabulary).values() if _is_set(v)]
    sets.append(Unit)
    rows = [(words.__name__, ", ".join(f"`{word}`" for word in words), words.__doc__ or "") for words in sets]
    yield from _table(("set", "words", "says"), rows)
    yield from ("", "## Quantities", "")
    units = [(f"`{q}`", f"`{QUANTITIES[q].unit}`", QUANTITIES[q].label, _limits(q)) for q in Quantity]
    yield from _table(("quantity", "unit once processed", "is", "can be"), units)


def _is_set(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, StrEnum) and value is not StrEnum


def _limits(quantity: Quantity) -> str:
    spec = QUANTITIES[quantity]
    return f"{spec.low:g} to {spec.high:g}" if spec.low < spec.high else "a picture"


def _message(kind: type[Message]) -> Iterator[str]:
    hints = typing.get_type_hints(kind, include_extras=True)
    yield from ("", f"## {kind.__name__}", "", str(kind.__doc__), "")
    fields = dataclasses.fields(typing.cast(Any, kind))
    yield from _table(
        ("field", "type", "default"), [(f"`{f.name}`", type_words(hints[f.name]), _default(f)) for f in fields]
    )


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return "its defaults" if dataclasses.is_dataclass(field.default_factory) else "empty"
    if field.default is dataclasses.MISSING:
        return "required"
    words = {None: "null", True: "true", False: "false", "": "empty", (): "empty"}
    if type(field.default) in (int, float):
        return f"{field.default:g}"
    return words.get(field.default, f"`{field.default}`")


def type_words(hint: Any) -> str:
    """Return a type in words.

    >>> type_words(tuple[str, ...])
    'list of text'
    """
    plain = {float: "number", int: "whole number", bool: "boolean", str: "text", Timestamp: "time", Any: "anything"}
    if hint in plain:
        return plain[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return " or ".join("null" if a is type(None) else type_words(a) for a in arguments)
    if origin is tuple and arguments[-1] is Ellipsis:
        return f"list of {type_words(arguments[0])}"
    if origin is tuple:
        return "[" + ", ".join(type_words(a) for a in arguments) + "]"
    if origin is dict:
        return "object" if arguments[1] is Any else f"object of {type_words(arguments[1])}"
    return str(hint.__name__)


# --- REST ------------------------------------------------------------------------------------------------------------


def rest_lines() -> Iterator[str]:
    """Yield the page of endpoints, one section per service."""
    urls = {name: str(Settings.model_fields[field].default) for name, field in _URL_FIELDS.items()}
    always = ", ".join(f"`GET {path}`" for path in _EVERYWHERE)
    yield f"Every service answers {always}; collector and processing have no other endpoints."
    yield "Errors are problem+json (RFC 9457) and name the field. What is not GET needs `Authorization: Bearer …`;"
    yield "reads, `POST /data/…` among them, need it when the service listens beyond loopback. The dashboard asks for a"
    yield "session and its CSRF token instead."
    for name, app in url_maps():
        yield from ("", f"## {name} ({urls[name]})", "")
        yield from _table(("endpoint", "does"), [(f"`{end}`", _does(name, end, view)) for end, view in endpoints(app)])


_URL_FIELDS = {
    "dashboard": "flask_dashboard_url",
    "database": "flask_db_url",
    "ai": "flask_ai_url",
    "controller": "flask_controller_url",
    "simulator": "flask_simulator_url",
    "alerts": "flask_alerts_url",
}


def url_maps() -> Iterator[tuple[str, Flask]]:
    """Yield each service's Flask app; routes look at their service only when they are asked."""
    from dt.ai import app as ai
    from dt.alerts.rest import add_pages as add_alert_pages
    from dt.controller.rest import add_pages
    from dt.data.database.routes import add_routes
    from dt.simulator import main as simulator
    from dt.webapp import app as webapp
    from dt.webapp.sessions import Sessions

    unasked: Any = None
    clock, service = ManualClock(), Service("reference")
    with tempfile.TemporaryDirectory() as folder:
        kept = {"dt_token": "-", "dt_password_hash": "-"}  # given, so that none is made
        settings = load_settings(env_file=None, data_dir=folder, rig_file=ROOT / "rig.toml", **kept)
        dashboard = webapp._flask_app(service, settings, Sessions(settings, "-", clock), "-")
        dashboard.add_url_rule("/api/live", "live", webapp._live)  # the dashboard adds it beside its live feed
        yield "dashboard", dashboard
        database = create_api(service, settings, "-")
        add_routes(database, unasked, clock)
        yield "database", database
        yield "ai", ai._api(ai.create_service(settings, MemoryMessaging(), clock), settings, unasked, "-")
        controller = create_api(service, settings, "-")
        add_pages(controller, unasked)
        yield "controller", controller
        alerts = create_api(service, settings, "-")
        add_alert_pages(alerts, unasked, unasked, unasked)
        yield "alerts", alerts
        yield "simulator", simulator.create_service(settings, clock)._app("-")


def endpoints(app: Flask) -> list[tuple[str, Any]]:
    """Return `METHOD /path` and view of an app's own endpoints, in the order of their paths."""
    found = [
        (_path(rule.rule), method, app.view_functions[rule.endpoint])
        for rule in app.url_map.iter_rules()
        if rule.rule not in _EVERYWHERE and (app.static_folder is None or rule.endpoint != "static")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    ]
    return [(f"{method} {path}", view) for path, method, view in sorted(found, key=lambda row: row[:2])]


def _path(rule: str) -> str:
    """Return a rule without Werkzeug's converters; a choice as its words.

    >>> _path("/alerts/<id>/<any(acknowledge, resolve):step>")
    '/alerts/<id>/(acknowledge or resolve)'
    """
    rule = re.sub(r"<any\(([^)]*)\):\w+>", lambda match: f"({match[1].replace(', ', ' or ')})", rule)
    return re.sub(r"<\w+:(\w+)>", r"<\1>", rule)


def _does(service: str, endpoint: str, view: Any) -> str:
    words = REST_WORDS.get((service, endpoint))
    if words is not None:
        return words
    method, _, path = endpoint.partition(" ")
    if service == "dashboard" and path.startswith("/api/") and not view.__doc__:
        return f"`{method} {path.removeprefix('/api')}` of the database service"
    text = re.sub(r"\s+", " ", view.__doc__ or "").strip()
    said = re.sub(r"^`[A-Z]+ [^`]*`[:.]?\s*", "", text).removesuffix(".")
    if not said:
        raise SystemExit(
            f"{service}: {endpoint}: say in its view's docstring or in scripts/reference_words.py what it does"
        )
    return said


# --- tables ----------------------------------------------------------------------------------------------------------


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _row(head)
    yield _row(["---"] * len(head))
    for row in rows:
        yield _row(row)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _page(title: str, lines: Iterable[str]) -> str:
    return "\n".join([_MADE, "", f"# {title}", "", *lines]) + "\n"


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main())
