"""`alerts.toml`: the rules of alerts and notices, each entry checked with its line, read again when it changes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, cast

from dt.alerts.rules import KEY_RULES, AlertRules, Escalation, FlapRule, KeyRule, NoticeRule, QuietHours
from dt.utils.codec import Message
from dt.utils.exceptions import ConfigError, MessageError
from dt.utils.logger import get_logger
from dt.utils.text_file import text_of

SETTING = "ALERTS_FILE"
_Section = TypeVar("_Section", bound=Message)

log = get_logger(__name__)


class RulesFile:
    """The rules as the file says now; without the file, the defaults."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = _stamp(path)
        self.rules = load_rules(path)
        self.why = ""  # what is wrong with the file as it is now; the rules before it hold

    def look(self) -> AlertRules:
        """Return the rules, read again when the file has changed; a wrong file changes nothing and is said."""
        stamp = _stamp(self._path)
        if stamp != self._seen:
            self._seen = stamp
            try:
                self.rules, self.why = load_rules(self._path), ""
                log.info("%s was read again", self._path)
            except ConfigError as error:
                self.why = str(error)
                log.error("the rules of alerts stay as they were: %s", error)  # noqa: TRY400 - one line for a person
        return self.rules


def load_rules(path: Path) -> AlertRules:
    """Read the file, or return the defaults where there is none; raises ConfigError with file, line and field."""
    return parse_rules(text_of(path, SETTING), path) if path.exists() else AlertRules()


def parse_rules(text: str, path: Path = Path("alerts.toml")) -> AlertRules:
    """Read rules from the file's text, as `load_rules` does."""
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: {error}") from error
    reader = _Reader(path, text.splitlines())
    reader.refuse_unknown(data, {"keys", "default", "flapping", "quiet_hours", "notices", "escalation"}, "")
    default = reader.section(data, "default", KeyRule())
    rows = reader.table(data, "keys")
    keys = {name: reader.section(rows, name, KEY_RULES.get(name, default), "keys.") for name in rows}
    return AlertRules(
        keys={**KEY_RULES, **keys},
        default=default,
        flapping=reader.section(data, "flapping", FlapRule()),
        quiet_hours=reader.section(data, "quiet_hours", QuietHours()),
        notices=reader.section(data, "notices", NoticeRule()),
        escalation=reader.section(data, "escalation", Escalation()),
    )


class _Reader:
    """Makes sections, and says in which line a wrong field stands."""

    def __init__(self, path: Path, lines: list[str]) -> None:
        self._path = path
        self._lines = lines

    def section(self, data: Mapping[str, Any], name: str, base: _Section, within: str = "") -> _Section:
        given = self.table(data, name, within)
        title = f"{within}{name}"
        self.refuse_unknown(given, {field.name for field in fields(cast(Any, base))}, title)
        try:
            return type(base).from_dict({**base.to_dict(), **given})
        except MessageError as error:
            raise self._error(title, error.field, error.why) from error

    def table(self, data: Mapping[str, Any], name: str, within: str = "") -> dict[str, Any]:
        found = data.get(name, {})
        if not isinstance(found, dict):
            raise self._error("", name, f"must be a table, written [{within}{name}]")
        return found

    def refuse_unknown(self, given: Mapping[str, Any], known: set[str], title: str) -> None:
        for name in given:
            if name not in known:
                raise self._error(title, name, f"is not known; there are {', '.join(sorted(known))}")

    def _error(self, title: str, name: str, why: str) -> ConfigError:
        return ConfigError(f"{self._path}:{self._line_of(title, name)}: {f'{title}.' if title else ''}{name}: {why}")

    def _line_of(self, title: str, name: str) -> int:
        """Return the line of a field within its section; that of the section where the field is not written."""
        within, found = title == "", 1
        for number, line in enumerate(self._lines, 1):
            head = re.match(r"\s*\[\s*([^\]]*?)\s*\]", line)
            if head is not None:
                heading = head.group(1).replace('"', "")
                within = heading == title
                found = number if within or (not title and heading.partition(".")[0] == name) else found
            elif within and re.match(rf"\s*\"?{re.escape(name)}\"?\s*[.=]", line):
                return number
        return found


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
