"""Settings and logs of a command: results keep stdout to themselves."""

from __future__ import annotations

import sys
from typing import Any

from dt.utils.config import Settings, load_settings, origins_of
from dt.utils.logger import configure_logging


def settings_for(shown_level: str, **overrides: Any) -> Settings:
    """Load settings and send logs to stderr from this level on, unless LOG_LEVEL says another."""
    settings = load_settings(**overrides)
    is_default = origins_of(settings)["LOG_LEVEL"] == "default"
    configure_logging(settings.log_dir, shown_level if is_default else settings.log_level, sys.stderr)
    return settings
