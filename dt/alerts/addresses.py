"""Whom to tell: the addresses of notices, as apprise's URLs; they are secrets, and go by a name without one."""

from __future__ import annotations

import hashlib
import re
import stat
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dt.utils.config import Config, Settings
from dt.utils.exceptions import ConfigError
from dt.utils.text_file import text_of

FILE = Path("alerts") / "notices.toml"  # under DATA_DIR
_KNOWN = {"urls", "escalation_urls"}
_MOST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a notice can be sent; `is_second` for those that only hear of what nobody acknowledged."""

    name: str  # what people see, such as "mailtos, NOTICE_URLS 1"
    url: str = field(repr=False)
    is_second: bool = False

    @property
    def address_id(self) -> str:
        """Return what the queue calls it; the URL cannot be told from it."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:16]


def load_addresses(settings: Settings) -> tuple[Address, ...]:
    """Return the addresses of the settings, then those of the file; raises ConfigError without telling a URL."""
    path = settings.data_dir / FILE
    found = [
        *_addresses(settings.notice_urls.split(), Config.NOTICE_URLS, is_second=False),
        *_addresses(settings.escalation_urls.split(), Config.ESCALATION_URLS, is_second=True),
    ]
    if path.exists():
        data = _read(path)
        found += _addresses(_list(data, "urls", path), f"{path.name} urls", is_second=False)
        found += _addresses(_list(data, "escalation_urls", path), f"{path.name} escalation_urls", is_second=True)
    if len(found) > _MOST:
        raise ConfigError(f"{Config.NOTICE_URLS}: there may be {_MOST} addresses, and {len(found)} are given")
    return tuple({(one.address_id, one.is_second): one for one in found}.values())


def _addresses(urls: Sequence[str], place: str, *, is_second: bool) -> list[Address]:
    found = []
    for number, url in enumerate(urls, 1):
        scheme = re.match(r"([a-z0-9]+)://.", url)
        if scheme is None:
            raise ConfigError(f"{place}: number {number} must be a URL of apprise such as mailtos://... or ntfy://...")
        found.append(Address(name=f"{scheme.group(1)}, {place} {number}", url=url, is_second=is_second))
    return found


def _read(path: Path) -> dict[str, Any]:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise ConfigError(f"{path}: holds secrets and must be of mode 0600, and is {mode:04o}: chmod 600 {path}")
    try:
        data = tomllib.loads(text_of(path, str(Config.NOTICE_URLS)))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: {error}") from error
    for name in data.keys() - _KNOWN:
        raise ConfigError(f"{path}: {name}: is not known; there are {', '.join(sorted(_KNOWN))}")
    return data


def _list(data: dict[str, Any], name: str, path: Path) -> list[str]:
    urls = data.get(name, [])
    if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
        raise ConfigError(f"{path}: {name}: must be a list of URLs, each in quotes")
    return urls
