"""The camera's own process: asked over a socket, replaced when it hangs or dies, gone when the collector is."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from dt.collector.camera_client import BoxCamera, ProcessCamera
from dt.collector.camera_spec import CameraSource, CameraSpec
from dt.communication.frames import is_jpeg
from dt.communication.wire import WireServer
from dt.simulator.board import BoxWire
from dt.utils.exceptions import SensorError

Eventually = Callable[[Callable[[], object], str], None]

# A collector with the rig's camera on a simulated box; prints what it loaded once a picture is published.
COLLECTOR = """
import json, sys, time
from dt.collector.main import create_service
from dt.communication.memory import MemoryMessaging
from dt.utils.clock import SystemClock
from dt.utils.config import load_settings

settings = load_settings(env_file=None, **json.loads(sys.argv[1]))
messaging = MemoryMessaging()
service = create_service(settings, messaging, SystemClock())
service.start()
give_up = time.monotonic() + 60.0
while not messaging.read_all("dt.sensors.camera_image.raw") and time.monotonic() < give_up:
    time.sleep(0.05)
[picture] = messaging.read_all("dt.sensors.camera_image.raw")[:1]
print(json.dumps({"size": len(picture.value), "loaded": sorted({m.partition(".")[0] for m in sys.modules})}))
service.stop()
messaging.close()
"""

# Asks for one picture, says which process took it, and then waits to be killed.
OWNER = """
import sys
from dt.collector.camera_client import ProcessCamera
from dt.collector.camera_spec import CameraSpec
camera = ProcessCamera(CameraSpec.from_json(sys.argv[1]))
camera.capture()
print(camera.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def spec(board: BoxWire, tmp_path: Path) -> Iterator[CameraSpec]:
    """Return the camera of a box behind a socket."""
    server = WireServer(board, tmp_path / "wire.sock")
    server.start()
    yield CameraSpec(source=CameraSource.WIRE, device=str(tmp_path / "wire.sock"), timeout_s=1.0)
    server.stop()


@pytest.fixture
def camera(spec: CameraSpec) -> Iterator[ProcessCamera]:
    """Return its client."""
    client = ProcessCamera(spec)
    yield client
    client.close()


def test_one_that_hangs_or_dies_is_replaced(camera: ProcessCamera) -> None:
    """A look that hangs fails in words, one that finds its process ended has another. Closing leaves none."""
    picture = camera.capture()
    first = camera.pid
    assert first is not None
    assert (is_jpeg(picture.jpeg), picture.width, picture.height) == (True, 640, 480)
    assert camera.capture().jpeg != picture.jpeg
    assert camera.pid == first

    os.kill(first, signal.SIGSTOP)
    with pytest.raises(SensorError, match="did not answer within 1 s, and is started anew"):
        camera.capture()
    assert not psutil.pid_exists(first)
    assert camera.capture().width == 640
    second = camera.pid
    assert second is not None

    os.kill(second, signal.SIGINT)  # Ctrl-C at the collector's terminal is not the camera's
    assert camera.capture().width == 640
    os.kill(second, signal.SIGKILL)
    assert camera.capture().width == 640
    third = camera.pid
    assert third not in (None, first, second)

    camera.close()
    assert not psutil.pid_exists(third or 0)


def test_what_the_camera_cannot_do_is_told_in_its_words(spec: CameraSpec) -> None:
    """A camera that the box does not have is an error of the look, not of the process."""
    camera = ProcessCamera(CameraSpec(source=spec.source, device=spec.device, number=7))
    with pytest.raises(SensorError, match="the box has no camera 7"):
        camera.capture()
    assert camera.pid is not None
    camera.close()


@pytest.fixture
def hanging_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where a camera tool that never ends writes its process id."""
    told = tmp_path / "tool.pid"
    tool = tmp_path / "rpicam-still"
    tool.write_text(f"#!/bin/sh\necho $$ > {told}.new && /bin/mv {told}.new {told}\nexec /bin/sleep 600\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return told


def _is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def _looking(camera: ProcessCamera) -> threading.Thread:
    """Return a thread that asks for a picture in vain."""

    def look() -> None:
        with contextlib.suppress(SensorError):
            camera.capture()

    thread = threading.Thread(target=look)
    thread.start()
    return thread


def test_a_tool_that_hangs_is_ended_before_the_camera_is(hanging_tool: Path) -> None:
    """The tool's time lies below the picture's, so its own process answers, and nothing holds the camera."""
    camera = ProcessCamera(CameraSpec(source=CameraSource.PI, timeout_s=2.0))

    with pytest.raises(SensorError, match=r"rpicam-still took more than 1\.5 s"):
        camera.capture()

    assert _is_gone(int(hanging_tool.read_text()))
    assert camera.pid is not None
    camera.close()


@pytest.mark.parametrize("how", ["interrupted", "killed"])
def test_no_tool_outlives_its_camera(hanging_tool: Path, eventually: Eventually, how: str) -> None:
    """A look that is ended, or a camera's process that is killed, takes a hanging tool along."""
    camera = ProcessCamera(CameraSpec(source=CameraSource.PI, timeout_s=60.0))
    look = _looking(camera)
    eventually(hanging_tool.exists, "the tool runs")
    pid = camera.pid
    assert pid is not None

    if how == "killed":
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: _is_gone(int(hanging_tool.read_text())), "the tool is gone")
    camera.interrupt()
    look.join(5.0)

    assert not look.is_alive()
    camera.close()
    assert not psutil.pid_exists(pid)
    eventually(lambda: _is_gone(int(hanging_tool.read_text())), "the tool is gone")


