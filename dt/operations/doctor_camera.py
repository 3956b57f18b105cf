"""Checks of the cameras that the rig declares: a module on the ribbon, a USB camera, or the simulated one."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Sequence

from dt.collector.camera_client import BoxCamera
from dt.collector.camera_spec import CameraSource, CameraSpec, camera_spec
from dt.communication.wire import WireClient
from dt.operations.checkup import Check, Machine, Patient, failed, fine, skipped
from dt.operations.plan import rig_file_of
from dt.utils.exceptions import ConfigError, MessageError, SensorError, WireError
from dt.utils.hardware import is_simulated
from dt.utils.rig import load_rig

_LISTING_TAKES_AT_MOST_S = 8.0
# Video devices of a Pi's own that are no cameras: codecs, image processors, and the receiver behind the ribbon.
_NO_CAMERAS = re.compile(r"bcm2835|rpi|rpivid|pispbe|rp1-cfe|unicam|hevc|codec|isp\b", re.IGNORECASE)
_RIBBON = (
    "power off, seat the ribbon at both ends (contacts face the right way), camera_auto_detect=1 in config.txt; "
    "rpicam-hello --list-cameras shows it, for a user in the group video"
)


def check_camera(patient: Patient) -> Check:
    """Look whether the cameras of the rig are there."""
    try:
        rig = load_rig(rig_file_of(patient.settings))
        specs = [camera_spec(s.pin or "camera0", s.options) for s in rig.sensors if s.kind == "camera"]
        if not specs:
            return skipped("camera", "the rig has none")
        if is_simulated(patient.settings, patient.machine.path("/proc/device-tree/model")):
            return _simulated(patient, specs)
    except (ConfigError, MessageError) as error:
        return skipped("camera", f"it cannot be told: {error}")
    return _real(patient.machine, specs)


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


def _simulated(patient: Patient, specs: Sequence[CameraSpec]) -> Check:
    client = WireClient(patient.settings.wire_path)
    try:
        pictures = [BoxCamera(client, spec).capture() for spec in specs]
    except (WireError, SensorError) as error:
        return _no_picture(str(error), is_away=isinstance(error.__cause__ or error, ConnectionError))
    finally:
        client.close()
    words = [
        f"camera{spec.number} {picture.width}x{picture.height}" + "".join(f" {flag}" for flag in picture.flags)
        for spec, picture in zip(specs, pictures, strict=True)
    ]
    return fine("camera", f"simulated: {', '.join(words)}")


def _no_picture(why: str, *, is_away: bool) -> Check:
    if is_away:
        return skipped("camera", f"the plant box cannot be asked: {why}")
    return failed("camera", why, "declare a camera that the box has (camera0), or end the fault that it has")


def _real(machine: Machine, specs: Sequence[CameraSpec]) -> Check:
    devices = sorted({spec.device for spec in specs if spec.source is CameraSource.USB})
    absent = [device for device in devices if not machine.path(device).exists()]
    if absent:
        names = ", ".join(usb_cameras(machine)) or "none is plugged in"
        remedy = "plug it in, and name its /dev/video number in rig.toml (v4l2-ctl --list-devices shows them)"
        return failed("camera", f"not found: {', '.join(absent)}; by USB: {names}", remedy)
    numbers = sorted({spec.number for spec in specs if spec.source is CameraSource.PI})
    if not numbers:
        return fine("camera", ", ".join(devices))
    return _modules(machine, numbers, devices)


def _modules(machine: Machine, numbers: Sequence[int], devices: Sequence[str]) -> Check:
    text = machine.run(["rpicam-hello", "--list-cameras"], _LISTING_TAKES_AT_MOST_S)
    if text is None:
        return failed("camera", "rpicam-hello is missing or does not answer", "sudo apt install rpicam-apps")
    modules = listed_cameras(text)
    missing = [f"camera{number}" for number in numbers if number >= len(modules)]
    if missing:
        usb = usb_cameras(machine)
        hint = f'; or pin = "usb0" in rig.toml for {", ".join(usb)}' if usb else ""
        return failed("camera", f"not found: {', '.join(missing)}", _RIBBON + hint)
    by = "picamera2" if importlib.util.find_spec("picamera2") else "rpicam-still"
    return fine("camera", f"{', '.join([*modules, *devices])}, by {by}")
