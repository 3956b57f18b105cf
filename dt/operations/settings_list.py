"""All settings as a list for people: name, value with secrets masked, and origin."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from dt.utils.config import SECRETS, Config, Settings, load_settings, origins_of

MASK = "********"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """One setting as it stands; a secret that is set shows as stars."""

    name: str
    value: str
    origin: str


def list_settings(env_file: str | Path | None = ".env") -> list[SettingRow]:
    """Return every setting in the order of `Config`; raises ConfigError for a wrong value."""
    settings = load_settings(env_file)
    origins = origins_of(settings, env_file)
    return [_row(settings, name, origins[name]) for name in Config]


def masked(text: str) -> str:
    """Return a text without the password that a URL in it may carry.

    >>> masked("mqtt://ada:secret@broker:1883")
    'mqtt://ada:********@broker:1883'
    """
    return re.sub(r"(//[^/@:\s]*:)[^/@\s]+@", rf"\1{MASK}@", text)


def _row(settings: Settings, name: Config, origin: str) -> SettingRow:
    value = getattr(settings, name.lower())
    made = _FILES.get(name)
    if not value and made is not None and (settings.data_dir / made).is_file():
        return SettingRow(name=name, value=MASK, origin=str(settings.data_dir / made))
    if value is None:
        value = _in_effect(settings, name)
    text = "" if value is None else str(value)
    return SettingRow(name=name, value=MASK if text and name in SECRETS else masked(text), origin=origin)


# Secrets that are made at the first run when nobody sets them.
_FILES = {Config.DT_TOKEN: "dt_token", Config.DT_PASSWORD_HASH: "dt_password_hash"}


def _in_effect(settings: Settings, name: Config) -> Path | None:
    """Return what holds when a path is left open."""
    return {Config.WIRE_SOCKET: settings.wire_path, Config.MODELS_DIR: settings.models_path}.get(name)
