"""The hands-on hardware scripts: as a person would call them, on the plant box."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from dt.communication.wire import WireServer
from dt.simulator.board import BoxWire, box_spec, wiring
from dt.simulator.box import Box
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from dt.utils.rig import load_rig

FOLDER = Path(__file__).resolve().parents[2] / "scripts" / "hands-on-scripts" / "hardware"
SCRIPTS = ("i2c_scan", "bh1750", "dht22", "seesaw", "relay", "pump", "camera")
Outcome = tuple[int, str, str]


def start(script: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a script; it can ask nobody."""
    return subprocess.Popen(
        [sys.executable, str(FOLDER / f"{script}.py"), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "default"},
    )


def outcomes(*calls: tuple[str, ...]) -> list[Outcome]:
    """Run scripts beside each other to their ends; return exit code, stdout and stderr of each."""
    running = [start(*call) for call in calls]
    ended = [process.communicate(timeout=60) for process in running]
    return [(process.returncode, out, err) for process, (out, err) in zip(running, ended, strict=True)]


@pytest.fixture
def board(settings: Settings) -> Iterator[BoxWire]:
    """Return a plant box that listens at its socket."""
    rig, clock = load_rig(settings.rig_file), SystemClock()
    wire = BoxWire(Box(box_spec(rig), clock.wall() - 60.0), clock, wiring(rig))
    server = WireServer(wire, settings.wire_path)
    server.start()
    yield wire
    server.stop()


def test_every_script_is_tested_here() -> None:
    """A script that nobody runs rots."""
    assert {path.stem for path in FOLDER.glob("*.py")} == {*SCRIPTS, "workbench", "switched_output"}


@pytest.mark.slow
def test_each_script_explains_itself() -> None:
    """--help names where the hardware is, and how often."""
    for code, out, _ in outcomes(*((script, "--help") for script in SCRIPTS)):
        assert code == 0
        for option in ("--simulated", "--wire", "--count", "--every"):
            assert option in out


def test_each_script_shows_what_the_simulated_hardware_says(tmp_path: Path) -> None:
    """Values with their units, by the drivers that run on a Pi."""
    picture = tmp_path / "try.jpg"
    twice = ("--simulated", "--count", "2", "--every", "0.1")
    expected = {
        ("i2c_scan", "--simulated"): r"0x23  BH1750 light.*\n0x36  seesaw soil probe\n(0x.*\n)*\d chips answer\n",
        ("bh1750", *twice): r"(\s*\d+\.\d lux\n){2}",
        ("dht22", *twice): r"(\s*\d+\.\d degC\s+\d+\.\d %\n|no reading: .*\n){2}",
        ("seesaw", *twice): r"(\s*\d{3,4} counts\s+\d+\.\d degC\n){2}",
        ("relay", "--simulated", "--count", "2", "--yes", "--seconds", "0.1"): r"(GPIO17 on\nGPIO17 off\n){2}",
        ("pump", "--simulated", "--yes", "--seconds", "0.2", "--ml", "10"): (
            r"GPIO17 on\nGPIO17 off after \d+\.\d\d s\nflow_ml_s = \d+\.\d\n"
        ),
        ("camera", "--simulated", "--output", str(picture)): r"640x480 pixels, \d+ kB(, \w+)*\n",
    }

    for call, (code, out, err) in zip(expected, outcomes(*expected), strict=True):
        assert code == 0, (call, err)
        assert re.fullmatch(expected[call], out), (call, out)
        assert err == ""
    assert picture.read_bytes().startswith(b"\xff\xd8")


def test_what_is_not_there_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    """No chip at the address, no sensor on the pin, no such camera, no box at the socket."""
    expected = {
        ("bh1750", "--simulated", "--address", "0x5c"): "No I2C device at address: 0x5c",
        ("seesaw", "--simulated", "--address", "0x39"): "No I2C device at address: 0x39",
        ("dht22", "--simulated", "--pin", "GPIO5", "--count", "1"): "",  # a failed read is normal, and told on stdout
        ("camera", "--simulated", "--camera", "camera3"): "no camera 3",
        ("i2c_scan", "--wire", str(tmp_path / "none.sock")): "no plant box at",
        ("relay", "--wire", str(tmp_path / "none.sock"), "--yes"): "no plant box at",
    }

    for call, (code, out, err) in zip(expected, outcomes(*expected), strict=True):
        assert code == 1, call
        assert expected[call] in err
        assert len((out + err).splitlines()) == 1