def test_a_stopped_process_is_ended_in_the_managers_time(camera: ProcessCamera) -> None:
    """One that answers nothing any more holds up neither a look in hand nor the end, and does not outlive them."""
    camera.capture()
    pid = camera.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    look = _looking(camera)
    began = time.monotonic()

    camera.interrupt()
    camera.close()
    look.join(5.0)

    assert time.monotonic() - began < 3.0
    assert not look.is_alive()
    assert not psutil.pid_exists(pid)


def test_it_ends_when_the_collector_is_killed(spec: CameraSpec, eventually: Eventually) -> None:
    """Kill -9 leaves no process behind that holds the camera."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, spec.to_json()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    child = psutil.Process(next(int(line) for line in owner.stdout if line.strip().isdigit()))
    assert child.is_running()

    owner.kill()
    owner.communicate()

    eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the camera's process is gone")


def test_the_collector_itself_loads_no_picture_library(spec: CameraSpec, tmp_path: Path) -> None:
    """With a camera that delivers, neither Pillow nor numpy nor OpenCV is in the collector's memory."""
    root = Path(__file__).resolve().parents[2]
    settings = {
        "data_dir": str(tmp_path / "data"), "log_dir": str(tmp_path / "logs"), "rig_file": str(root / "rig.toml"),
        "wire_socket": spec.device, "hardware": "simulated", "dt_token": "t", "messaging": "memory",
        "flask_collector_url": "http://127.0.0.1:0", "flask_db_url": "http://127.0.0.1:9",
    }  # fmt: skip

    done = subprocess.run(
        [sys.executable, "-c", COLLECTOR, json.dumps(settings)], cwd=root, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    said = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    assert said["size"] > 10_000
    assert {"PIL", "numpy", "cv2", "picamera2"} & set(said["loaded"]) == set()


def test_a_box_in_this_process_needs_no_other(board: BoxWire) -> None:
    """The demo draws the picture here, with the library loaded for that."""
    camera = BoxCamera(board, CameraSpec(source=CameraSource.WIRE))

    assert is_jpeg(camera.capture().jpeg)
    with pytest.raises(SensorError, match="the box has no camera 3"):
        BoxCamera(board, CameraSpec(source=CameraSource.WIRE, number=3)).capture()
