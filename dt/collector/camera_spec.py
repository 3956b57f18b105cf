"""Which camera is meant and how its pictures are taken: what the collector tells the camera's own process."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import msgspec

from dt.utils.exceptions import ConfigError

# How these were measured: notes/decisions/0004-a-camera-process.md.
DARK_BELOW = 40.0
SHARP_ABOVE = 0.02
UNIFORM_BELOW = 6.0


class CameraSource(StrEnum):
    """Where pictures come from."""

    PI = "pi"
    USB = "usb"
    WIRE = "wire"


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG of at most 700 kB, its size in pixels, and what is wrong with it: `dark`, `blurred`, `blocked`."""

    jpeg: bytes
    width: int
    height: int
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSpec:
    """A camera: its number (a Pi's, the box's) or device (a V4L2 one), its picture's size, its limits."""

    source: CameraSource
    number: int = 0
    device: str = ""
    width: int = 1280
    height: int = 960
    timeout_s: float = 20.0
    dark_below: float = DARK_BELOW
    sharp_above: float = SHARP_ABOVE

    def to_json(self) -> str:
        """Return it as it stands on a command line."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str) -> CameraSpec:
        """Read what `to_json` wrote."""
        return msgspec.json.decode(text, type=cls)


def camera_spec(name: str, options: Mapping[str, Any] | None = None) -> CameraSpec:
    """Return the camera that a name and a sensor's options mean; raises `ConfigError`.

    >>> camera_spec("usb1").device, camera_spec("camera0", {"device": "/dev/video2"}).device
    ('/dev/video1', '/dev/video2')
    >>> camera_spec("camera1", {"width": 640}).width
    640
    """
    number = camera_number(name)
    given = dict(options or {})
    device = str(given.pop("device", f"/dev/video{number}" if name.startswith("usb") else ""))
    source = CameraSource.USB if device else CameraSource.PI
    return replace(CameraSpec(source=source, number=number, device=device), **given)


def camera_number(name: str) -> int:
    """Return which camera a name means; raises `ConfigError`.

    >>> camera_number("camera0"), camera_number("usb1")
    (0, 1)
    """
    match = re.fullmatch(r"(?:camera|usb)(\d)", name)
    if match is None:
        msg = f"pin of a camera: must be camera0 to camera9, or usb0 to usb9, not {name!r}"
        raise ConfigError(msg)
    return int(match[1])
