"""Cameras of a Pi and on USB, as far as a machine without either can tell: the genuine libraries on files."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dt.collector.camera_sources import RpicamSource, UsbSource, open_source
from dt.collector.camera_spec import CameraSource, CameraSpec, camera_spec
from dt.utils.exceptions import ConfigError, SensorError


def test_camera_names_are_checked() -> None:
    """A camera is camera0 to camera9, or usb0 to usb9."""
    with pytest.raises(ConfigError, match="must be camera0 to camera9, or usb0 to usb9, not 'webcam'"):
        camera_spec("webcam")


def test_a_spec_survives_the_command_line() -> None:
    """What the collector says is what the camera's process hears."""
    spec = camera_spec("usb1", {"width": 640, "sharp_above": 0.05})

    assert CameraSpec.from_json(spec.to_json()) == spec
    assert (spec.source, spec.device, spec.width) == (CameraSource.USB, "/dev/video1", 640)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder on the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_a_pi_without_picamera2_asks_the_systems_own_tool(tools: Path) -> None:
    """The tool's output is the picture."""
    tool = tools / "rpicam-still"
    tool.write_text('#!/bin/sh\necho "$@"\n')
    tool.chmod(0o755)

    arguments = open_source(camera_spec("camera1", {"width": 640})).jpeg().decode()

    assert arguments.startswith("--camera 1 --nopreview --immediate --width 640 --height 960")
    assert arguments.endswith("--output -\n")


def test_missing_tool_is_named_with_its_package(tools: Path) -> None:
    """Who has no camera software is told what to install."""
    with pytest.raises(SensorError, match="apt install python3-picamera2 or rpicam-apps"):
        RpicamSource(camera_spec("camera0")).jpeg()


def test_failing_tool_says_what_it_said(tools: Path) -> None:
    """A camera that is not connected is a sensor error in the tool's words."""
    tool = tools / "rpicam-still"
    tool.write_text("#!/bin/sh\necho 'no cameras available' >&2\nexit 255\n")
    tool.chmod(0o755)

    with pytest.raises(SensorError, match="no cameras available"):
        RpicamSource(camera_spec("camera0")).jpeg()


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Return a film of twelve frames, each brighter than the one before: OpenCV reads it as it reads a camera."""
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (320, 240))
    for index in range(12):
        writer.write(np.full((240, 320, 3), 20 * index, dtype=np.uint8))
    writer.release()
    return path


def test_a_usb_camera_settles_before_its_picture(film: Path) -> None:
    """The frames that its buffers kept are passed over; each picture is taken anew."""
    source = UsbSource(camera_spec("usb0", {"device": str(film)}))

    pictures = [Image.open(io.BytesIO(source.jpeg())) for _ in range(2)]

    for picture in pictures:
        assert picture.size == (320, 240)
        assert picture.convert("L").getpixel((160, 120)) == pytest.approx(160, abs=3)  # the ninth frame


def test_a_usb_camera_that_is_not_there_is_an_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Unplugged, or one that gives nothing."""
    with pytest.raises(SensorError, match="no camera opens at /dev/video9: is it plugged in"):
        UsbSource(camera_spec("usb9")).jpeg()

    still = tmp_path / "short.avi"
    writer = cv2.VideoWriter(str(still), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    writer.write(np.zeros((48, 64, 3), dtype=np.uint8))
    writer.release()
    with pytest.raises(SensorError, match="gives no frame"):
        UsbSource(camera_spec("usb0", {"device": str(still)})).jpeg()
