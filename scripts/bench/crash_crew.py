"""The processes that `crash.py` kills: real services, begun again at once, and the broker that it restarts."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import requests
from stage import Stage, say, wait_for

from dt.operations.broker import OwnBroker
from dt.operations.plan import free_port

_MODULES = {
    "database": ("dt.data.database.app", "flask_db_url"),
    "processing": ("dt.data.processing.main", "flask_processing_url"),
    "controller": ("dt.controller.app", "flask_controller_url"),
}
_READY_WITHIN_S = 90.0
_STOPS_WITHIN_S = 15.0


class Worker:
    """One service in a process of its own."""

    def __init__(self, service: str, stage: Stage, instance: str) -> None:
        self.name = f"{service} {instance}"
        module, setting = _MODULES[service]
        self.url = str(getattr(stage.settings, setting))
        if instance != "1":
            self.url = f"http://127.0.0.1:{free_port('127.0.0.1')}"
        chosen = stage.settings.model_dump(include=stage.settings.model_fields_set)
        given = {name.upper(): str(value) for name, value in chosen.items()}
        self._environment = {**os.environ, **given, "INSTANCE": instance, setting.upper(): self.url}
        self._command = [sys.executable, "-m", module]
        self._said = stage.settings.log_dir / f"{service}-{instance}.out"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin a process; what it says goes to a file."""
        self._said.parent.mkdir(parents=True, exist_ok=True)
        with self._said.open("ab") as said:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )

    @property
    def pid(self) -> int:
        """Return the process id; raises RuntimeError before it was started."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    def kill(self) -> None:
        """End it as the kernel does; raises RuntimeError when it had ended by itself."""
        code = self._end(signal.SIGKILL)
        if code != -signal.SIGKILL:
            raise RuntimeError(f"{self.name} had ended with {code} before it was killed: see {self._said}")

    def stop(self) -> None:
        """End it as a person does; raises RuntimeError unless it ends well."""
        code = self._end(signal.SIGTERM)
        if code:
            raise RuntimeError(f"{self.name} ended with {code}: see {self._said}")

    def let_go(self) -> None:
        """End it in any case."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def is_ready(self) -> bool:
        """Return whether it says that it works."""
        try:
            return requests.get(f"{self.url}/ready", timeout=1.0).status_code == 200
        except requests.RequestException:
            return False

    def wait_until_ready(self) -> None:
        """Return when it works; raises TimeoutError."""
        wait_for(self.is_ready, f"{self.name} is not ready: see {self._said}", _READY_WITHIN_S, every_s=0.1)

    def _end(self, how: signal.Signals) -> int:
        assert self._process is not None, "it was started"
        self._process.send_signal(how)
        return self._process.wait(_STOPS_WITHIN_S)


class Crew:
    """Database, processing and a second processing that comes and goes; `misfortune` ends them one after the other."""

    def __init__(self, stage: Stage, folder: Path, *, seed: int, seconds_between: float) -> None:
        self._database = Worker("database", stage, "1")
        self._first = Worker("processing", stage, "1")
        self._second = Worker("processing", stage, "2")
        self._is_second_in = False
        self._broker = OwnBroker(folder=folder / "kafka", port=int(stage.settings.kafka_url.rpartition(":")[2]))
        self._chance = random.Random(seed)  # noqa: S311 - a bench must be repeatable
        self._between_s = seconds_between
        self.kills = {"database": 0, "processing": 0, "early": 0}
        self.broker_restarts = self.rebalances = 0

    @property
    def database_url(self) -> str:
        """Return where the database answers."""
        return self._database.url

    def start_database(self) -> None:
        """Return when it works."""
        self._database.start()
        self._database.wait_until_ready()

    def start_processing(self) -> None:
        """Return when it works."""
        self._first.start()
        self._first.wait_until_ready()

    def misfortune(self, kills: int) -> None:
        """Kill so often; between, restart the broker and let the second processing come and go."""
        restarts = set(self._chance.sample(range(1, kills), max(1, kills // 12))) if kills > 1 else set()
        changes = set(self._chance.sample(range(kills), max(1, kills // 4)))
        for number in range(kills):
            if number in restarts:
                self._restart_broker()
            if number in changes:
                self._change_second()
            self._kill_one()
            if (number + 1) % 10 == 0:
                say(f"{number + 1} of {kills} killed ...")

    def settle(self) -> None:
        """Let the second one leave, and return when the others work."""
        if self._is_second_in:
            self._change_second()
        for worker in (self._database, self._first):
            worker.wait_until_ready()

    def stop(self) -> None:
        """Stop the services; they end well."""
        for worker in (self._first, self._database):
            worker.stop()

    def let_go(self) -> None:
        """Leave no process behind."""
        for worker in (self._database, self._first, self._second):
            worker.let_go()

    def _kill_one(self) -> None:
        processing = [self._first, *([self._second] if self._is_second_in else [])]
        victim = self._database if self._chance.random() < 0.4 else self._chance.choice(processing)
        is_early = self._chance.random() < 0.2  # while it begins, or catches up
        if not is_early:
            victim.wait_until_ready()
        time.sleep(self._chance.uniform(0.0, 2.0 * self._between_s))
        victim.kill()
        victim.start()
        self.kills[victim.name.split()[0]] += 1
        self.kills["early"] += is_early

    def _change_second(self) -> None:
        self.rebalances += 1
        if self._is_second_in:
            self._second.wait_until_ready()
            self._second.stop()
        else:
            self._second.start()
        self._is_second_in = not self._is_second_in

    def _restart_broker(self) -> None:
        """Every second time as a power cut would end it."""
        self.broker_restarts += 1
        process = self._broker.process()
        if self.broker_restarts % 2 and process is not None:
            process.kill()
            process.wait()
        else:
            self._broker.stop()
        self._broker.start(lambda _line: None)
