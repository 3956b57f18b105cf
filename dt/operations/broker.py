"""The Kafka broker of `dt up`: found, or installed and kept running in DATA_DIR/kafka by scripts/setup_kafka.sh."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from dt.operations.child import Backoff, environment_with
from dt.operations.plan import script
from dt.operations.run_folder import living
from dt.utils.clock import Clock
from dt.utils.config import Settings
from dt.utils.exceptions import DTError
from dt.utils.logger import get_logger

KAFKA = "kafka"
_STARTS_WITHIN_S = 600.0  # the first time Maven fetches 55 MB
_STOPS_WITHIN_S = 45.0
_LOOKS_EVERY_S = 1.0
# ApiVersions (key 18, version 0), correlation 1, no client id; and its answer after the length.
_QUESTION = bytes.fromhex("0000000a0012000000000001ffff")
_ANSWER = bytes.fromhex("000000010000")

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnBroker:
    """A broker of our own in a folder."""

    folder: Path
    port: int

    @classmethod
    def of(cls, settings: Settings) -> OwnBroker | None:
        """Return the broker that KAFKA_URL asks for; None when that is not one on this machine alone."""
        host, _, port = settings.kafka_url.partition(":")
        if host not in {"127.0.0.1", "localhost"} or "," in port or settings.kafka_security_protocol != "PLAINTEXT":
            return None
        return cls(folder=(settings.data_dir / "kafka").resolve(), port=int(port))

    def process(self) -> psutil.Process | None:
        """Return the broker's living process."""
        try:
            pid = int((self.folder / "kafka.pid").read_text("ascii"))
        except (OSError, ValueError):
            return None
        return living(pid, "kafka.Kafka")

    def command(self, action: str) -> list[str]:
        """Return the command line of setup_kafka.sh."""
        ports = ["--port", str(self.port)] if action == "start" else []
        return ["bash", str(script("setup_kafka.sh")), "--user", str(self.folder), *ports, action]

    def start(self, say: Callable[[str], None]) -> None:
        """Install it where needed and return when it answers; raises DTError with the script's own words."""
        _run(self.command("start"), _STARTS_WITHIN_S, say)

    def stop(self) -> None:
        """Stop it; no error when it does not run."""
        if self.folder.is_dir():
            _run(self.command("stop"), _STOPS_WITHIN_S, log.info)


def answers_as_kafka(address: str, timeout_s: float = 2.0) -> bool:
    """Return whether a plaintext broker answers at HOST:PORT."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout_s) as line:
            line.settimeout(timeout_s)
            line.sendall(_QUESTION)
            answer = b""
            while len(answer) < 10 and (part := line.recv(10 - len(answer))):
                answer += part
    except OSError:
        return False
    return answer[4:10] == _ANSWER


class BrokerKeeper:
    """Starts our broker again when it dies; part of the supervisor."""

    name = KAFKA

    def __init__(self, broker: OwnBroker, log_dir: Path, clock: Clock) -> None:
        self._broker = broker
        self._log = log_dir / "kafka.log"
        self._clock = clock
        self._starting: subprocess.Popen[bytes] | None = None
        self._backoff = Backoff()
        self._process = broker.process()
        self._began = self._looked = clock.monotonic()
        self._next_start = self._began
        self.restarts = 0

    def tick(self) -> bool:
        """Look once a second; return whether anything changed."""
        now = self._clock.monotonic()
        if self._starting is not None:
            return self._follow_start(now)
        if self._process is not None and now - self._looked < _LOOKS_EVERY_S:
            return False
        self._looked = now
        was, self._process = self._process, self._broker.process()
        if self._process is None and was is not None:
            self._note_death(now)
        if self._process is None and now >= self._next_start:
            self._begin_start()
            return True
        return (was is None) != (self._process is None)

    def state(self) -> dict[str, Any]:
        """Return what `dt status` shows."""
        state = "starting" if self._starting is not None else "running" if self._process is not None else "waiting"
        pid = None if self._process is None else self._process.pid
        return {"pid": pid, "state": state, "restarts": self.restarts, "why": "", "port": self._broker.port}

    def stop(self) -> None:
        """Stop the broker, after everything that uses it."""
        if self._starting is not None:
            self._starting.terminate()
            self._starting.wait(5.0)
        self._broker.stop()

    def _note_death(self, now: float) -> None:
        self._backoff = self._backoff.after(now - self._began, None)
        self._next_start = now + self._backoff.pause_s
        self.restarts += 1
        log.warning("the Kafka broker died; starting it again in %.1f s", self._backoff.pause_s)

    def _begin_start(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as output:
            self._starting = subprocess.Popen(
                self._broker.command("start"),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment_with({}),
            )

    def _follow_start(self, now: float) -> bool:
        if self._starting is None or self._starting.poll() is None:
            return False
        code, self._starting = self._starting.returncode, None
        self._process = self._broker.process()
        if code or self._process is None:
            self._backoff = self._backoff.after(0.0, code)
            self._next_start = now + self._backoff.pause_s
            log.error("the Kafka broker did not start: see %s", self._log)
        else:
            self._began = now
            log.info("the Kafka broker runs as process %d", self._process.pid)
        return True


def _run(command: list[str], timeout_s: float, say: Callable[[str], None]) -> None:
    """Run a script, pass on what it says line by line, and raise DTError with its last words when it fails."""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        alarm = threading.Timer(timeout_s, process.terminate)
        alarm.start()
        said = ""
        try:
            for line in process.stdout:
                said = line.strip() or said
                say(said)
        finally:
            alarm.cancel()
    if process.returncode:
        raise DTError(said or f"{command[1]} ended with exit code {process.returncode}")
