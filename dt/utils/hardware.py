"""Whether this machine's own pins are meant, or the simulated box's: `HARDWARE` decides, nothing is tried."""

from __future__ import annotations

from pathlib import Path

from dt.utils.config import Settings
from dt.utils.exceptions import ConfigError

MODEL_FILE = Path("/proc/device-tree/model")


def is_simulated(settings: Settings, model_file: Path = MODEL_FILE) -> bool:
    """Return what `HARDWARE` says; on a Pi it has no default, and `ConfigError` says which values there are."""
    if settings.hardware is not None:
        return settings.hardware == "simulated"
    if is_pi(model_file):
        raise ConfigError("HARDWARE: say pi for the pins of this Raspberry Pi, or simulated for the plant box")
    return True


def is_pi(model_file: Path = MODEL_FILE) -> bool:
    """Return whether this machine is a Raspberry Pi."""
    try:
        return "Raspberry Pi" in model_file.read_text("utf-8", "replace")
    except OSError:
        return False
