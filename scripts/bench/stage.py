"""What the benches stand on: a genuine broker on a free port, and services as processes of their own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dt.communication.kafka_topics import setup_kafka
from dt.operations.broker import OwnBroker
from dt.operations.plan import REPOSITORY, SERVICES, free_port, is_port_free
from dt.utils.config import Settings, load_settings

_HOST = "127.0.0.1"


class Stage:
    """A folder, a broker and settings that no other installation shares."""

    def __init__(self, folder: Path, **given: object) -> None:
        urls = {spec.url_setting: f"http://{_HOST}:{free_port(_HOST)}" for spec in SERVICES}
        self.settings: Settings = load_settings(
            env_file=None,
            data_dir=folder,
            log_dir=folder / "logs",
            kafka_url=f"{_HOST}:{_broker_port()}",
            rig_file=REPOSITORY / "rig.toml",
            hardware="simulated",
            **{"dt_token": "bench", **urls, **given},  # of a stack that lives for a minute
        )
        self._broker = OwnBroker(folder=folder / "kafka", port=int(self.settings.kafka_url.rpartition(":")[2]))

    @contextlib.contextmanager
    def broker(self) -> Iterator[None]:
        """Run a broker with all topics."""
        say("starting Apache Kafka ...")
        self._broker.start(say)
        try:
            setup_kafka(self.settings)
            yield
        finally:
            self._broker.stop()

    @contextlib.contextmanager
    def process(self, *command: str, environment: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """Run a Python module or file as a process of its own, stopped by SIGTERM."""
        environment = {**os.environ, **self._environment(), **(environment or {})}
        process = subprocess.Popen([sys.executable, *command], env=environment, stdout=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _environment(self) -> dict[str, str]:
        chosen = self.settings.model_dump(include=self.settings.model_fields_set)
        return {name.upper(): str(value) for name, value in chosen.items()}


def _broker_port() -> int:
    """Return a port that is free together with the next one, below those that the system hands out to clients."""
    return next(port for port in range(29_000, 32_000, 10) if all(is_port_free(_HOST, port + n) for n in (0, 1)))


def wait_for(condition: Callable[[], Any], what: str, within_s: float = 60.0, *, every_s: float = 0.02) -> Any:
    """Poll until the condition gives something true, and return it; raises TimeoutError."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            msg = f"after {within_s:g} s: {what}"
            raise TimeoutError(msg)
        time.sleep(every_s)
    return found


def say(text: str) -> None:
    """Tell the person what goes on."""
    sys.stderr.write(f"{text}\n")


def percentile(values: list[float], share: float) -> float:
    """Return the value below which this share of the values lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