def test_wrong_use_is_exit_code_2() -> None:
    """On-times, pins and addresses that cannot be; and no hardware said where there is none."""
    expected = {
        ("pump", "--simulated", "--yes", "--seconds", "31"): "at most 30",
        ("relay", "--simulated", "--yes", "--seconds", "0"): "more than 0",
        ("relay", "--simulated", "--yes", "--pin", "GPIO40"): "GPIO0 to GPIO27",
        ("relay", "--simulated", "--yes", "--seconds", "8", "--count", "4"): "30 seconds in sum",
        ("pump", "--simulated", "--yes", "--count", "0"): "30 seconds in sum",
        ("relay", "--simulated", "--yes", "--every", "0"): "at least 1 second",
        ("relay", "--simulated", "--yes", "--pin", "GPIO4"): "GPIO4 belongs to dht22",
        ("pump", "--simulated", "--yes", "--pin", "GPIO2"): "GPIO2 belongs to the I2C bus",
        ("pump", "--simulated", "--yes", "--ml", "nan"): "more than 0",
        ("pump", "--simulated", "--yes", "--ml", "-5"): "more than 0",
        ("camera", "--simulated", "--output", "nowhere/try.jpg"): "folder that is there",
        ("bh1750", "--simulated", "--address", "0x99"): "0x08 to 0x77",
        ("camera", "--simulated", "--camera", "lens"): "camera0 to camera9",
        ("seesaw",): "--simulated",
    }

    for call, (code, _, err) in zip(expected, outcomes(*expected), strict=True):
        assert code == 2, (call, err)
        assert expected[call] in err


def test_nothing_switches_before_a_person_says_yes(settings: Settings, board: BoxWire) -> None:
    """No answer is no."""
    wire = ("--wire", str(settings.wire_path))

    for code, _, err in outcomes(("pump", *wire), ("relay", *wire)):
        assert code == 1
        assert "nothing was switched" in err
    assert "17" not in board.state()["pins"]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, 1),
        (signal.SIGINT, 130),
        (signal.SIGQUIT, 1),
        pytest.param(signal.SIGUSR1, 1, marks=pytest.mark.slow),
        pytest.param(signal.SIGUSR2, 1, marks=pytest.mark.slow),
        (signal.SIGTSTP, 1),
        (signal.SIGKILL, -9),
    ],
)
def test_a_pump_is_off_after_a_signal(
    settings: Settings,
    board: BoxWire,
    eventually: Callable[[Callable[[], object], str], None],
    number: signal.Signals,
    code: int,
) -> None:
    """It runs for 20 s when nobody stops it."""
    process = start("pump", "--wire", str(settings.wire_path), "--yes", "--seconds", "20")
    eventually(lambda: board.pin_read(17), "the pump runs")

    process.send_signal(number)
    out, _ = process.communicate(timeout=10)

    eventually(lambda: not board.pin_read(17), "the pump is off")
    assert process.returncode == code
    assert "off after" not in out


def test_a_pump_is_off_at_its_deadline_while_its_script_is_halted(
    settings: Settings, board: BoxWire, eventually: Callable[[Callable[[], object], str], None]
) -> None:
    """SIGSTOP can be caught by nobody."""
    process = start("pump", "--wire", str(settings.wire_path), "--yes", "--seconds", "2")
    eventually(lambda: board.pin_read(17), "the pump runs")

    process.send_signal(signal.SIGSTOP)

    eventually(lambda: not board.pin_read(17), "the pump is off")
    process.kill()
    process.communicate(timeout=10)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_pump_is_off_when_the_process_that_holds_its_pin_dies_or_hangs(
    settings: Settings,
    board: BoxWire,
    eventually: Callable[[Callable[[], object], str], None],
    number: signal.Signals,
) -> None:
    """The script takes the pin itself: the box, as a Pi, leaves a dead process's output on."""
    process = start("pump", "--wire", str(settings.wire_path), "--yes", "--seconds", "2")
    eventually(lambda: board.pin_read(17), "the pump runs")
    [holder] = psutil.Process(process.pid).children()

    holder.send_signal(number)
    _, err = process.communicate(timeout=10)

    assert not board.pin_read(17)
    assert process.returncode == 1
    assert len(err.splitlines()) == 1
