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
from dt.utils.whole_file import whole_file

SETTING = "ALERTS_FILE"
LAST_GOOD_FILE = "alerts/alerts.last-good.toml"  # under DATA_DIR
_BEFORE = "the last good rules"
_Section = TypeVar("_Section", bound=Message)

log = get_logger(__name__)


class RulesFile:
    """The rules as the file says now; without the file, the defaults.

    A wrong file keeps nothing from running: the last good rules hold, also over a restart, by the copy in `kept`.
    """

    def __init__(self, path: Path, kept: Path | None = None) -> None:
        self._path = path
        self._kept = kept
        self._seen: tuple[int, int] | None = None
        self.rules = AlertRules()
        self.instead = ""  # the rules that hold while the file is wrong
        self.why = ""  # what is wrong with the file as it is now
        self._read()
        if self.why:
            self.rules, self.instead = self._last_good()

    def look(self) -> AlertRules:
        """Return the rules, read again when the file has changed; a wrong file changes nothing and is said."""
        if _stamp(self._path) != self._seen:
            self._read()
        return self.rules

    def _read(self) -> None:
        self._seen = _stamp(self._path)
        try:
            self.rules, self.why = load_rules(self._path), ""
        except ConfigError as error:
            self.why, self.instead = str(error), self.instead or _BEFORE
            log.error("the rules of alerts are not followed: %s", error)  # noqa: TRY400 - one line for a person
            return
        self.instead = ""
        log.info("%s was read", self._path)
        self._keep()

    def _keep(self) -> None:
        """Keep a copy of what is good, and none of a file that is not there."""
        if self._kept is None:
            return
        try:
            if self._path.exists():
                self._kept.parent.mkdir(parents=True, exist_ok=True)
                with whole_file(self._kept) as copy:
                    copy.write(self._path.read_bytes())
            else:
                self._kept.unlink(missing_ok=True)
        except OSError as error:
            log.warning("the last good rules of alerts are not kept over a restart: %s: %s", self._kept, error)

    def _last_good(self) -> tuple[AlertRules, str]:
        """Return the rules of the copy, and what to call them; the defaults where there is no good one."""
        try:
            if self._kept is not None and self._kept.exists():
                return load_rules(self._kept), _BEFORE
        except (ConfigError, OSError) as error:
            log.warning("the copy of the last good rules of alerts cannot be used: %s", error)
        return AlertRules(), "the defaults"


def load_rules(path: Path) -> AlertRules:
    """Read the file, or return the defaults where there is none; raises ConfigError with file, line and field."""
    try:
        is_there = path.exists()
    except OSError as error:
        raise ConfigError(f"{SETTING}: {path}: {error.strerror}") from error
    return parse_rules(text_of(path, SETTING), path) if is_there else AlertRules()


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
