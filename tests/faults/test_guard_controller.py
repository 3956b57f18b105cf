"""The controller as a real process without any broker, with a guard of its own, on pins that outlive both."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from dt.communication.memory import MemoryMessaging
from dt.communication.topics import Topics
from dt.communication.wire import WireServer
from dt.controller.app import ControllerService, create_service
from dt.controller.output_watch import LASTS_S
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from dt.utils.dataclasses import ActionCommand, AlertCondition, Command
from dt.utils.ids import new_correlation_id
from tests.controller.guard_box import ROOT, PinBoard, wait_until
from tests.controller.rooms import RIG

_PUMP_PIN = 17
_PUMP = "basil-pump"


@dataclass(slots=True, kw_only=True)
class _Controller:
    process: subprocess.Popen[bytes]
    board: PinBoard
    url: str
    family: list[psutil.Process]

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> requests.Response:
        headers = {"Authorization": "Bearer test-token"}
        return requests.request(method, self.url + path, json=body, headers=headers, timeout=5)

    def is_ready(self) -> bool:
        try:
            return self.ask("GET", "/ready").status_code == 200
        except requests.ConnectionError:
            return False

    def start_pump(self) -> None:
        answer = self.ask("POST", f"/actuators/{_PUMP}/commands", {"command": "on", "duration_s": 20})
        assert answer.status_code == 202, answer.text
        wait_until(lambda: self.board.pin_read(_PUMP_PIN))


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _start(folder: Path, board: PinBoard) -> _Controller:
    url = f"http://127.0.0.1:{_free_port()}"
    settings = {
        "DATA_DIR": str(folder),
        "LOG_DIR": str(folder / "logs"),
        "WIRE_SOCKET": str(folder / "wire.sock"),
        "RIG_FILE": str(folder / "rig.toml"),
        "HARDWARE": "simulated",
        "KAFKA_URL": f"127.0.0.1:{_free_port()}",
        "FLASK_CONTROLLER_URL": url,
        "DT_TOKEN": "test-token",
    }
    (folder / "rig.toml").write_text(RIG)
    process = subprocess.Popen(
        [sys.executable, "-m", "dt.controller.app"], cwd=ROOT, env=os.environ | settings, stdout=subprocess.DEVNULL
    )
    controller = _Controller(process=process, board=board, url=url, family=[])
    wait_until(controller.is_ready, 30.0)
    controller.family = psutil.Process(process.pid).children(recursive=True)
    return controller


def _end(controller: _Controller) -> None:
    """Kill the controller: its guard ends by itself, and is ended if it does not."""
    controller.process.kill()
    controller.process.wait()
    psutil.wait_procs(controller.family, 3.0)
    for one in controller.family:
        if one.is_running():
            one.kill()


@contextmanager
def _running() -> Iterator[tuple[_Controller, Path]]:
    with tempfile.TemporaryDirectory(prefix="controller") as name:
        board = PinBoard()
        wire = WireServer(board, Path(name) / "wire.sock")
        wire.start()
        controller = _start(Path(name), board)
        try:
            yield controller, Path(name)
        finally:
            _end(controller)
            wire.stop()


def test_s11_a_killed_controller_leaves_outputs_off_and_no_process() -> None:
    """Kill -9 in the middle of a dose; a new controller starts with everything off and repeats nothing."""
    with _running() as (controller, folder):
        controller.start_pump()

        controller.process.kill()

        assert wait_until(lambda: not controller.board.pin_read(_PUMP_PIN)) < 1.0
        wait_until(lambda: not any(one.is_running() for one in controller.family))
        controller.process.wait()
        again = _start(folder, controller.board)
        try:
            [item] = again.ask("GET", "/actuators").json()["items"]
            assert item["reported"] == {"on": False, "level": 0.0}
            assert not controller.board.pin_read(_PUMP_PIN)
            [entry] = again.ask("GET", "/ledger").json()["items"]
            assert entry["outcome"] in {"stopped", "failed"}
        finally:
            _end(again)


def test_an_output_that_is_on_against_the_guard_is_an_alert_until_it_is_off(settings: Settings) -> None:
    """Another program drives the pump's pin: the pin itself says so, whatever the guard last set."""
    with (
        tempfile.TemporaryDirectory(prefix="controller") as name,
        _controller_on(PinBoard(), Path(name), settings) as (
            controller,
            board,
            messaging,
        ),
    ):
        wait_until(lambda: controller.ready() is None, 30.0)
        wait_until(lambda: _told(messaging) == [False])

        board.pin_write(_PUMP_PIN, level=True)
        wait_until(lambda: _told(messaging) == [False, True], 15.0)
        assert controller.guard.status()["outputs"][_PUMP]["desired"] is False
        board.pin_write(_PUMP_PIN, level=False)

        wait_until(lambda: _told(messaging) == [False, True, False], 15.0)


