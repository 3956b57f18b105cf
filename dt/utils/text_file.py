"""Text files that a setting names."""

from __future__ import annotations

from pathlib import Path

from dt.utils.exceptions import ConfigError


def text_of(path: Path, setting: str) -> str:
    """Return a file's text; raises ConfigError with the setting, the file, and what is wrong with it."""
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"{setting}: {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{setting}: {path}: must be UTF-8: {error.reason} at byte {error.start}") from error
