"""Checks of the cameras that the rig declares: a module on the ribbon, a USB camera, or the simulated one."""

from __future__ import annotations

import re
from collections.abc import Callable

from dt.collector.hardware import camera_number
from dt.collector.kinds.camera import size_of
from dt.communication.wire import WireClient
from dt.operations.checkup import Check, Machine, Patient, failed, fine, skipped, warned
from dt.operations.plan import rig_file_of
from dt.utils.exceptions import ConfigError, SensorError, WireError
from dt.utils.hardware import is_simulated
from dt.utils.rig import load_rig

_LISTING_TAKES_AT_MOST_S = 8.0
# Video devices of a Pi's own that are no cameras: codecs, image processors, and the receiver behind the ribbon.
_NO_CAMERAS = re.compile(r"bcm2835|rpi|rpivid|pispbe|rp1-cfe|unicam|hevc|codec|isp\b", re.IGNORECASE)
_RIBBON = (
    "power off, seat the ribbon at both ends (contacts face the right way), camera_auto_detect=1 in config.txt; "
    "rpicam-hello --list-cameras shows it"
)


def check_camera(patient: Patient) -> Check:
    """Look whether the cameras of the rig are there."""
    try:
        rig = load_rig(rig_file_of(patient.settings))
        numbers = sorted({camera_number(s.pin or "camera0") for s in rig.sensors if s.kind == "camera"})
        if not numbers:
            return skipped("camera", "the rig has none")
        if is_simulated(patient.settings, patient.machine.path("/proc/device-tree/model")):
            return _simulated(patient, numbers)
    except ConfigError as error:
        return skipped("camera", f"it cannot be told: {error}")
    return _real(patient.machine, numbers)


CAMERA_CHECKS: tuple[Callable[[Patient], Check], ...] = (check_camera,)


def listed_cameras(text: str) -> list[str]:
    r"""Return the modules that `rpicam-hello --list-cameras` names, by number.

    >>> listed_cameras("Available cameras\n-----------\n0 : imx708 [4608x2592 10-bit RGGB] (/base/soc/i2c0mux)")
    ['imx708 4608x2592']
    """
    rows = re.findall(r"^\s*\d+ : (\S+) \[(\d+x\d+)", text, re.MULTILINE)
    return [f"{name} {size}" for name, size in rows]


def usb_cameras(machine: Machine) -> list[str]:
    """Return the names of V4L2 cameras that are none of the Pi's own devices."""
    names = {
        path.read_text("utf-8", "replace").strip()
        for path in machine.path("/sys/class/video4linux").glob("video*/name")
    }
    return sorted(name for name in names if not _NO_CAMERAS.search(name))


def _simulated(patient: Patient, numbers: list[int]) -> Check:
    client = WireClient(patient.settings.wire_path)
    try:
        sizes = [size_of(client.capture(number)) for number in numbers]
    except WireError as error:
        return skipped("camera", f"the plant box cannot be asked: {error}")
    except SensorError as error:
        return failed("camera", str(error), "make down, make up: the box draws the picture")
    finally:
        client.close()
    words = ", ".join(f"camera{n} {width}x{height}" for n, (width, height) in zip(numbers, sizes, strict=True))
    return fine("camera", f"simulated: {words}")


def _real(machine: Machine, numbers: list[int]) -> Check:
    usb = usb_cameras(machine)
    beside = f"; by USB: {', '.join(usb)}" if usb else ""
    text = machine.run(["rpicam-hello", "--list-cameras"], _LISTING_TAKES_AT_MOST_S)
    if text is None:
        if usb:
            return warned(
                "camera", f"rpicam-apps is missing{beside}", "sudo apt install rpicam-apps for a camera module"
            )
        return failed("camera", "rpicam-hello is missing or does not answer", "sudo apt install rpicam-apps")
    modules = listed_cameras(text)
    missing = [f"camera{number}" for number in numbers if number >= len(modules)]
    if missing and not usb:
        return failed("camera", f"not found: {', '.join(missing)}", _RIBBON)
    if missing:
        return warned("camera", f"no module for {', '.join(missing)}{beside}", _RIBBON)
    return fine("camera", f"{', '.join(modules)}{beside}")
