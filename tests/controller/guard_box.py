"""Parts for tests of the guard: a board of pins that outlives processes, a guard on it, orders, waiting."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from dt.communication.wire import Direction, NoAcknowledgeError, Pull, WireServer
from dt.controller.guard_client import GuardClient
from dt.controller.guard_types import Budget, GuardConfig, GuardUnreachableError, Order, OutputConfig, StopInput

ROOT = Path(__file__).parents[2]


class PinBoard:
    """A wire with pins alone; levels stay when the process that set them dies, and every change is dated."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.levels: dict[int, bool] = {}
        self.duties: dict[int, float] = {}
        self.pulled_low: set[int] = set()
        self.changes: list[tuple[float, int, bool]] = []

    def pin_setup(self, pin: int, direction: Direction, pull: Pull) -> None:
        if direction == Direction.IN:
            self._set(pin, 1.0 if pull is Pull.UP else 0.0)

    def pin_write(self, pin: int, level: bool) -> None:
        self._set(pin, float(level))

    def pin_read(self, pin: int) -> bool:
        with self._lock:
            return self.levels.get(pin, False) and pin not in self.pulled_low

    def pwm(self, pin: int, duty: float, frequency_hz: float) -> None:
        self._set(pin, duty)

    def pin_edges(self, pin: int, callback: Callable[[bool], None]) -> Callable[[], None]:
        return lambda: None

    def i2c(self, address: int, out: bytes, count: int) -> bytes:
        raise NoAcknowledgeError(address)

    def pulses(self, pin: int, trigger_us: int, max_pulses: int) -> list[int]:
        return []

    def capture(self, camera: int) -> bytes:
        return b""

    def _set(self, pin: int, duty: float) -> None:
        level = duty > 0
        with self._lock:
            if self.levels.get(pin, False) != level:
                self.changes.append((time.monotonic(), pin, level))
            self.levels[pin], self.duties[pin] = level, duty


@dataclass(slots=True, kw_only=True)
class GuardBox:
    """A guard process on a board, and how to reach both."""

    board: PinBoard
    folder: Path
    config: GuardConfig
    process: subprocess.Popen[bytes]
    client: GuardClient
    keeping: threading.Event = field(default_factory=threading.Event)

    def child(self) -> psutil.Process:
        """The process that owns the pins."""
        [child] = psutil.Process(self.process.pid).children()
        return child

    def keep_lease(self) -> None:
        """Renew the lease from a thread until the test ends."""

        def renew() -> None:
            while not self.keeping.wait(0.1):
                try:
                    self.client.renew()
                except GuardUnreachableError:
                    continue

        threading.Thread(target=renew, daemon=True).start()
        wait_until(lambda: self.is_serving() and self.client.status()["has_lease"])

    def is_serving(self) -> bool:
        """True when a guard answers."""
        try:
            self.client.status()
        except GuardUnreachableError:
            return False
        return True


def guard_config(folder: Path, *, pins: int = 3, ml_per_day: float = 200.0) -> GuardConfig:
    """Pumps pump-0, pump-1, … on BCM pins 17, 18, … of 2 ml/s, all for the plant basil, each on a supply of its own."""
    outputs = tuple(
        OutputConfig(
            actuator_id=f"pump-{n}", pin=17 + n, plant_id="basil", flow_ml_s=2.0, reservoir="can", supply=f"supply-{n}"
        )
        for n in range(pins)
    )
    return GuardConfig(
        outputs=outputs,
        budgets={"basil": Budget(ml_per_day=ml_per_day, pot_volume_l=1.0)},
        reservoirs={"can": 1000.0},
        ledger_path=str(folder / "ledger.sqlite"),
        supplies={f"supply-{n}": 60.0 for n in range(pins)},
    )


def order(action_id: str, actuator_id: str = "pump-0", on_s: float = 10.0, now: float | None = None) -> Order:
    """An order issued now that may start within 5 s."""
    now = time.monotonic() if now is None else now
    return Order(action_id=action_id, actuator_id=actuator_id, on_s=on_s, issued_at_s=now, start_by_s=now + 5.0)


def wait_until(condition: Callable[[], object], within_s: float = 15.0) -> float:
    """Return the seconds until a condition held; fails when it does not in time."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < within_s, "the condition did not come true in time"
        threading.Event().wait(0.005)
    return time.monotonic() - started


@contextmanager
def guard_box(
    *, ends_with_stdin: bool = False, stop_input: StopInput | None = None, notify: Path | None = None
) -> Iterator[GuardBox]:
    """Run a guard process with its parent on a fresh board of pins, a normally closed button let out."""
    with tempfile.TemporaryDirectory(prefix="guard") as name:
        folder = Path(name)
        board = PinBoard()
        wire = WireServer(board, folder / "wire.sock")
        wire.start()
        config = replace(guard_config(folder), stop_input=stop_input)
        board.pulled_low |= set() if stop_input is None else {stop_input.pin}
        (folder / "guard.json").write_text(config.to_json())
        process = start_guard(folder, ends_with_stdin=ends_with_stdin, notify=notify)
        client = GuardClient(folder, owner="test")
        box = GuardBox(board=board, folder=folder, config=config, process=process, client=client)
        try:
            wait_until(box.is_serving)
            yield box
        finally:
            box.keeping.set()
            end_tree(box.process)
            client.close()
            wire.stop()


def start_guard(folder: Path, *, ends_with_stdin: bool = False, notify: Path | None = None) -> subprocess.Popen[bytes]:
    """Start the guard's parent on the board of a folder; `notify` is where systemd would listen."""
    command = [sys.executable, "-m", "dt.controller.guard_process"]
    command += ["--config", str(folder / "guard.json"), "--socket-dir", str(folder)]
    command += ["--until-stdin-closes"] if ends_with_stdin else []
    environment = os.environ | {"GPIOZERO_PIN_FACTORY": "wire", "WIRE_SOCKET": str(folder / "wire.sock")}
    environment |= {} if notify is None else {"NOTIFY_SOCKET": str(notify)}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE)


def end_tree(process: subprocess.Popen[bytes]) -> None:
    """Stop a guard's parent and, whatever happened, its child."""
    try:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        family = []
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(3.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(3.0)
    for one in family:
        if one.is_running():
            one.kill()
    if process.stdin is not None:
        process.stdin.close()
