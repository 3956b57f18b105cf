"""Where a JPEG comes from: a Pi's camera module, a V4L2 camera on USB, the simulated box."""

from __future__ import annotations

import ctypes
import io
import signal
import subprocess
from pathlib import Path
from typing import Any, Protocol

from dt.collector.camera_spec import CameraSource, CameraSpec
from dt.utils.exceptions import SensorError

_TOOL_TIMEOUT_S = 15.0
_TOOL_SHARE = 0.75  # of the picture's time, so that its error comes before the camera is called hanging
_PR_SET_PDEATHSIG = 1  # prctl(2): the signal that a process gets when the thread that started it ends
_SETTLING_FRAMES = 8  # a USB camera's first frames are still being exposed, or were buffered before
_JPEG_QUALITY = 88


class JpegSource(Protocol):
    """Takes one picture after the other."""

    def jpeg(self) -> bytes:
        """Return a JPEG of any size; raises `SensorError`, or what its library raises."""
        ...

    def close(self) -> None:
        """Let go of the device."""
        ...


def open_source(spec: CameraSpec) -> JpegSource:
    """Return the source of a camera; raises `SensorError` when its device cannot be opened."""
    if spec.source is CameraSource.WIRE:
        return _wire_camera(spec)
    if spec.source is CameraSource.USB:
        return UsbSource(spec)
    try:
        return Picamera2Source(spec)
    except ImportError:  # of the system, and only there when the virtual environment sees it
        return RpicamSource(spec)


class Picamera2Source:
    """A camera module by picamera2, which stays open: exposure and white balance are settled."""

    def __init__(self, spec: CameraSpec) -> None:
        from picamera2 import Picamera2  # pyright: ignore[reportMissingImports] - of Raspberry Pi OS alone

        self._camera: Any = Picamera2(spec.number)
        # Without a queue: a picture that was exposed before it was asked for may be a cadence old.
        still = self._camera.create_still_configuration(main={"size": (spec.width, spec.height)}, queue=False)
        self._camera.configure(still)
        self._camera.options["quality"] = _JPEG_QUALITY
        self._camera.start()

    def jpeg(self) -> bytes:
        """Return the next picture."""
        buffer = io.BytesIO()
        self._camera.capture_file(buffer, format="jpeg")
        return buffer.getvalue()

    def close(self) -> None:
        """Stop the camera."""
        self._camera.stop()
        self._camera.close()


class RpicamSource:
    """A camera module by `rpicam-still`, the tool of Raspberry Pi OS: about a second for each picture."""

    def __init__(self, spec: CameraSpec) -> None:
        size = ["--width", str(spec.width), "--height", str(spec.height), "--quality", str(_JPEG_QUALITY)]
        camera = ["--camera", str(spec.number)]
        self._timeout_s = min(_TOOL_TIMEOUT_S, _TOOL_SHARE * spec.timeout_s)
        self._libc = ctypes.CDLL(None)
        self._command = ["rpicam-still", *camera, "--nopreview", "--immediate", *size, "--output", "-"]

    def jpeg(self) -> bytes:
        """Return what the tool writes."""
        try:
            done = subprocess.run(
                self._command, capture_output=True, timeout=self._timeout_s, check=True,
                preexec_fn=self._die_with_us,
            )  # fmt: skip
        except FileNotFoundError as error:
            msg = "neither picamera2 nor rpicam-still is there: apt install python3-picamera2 or rpicam-apps"
            raise SensorError(msg) from error
        except subprocess.CalledProcessError as error:
            msg = f"rpicam-still failed: {error.stderr.decode(errors='replace').strip()[-300:]}"
            raise SensorError(msg) from error
        except subprocess.TimeoutExpired as error:
            msg = f"rpicam-still took more than {self._timeout_s:g} s"
            raise SensorError(msg) from error
        return done.stdout

    def close(self) -> None:
        """Nothing is open between two pictures."""

    def _die_with_us(self) -> None:
        """Let the kernel kill the tool when this process ends, however it does: it would hold the camera."""
        self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class UsbSource:
    """A V4L2 camera by OpenCV, opened for each picture: what its buffers kept since the last one is old."""

    def __init__(self, spec: CameraSpec) -> None:
        try:
            import cv2
        except ImportError as error:
            msg = "OpenCV is missing: pip install --constraint constraints.txt --group usb-camera"
            raise SensorError(msg) from error
        cv2.setNumThreads(1)
        self._cv2: Any = cv2
        self._spec = spec

    def jpeg(self) -> bytes:
        """Open the camera, let it settle, return one frame: about half a second."""
        cv2, spec = self._cv2, self._spec
        driver = cv2.CAP_V4L2 if spec.device.startswith("/dev/") else cv2.CAP_ANY
        capture = cv2.VideoCapture(spec.device, driver)
        try:
            if not capture.isOpened():
                msg = f"no camera opens at {spec.device}: is it plugged in, and is this user in the group video?"
                raise SensorError(msg)
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, spec.width)
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, spec.height)
            return self._encoded(capture)
        finally:
            capture.release()

    def close(self) -> None:
        """Nothing is open between two pictures."""

    def _encoded(self, capture: Any) -> bytes:
        for _ in range(_SETTLING_FRAMES):
            capture.grab()
        is_read, frame = capture.read()
        if not is_read:
            msg = f"the camera at {self._spec.device} gives no frame"
            raise SensorError(msg)
        cv2 = self._cv2
        is_encoded, jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        if not is_encoded:
            msg = f"the frame of {self._spec.device} cannot be encoded"
            raise SensorError(msg)
        return bytes(jpeg)


def _wire_camera(spec: CameraSpec) -> JpegSource:
    """Return the camera of a simulated box; the wire ends with this process."""
    from dt.collector.mocks.camera import WireCamera
    from dt.communication.wire import WireClient

    return WireCamera(WireClient(Path(spec.device), spec.timeout_s / 2.0), spec.number)
