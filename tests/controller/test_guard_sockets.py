"""What strange connections can do to the guard's doors: nothing."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dt.controller.guard_client import GuardClient, InProcessGuard
from dt.controller.guard_sockets import MAX_CONNECTIONS, MAX_LINE_BYTES, GuardDoors
from dt.controller.guard_types import GuardUnreachableError
from dt.utils.clock import SystemClock
from tests.controller.guard_box import guard_config, order, wait_until


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The folder of the sockets of a guard in this process."""
    guard = InProcessGuard(config=guard_config(tmp_path), set_pin=lambda _name, _on: None, clock=SystemClock())
    doors = GuardDoors(guard._desk, tmp_path / "doors", dict)
    yield tmp_path / "doors"
    doors.close()
    guard.close()


def _connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(5.0)
    connection.connect(str(path))
    return connection


def _ask(path: Path, line: bytes) -> list[Any]:
    """Every answer to one line, until the guard hangs up or says nothing more."""
    with _connect(path) as connection:
        connection.sendall(line)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as stream:
            return [json.loads(answer) for answer in stream]


@pytest.mark.parametrize(
    "line",
    [
        b"garbage\n",
        b"\xff\xfe\n",
        b"[]\n",
        b"{}\n",
        b'{"op": "run"}\n',
        b'{"op": "run", "order": {"action_id": "a"}}\n',
        b'{"op": "entries", "limit": 1e999}\n',
        b'{"op": "adjust", "actuator_id": "pump-0", "owner": "a"}\n',
        b'{"op": "adjust", "actuator_id": "pump-0", "owner": "a", "level": "half"}\n',
        b'{"op": "adjust", "actuator_id": "pump-0", "owner": "a", "level": true}\n',
        b'{"op": "adjust", "actuator_id": "pump-0", "owner": "a", "level": NaN}\n',
        b'{"op": "set_flow", "actuator_id": "pump-0", "by": "a", "flow_ml_s": null}\n',
        b'{"op": "set_flow", "actuator_id": "pump-0", "flow_ml_s": 2.0}\n',
        b"[" * 60_000 + b"\n",
    ],
)
def test_a_malformed_line_is_answered_with_an_error(folder: Path, line: bytes) -> None:
    """And the guard serves the next one."""
    [answer] = _ask(folder / "guard.sock", line)

    assert "error" in answer
    assert "outputs" in _ask(folder / "guard.sock", b'{"op": "status"}\n')[0]


def test_a_line_that_is_too_long_gets_one_answer(folder: Path) -> None:
    """Two answers to one question would make each later answer that of the question before."""
    line = json.dumps({"op": "status", "padding": "x" * 3 * MAX_LINE_BYTES}).encode() + b"\n"

    answers = _ask(folder / "guard.sock", line)

    assert len(answers) == 1
    assert "error" in answers[0]


def test_a_refused_question_leaves_no_answer_for_the_next(folder: Path) -> None:
    """After one that the guard cannot take, the next question gets its own answer."""
    client = GuardClient(folder)
    with pytest.raises(GuardUnreachableError):
        client.run(order("a", on_s="x" * 2 * MAX_LINE_BYTES))  # type: ignore[arg-type]

    assert client.entry("a") is None
    assert client.budget("pump-0")["budget_ml"] == 200.0
    client.close()


def test_s09_the_stop_answers_however_many_connections_are_held(folder: Path) -> None:
    """Only so many orders are served at once, and the stop has a door of its own."""
    held = [_connect(folder / "guard.sock") for _ in range(MAX_CONNECTIONS + 10)]

    [answer] = _ask(folder / "stop.sock", b'{"by": "anna"}\n')

    assert answer == {"stopped": True, "quiet": True, "told": True}
    for one in held:
        one.close()
    wait_until(lambda: _is_served(folder))


def _is_served(folder: Path) -> bool:
    try:
        return bool(_ask(folder / "guard.sock", b'{"op": "status"}\n'))
    except OSError:
        return False


def test_stop_and_release_are_answered_after_who_outlives_the_guard_was_told(tmp_path: Path) -> None:
    """A guard that dies the moment after its answer takes neither the stop nor the release with it."""
    guard = InProcessGuard(config=guard_config(tmp_path), set_pin=lambda _name, _on: None, clock=SystemClock())
    heard: list[object] = []

    def told(_within_s: float) -> bool:
        heard.append(guard.status()["stopped_by"])
        return True

    doors = GuardDoors(guard._desk, tmp_path / "doors", dict, told)
    client = GuardClient(tmp_path / "doors", owner="test")

    client.emergency_stop("anna")
    after_stop = list(heard)
    client.release_stop("anna")

    assert (after_stop, heard) == (["anna"], ["anna", None])
    client.close()
    doors.close()
    guard.close()
