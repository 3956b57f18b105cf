"""The supervisor of `dt up`: one process in a session of its own that keeps all others running.

    python -m dt.operations.supervisor [--own-broker]

When it dies itself the services run on, and the next `dt up` takes them over.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Sequence
from typing import Any, Protocol

from dt.operations.broker import BrokerKeeper, OwnBroker
from dt.operations.child import Child, wait_or_kill
from dt.operations.plan import Command, command_of, fast_environment, services_of
from dt.operations.run_folder import SUPERVISOR, RunFolder
from dt.utils.clock import Clock, SystemClock
from dt.utils.config import Settings, load_settings
from dt.utils.exceptions import ConfigError, DTError
from dt.utils.logger import configure_logging, get_logger
from dt.utils.service import STOPS_WITHIN_S, stopping_on_signals

_LOOKS_EVERY_S = 0.1

log = get_logger(__name__)


class Kept(Protocol):
    """Something that is kept running."""

    @property
    def name(self) -> str:
        """The name in `dt status`."""
        ...

    def tick(self) -> bool:
        """Do what is due; return whether anything changed."""
        ...

    def state(self) -> dict[str, Any]:
        """Return what `dt status` shows."""
        ...


class Supervisor:
    """Keeps processes running until told to stop, then stops them, the broker last."""

    def __init__(
        self,
        commands: Sequence[Command],
        broker: BrokerKeeper | None,
        folder: RunFolder,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._broker = broker
        self._children = [Child(command, folder, settings.log_dir, clock) for command in commands]
        self._kept: list[Kept] = [*self._children, *([broker] if broker else [])]
        self._urls = {spec.name: spec.url(settings) for spec in services_of(settings)}
        self._kafka_url = settings.kafka_url

    def run(self, stop: threading.Event) -> None:
        """Watch until `stop` is set, then stop everything."""
        self._write_state()
        while not stop.is_set():
            self.tick()
            self._clock.wait(stop, _LOOKS_EVERY_S)
        self.stop()

    def tick(self) -> None:
        """Give each its turn, and keep the state when anything changed."""
        changes = [kept.tick() for kept in self._kept]
        if any(changes):
            self._write_state()

    def stop(self) -> None:
        """Stop services first, then what they stand on."""
        for last in (False, True):
            self._stop_children([child for child in self._children if child.command.stops_last is last])
        if self._broker is not None:
            try:
                self._broker.stop()
            except DTError as error:
                log.warning("the Kafka broker did not stop: %s", error)
        self._folder.write_state({})

    def _stop_children(self, children: list[Child]) -> None:
        waiting = [process for child in children if (process := child.terminate()) is not None]
        killed = wait_or_kill(waiting, STOPS_WITHIN_S)
        if killed:
            log.warning("%d processes did not end within %.0f s and were killed", len(killed), STOPS_WITHIN_S)
        for child in children:
            child.forget()

    def _write_state(self) -> None:
        states = {kept.name: {**kept.state(), "url": self._urls.get(kept.name)} for kept in self._kept}
        self._folder.write_state({"supervisor": os.getpid(), "kafka_url": self._kafka_url, "services": states})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the supervisor until SIGTERM and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m dt.operations.supervisor", description="Keeps the stack running.")
    parser.add_argument("--own-broker", action="store_true", help="keep a Kafka broker in DATA_DIR/kafka running")
    options = parser.parse_args(arguments)
    try:
        settings = load_settings()
    except ConfigError as error:
        sys.stderr.write(f"dt.operations.supervisor: {error}\n")
        return 2
    configure_logging(settings.log_dir, settings.log_level)
    folder = RunFolder.of(settings)
    with folder.alone(SUPERVISOR):
        return _supervise(settings, folder, own_broker=options.own_broker)


def _supervise(settings: Settings, folder: RunFolder, *, own_broker: bool) -> int:
    clock, stop = SystemClock(), threading.Event()
    broker = OwnBroker.of(settings) if own_broker else None
    keeper = BrokerKeeper(broker, settings.log_dir, clock) if broker else None
    commands = [command_of(spec, fast_environment(spec, settings)) for spec in services_of(settings)]
    folder.write_pid(SUPERVISOR, os.getpid())
    try:
        with stopping_on_signals(stop):
            Supervisor(commands, keeper, folder, settings, clock).run(stop)
    finally:
        folder.forget_pid(SUPERVISOR)
    return 0


if __name__ == "__main__":
    sys.exit(main())