@pytest.mark.slow
def test_a_dose_is_no_output_that_is_on_against_the_guard(settings: Settings) -> None:
    """On because it is wanted on, for longer than a contradiction may last; and off again after it."""
    with (
        tempfile.TemporaryDirectory(prefix="controller") as name,
        _controller_on(PinBoard(), Path(name), settings) as (
            controller,
            board,
            messaging,
        ),
    ):
        wait_until(lambda: controller.ready() is None, 30.0)
        on = ActionCommand(
            action_id="a-1",
            actuator_id=_PUMP,
            command=Command.ON,
            duration_s=LASTS_S + 1.0,
            plant_id="basil",
            issuer="a person",
            timestamp=time.time(),
            correlation_id=new_correlation_id(time.time()),
        )

        controller.gate.submit(on)
        wait_until(lambda: board.pin_read(_PUMP_PIN))
        wait_until(lambda: not board.pin_read(_PUMP_PIN), 15.0)
        wait_until(lambda: controller.guard.status()["reported"] == {_PUMP: False})

        assert _told(messaging) == [False]


@contextmanager
def _controller_on(
    board: PinBoard, folder: Path, settings: Settings
) -> Iterator[tuple[ControllerService, PinBoard, MemoryMessaging]]:
    """Run a controller on a log in memory, its guard a process, its pins on a board that others reach too."""
    (folder / "rig.toml").write_text(RIG)
    made = settings.model_copy(
        update={
            "data_dir": folder,
            "wire_socket": folder / "wire.sock",
            "rig_file": folder / "rig.toml",
            "flask_controller_url": "http://127.0.0.1:0",
        }
    )
    wire, messaging = WireServer(board, folder / "wire.sock"), MemoryMessaging()
    wire.start()
    controller = create_service(made, messaging, SystemClock())
    controller.start()
    try:
        yield controller, board, messaging
    finally:
        controller.stop()
        messaging.close()
        wire.stop()


def _told(messaging: MemoryMessaging) -> list[bool]:
    records = messaging.read_all(Topics.ALERT_CONDITIONS)
    conditions = [AlertCondition.from_json(record.value or b"") for record in records]
    return [condition.active for condition in conditions if condition.key == f"output_on:{_PUMP}"]


def test_s11_a_paused_controller_has_its_outputs_off_within_a_second() -> None:
    """SIGSTOP: the control loop renews the lease itself, so the lease lapses with it."""
    with _running() as (controller, _):
        controller.start_pump()

        controller.process.send_signal(signal.SIGSTOP)

        assert wait_until(lambda: not controller.board.pin_read(_PUMP_PIN)) < 1.0


def test_the_controller_ends_cleanly_within_five_seconds() -> None:
    """By SIGTERM, without a broker: outputs off, exit code 0, no process left."""
    with _running() as (controller, _):
        controller.start_pump()

        controller.process.terminate()

        assert controller.process.wait(5.0) == 0
        assert not controller.board.pin_read(_PUMP_PIN)
        assert not any(one.is_running() for one in controller.family)
