"""The collector's end of a camera: a process of its own, or a box in this process."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

import msgspec

from dt.collector.camera_spec import CameraSpec, Picture
from dt.collector.mocks.camera import WireCamera
from dt.communication.wire import Wire
from dt.communication.wire_frames import Frames
from dt.utils.exceptions import SensorError
from dt.utils.logger import get_logger

_STARTS_WITHIN_S = 20.0  # Python, picture libraries and libcamera on a Pi 3, on top of a picture's own time
_ENDS_WITHIN_S = 2.0  # below the manager's patience for a lane
_BROKEN = (OSError, EOFError, msgspec.MsgspecError)

log = get_logger("dt.collector.camera")


class ProcessCamera:
    """Asks the camera's process for pictures; one that hangs or dies is replaced at the next picture."""

    def __init__(self, spec: CameraSpec) -> None:
        self._spec = spec
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._is_interrupted = False

    @property
    def pid(self) -> int | None:
        """Return the process id of the camera's process, or None while there is none."""
        return None if self._process is None else self._process.pid

    def capture(self) -> Picture:
        """Return a picture; raises `SensorError`."""
        with self._lock:
            has_served = self._process is not None
            try:
                answer = self._ask()
            except _BROKEN as error:
                why = self._what_happened(error)
                if not has_served or self._is_interrupted or isinstance(error, TimeoutError):
                    raise SensorError(why) from error
                answer = self._ask_another()  # it ended since the last picture
        return _picture(answer)

    def interrupt(self) -> None:
        """Hang up on a picture that is being taken, for good; from any thread."""
        self._is_interrupted = True
        connection = self._socket
        if connection is not None:
            with contextlib.suppress(OSError):  # it was closed meanwhile
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Hang up, and see that the process ends, with every tool that it started."""
        with self._lock:
            self._end()

    def _ask(self) -> Any:
        frames = self._frames()
        frames.send("capture")
        answer = frames.receive()
        assert self._socket is not None
        self._socket.settimeout(self._spec.timeout_s)
        return answer

    def _ask_another(self) -> Any:
        try:
            return self._ask()
        except _BROKEN as error:
            raise SensorError(self._what_happened(error)) from error

    def _frames(self) -> Frames:
        if self._process is None or self._socket is None or self._process.poll() is not None:
            self._end()
            self._start()
        assert self._socket is not None
        return Frames(self._socket)

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.settimeout(self._spec.timeout_s + _STARTS_WITHIN_S)
        command = [sys.executable, "-m", "dt.collector.camera_process", str(theirs.fileno()), self._spec.to_json()]
        with theirs:
            # Libraries may print what they like; errors of theirs belong to the collector's own stderr.
            self._process = subprocess.Popen(
                command, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        self._socket = ours
        log.info("the camera's process is %d", self._process.pid)

    def _what_happened(self, error: Exception) -> str:
        process = self._process
        if isinstance(error, TimeoutError):
            self._end(kill=True)
            return f"the camera did not answer within {self._spec.timeout_s:g} s, and is started anew"
        self._end()
        code = None if process is None else process.returncode
        return f"the camera's process ended ({code}), and is started anew"

    def _end(self, *, kill: bool = False) -> None:
        process, connection = self._process, self._socket
        self._process = self._socket = None
        if connection is not None:
            connection.close()
        if process is None:
            return
        if not kill:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_ENDS_WITHIN_S)
        with contextlib.suppress(ProcessLookupError):  # nothing of the group is left
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class BoxCamera:
    """The camera of a box that lives in this process, which has the picture library loaded anyway."""

    def __init__(self, wire: Wire, spec: CameraSpec) -> None:
        self._camera = WireCamera(wire, spec.number)
        self._spec = spec

    def capture(self) -> Picture:
        """Return a picture; raises `SensorError`."""
        from dt.collector.camera_pictures import prepared

        return prepared(self._camera.jpeg(), self._spec.dark_below, self._spec.sharp_above)

    def interrupt(self) -> None:
        """A drawn picture takes no time to wait for."""

    def close(self) -> None:
        """The box belongs to who made it."""


def _picture(answer: Any) -> Picture:
    if isinstance(answer, str):
        raise SensorError(answer)
    jpeg, width, height, flags = msgspec.convert(answer, tuple[bytes, int, int, tuple[str, ...]])
    return Picture(jpeg, width, height, flags)
