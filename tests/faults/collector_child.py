"""A collector in a process of its own: `python collector_child.py FOLDER`, on the rig and the wire that lie there."""

from __future__ import annotations

import sys
from pathlib import Path

from dt.collector.main import create_service
from dt.communication.memory import MemoryMessaging
from dt.utils.clock import SystemClock
from dt.utils.config import load_settings
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.exceptions import RemoteServiceError
from dt.utils.logger import configure_logging
from dt.utils.service import run_service


class NoDatabase:
    """A database that is away."""

    def bind_sensor(self, descriptor: SensorDescriptor) -> object:
        """Say so."""
        raise RemoteServiceError(f"nobody takes {descriptor.sensor_id}")


def main() -> int:
    """Run until a signal, or until the simulated machine ends."""
    folder = Path(sys.argv[1])
    settings = load_settings(
        env_file=None, data_dir=folder / "data", log_dir=folder / "logs", rig_file=folder / "rig.toml", dt_token="-",
        hardware="simulated", messaging="memory", flask_collector_url="http://127.0.0.1:0",
    )  # fmt: skip
    configure_logging(settings.log_dir, "ERROR")
    return run_service(create_service(settings, MemoryMessaging(), SystemClock(), database=NoDatabase()))


if __name__ == "__main__":
    raise SystemExit(main())
