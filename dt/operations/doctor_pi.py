"""Checks of a Raspberry Pi itself: model, operating system, power, temperature."""

from __future__ import annotations

import re
from collections.abc import Callable

from dt.operations.checkup import Check, Machine, Patient, failed, fine, skipped, warned

OLDEST_DEBIAN = 12  # the first with Python 3.11
_LITTLE_MEMORY_MIB = 700  # a Zero 2 W has 512, a Pi 3 shows about 900 of its 1024
_NO_64_BITS = re.compile(r"Pi (Model|Zero W|Zero Rev|1|2 Model B Rev 1\.[01])|Compute Module Rev")
_THROTTLES_AT_DEGC, _HOT_DEGC = 85.0, 75.0  # raspberrypi.com: frequency management and thermal control
_NO_PI = "this machine is no Raspberry Pi"

# vcgencmd get_throttled (raspberrypi.com, os.html#get_throttled): bits of now; those of any time lie 16 higher.
_UNDER_VOLTAGE, _CAPPED, _THROTTLED, _SOFT_LIMIT = 0, 1, 2, 3
_WORDS = {_CAPPED: "frequency capped", _THROTTLED: "throttled", _SOFT_LIMIT: "soft temperature limit"}
_SUPPLY = (
    "use the supply made for this Pi (5.1 V, and 5 A for a Pi 5), a short thick cable, and no pump on the Pi's 5 V"
)
_COOLER = "give it air or a cooler"


def check_model(patient: Patient) -> Check:
    """Say which Pi this is and how much memory it has."""
    machine = patient.machine
    if machine.model is None:
        return skipped("model", _NO_PI)
    memory = _memory_mib(machine)
    detail = machine.model if memory is None else f"{machine.model}, {memory} MiB of memory"
    if _NO_64_BITS.search(machine.model):
        return failed("model", f"{detail}; it has no 64 bits", "take a Pi 3, 4, 5 or Zero 2 W")
    if memory is not None and memory < _LITTLE_MEMORY_MIB:
        remedy = (
            "run only the collector and the controller here (make run-collector, run-controller), the rest elsewhere"
        )
        return warned("model", detail, remedy)
    return fine("model", detail)


def check_system(patient: Patient) -> Check:
    """Look for a 64-bit Raspberry Pi OS that is new enough; the kernel alone may be 64-bit."""
    machine = patient.machine
    release = _release(machine)
    name = release.get("PRETTY_NAME", "an unknown system")
    if machine.model is None:
        return skipped("system", f"{name}; {_NO_PI}")
    kernel = (machine.run(["uname", "-m"]) or "unknown").strip()
    userland = (machine.run(["dpkg", "--print-architecture"]) or "unknown").strip()
    remedy = "write a card with the 64-bit Raspberry Pi OS (Raspberry Pi Imager offers it)"
    if kernel != "aarch64":
        return failed("system", f"{name} is 32-bit ({kernel})", remedy)
    if userland != "arm64":
        detail = f"{name}: the kernel is 64-bit, but its programs are 32-bit ({userland})"
        return failed("system", detail, f"{remedy}; arm_64bit=1 in config.txt changes the kernel alone")
    if _version(release) < OLDEST_DEBIAN:
        return failed("system", f"{name} is too old", f"{remedy}, Debian {OLDEST_DEBIAN} (Bookworm) or newer")
    return fine("system", f"{name}, 64-bit")


def check_power(patient: Patient) -> Check:
    """Ask the firmware whether the Pi had too little voltage or was slowed down, now or since it started."""
    if patient.machine.model is None:
        return skipped("power", _NO_PI)
    bits = _throttled(patient.machine)
    if bits is None:
        return warned("power", "the firmware does not tell", "sudo apt install raspi-utils (it brings vcgencmd)")
    if bits >> _UNDER_VOLTAGE & 1:
        return failed("power", f"too little voltage now ({bits:#x})", _SUPPLY)
    return _past_power(bits)


def check_temperature(patient: Patient) -> Check:
    """Read how warm the processor is."""
    text = patient.machine.text("/sys/class/thermal/thermal_zone0/temp")
    if text is None or not text.lstrip("-").isdigit():
        return skipped("temperature", "this machine does not tell how warm it is")
    degc = int(text) / 1000.0
    detail = f"{degc:.0f} degC at the processor"
    if degc >= _THROTTLES_AT_DEGC:
        return failed("temperature", detail, _COOLER)
    return warned("temperature", detail, _COOLER) if degc >= _HOT_DEGC else fine("temperature", detail)


PI_CHECKS: tuple[Callable[[Patient], Check], ...] = (check_model, check_system, check_power, check_temperature)


def _past_power(bits: int) -> Check:
    since = f"at some time since it started ({bits:#x})"
    if bits >> (_UNDER_VOLTAGE + 16) & 1:
        return warned("power", f"too little voltage {since}", _SUPPLY)
    now = [word for bit, word in _WORDS.items() if bits >> bit & 1]
    past = [word for bit, word in _WORDS.items() if bits >> (bit + 16) & 1]
    if now or past:
        return warned("power", f"{', '.join(now)} now ({bits:#x})" if now else f"{', '.join(past)} {since}", _COOLER)
    return fine("power", "no low voltage and no throttling since it started")


def _memory_mib(machine: Machine) -> int | None:
    found = re.search(r"^MemTotal:\s+(\d+) kB", machine.text("/proc/meminfo") or "", re.MULTILINE)
    return int(found[1]) // 1024 if found else None


def _release(machine: Machine) -> dict[str, str]:
    lines = (machine.text("/etc/os-release") or "").splitlines()
    return {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}


def _version(release: dict[str, str]) -> int:
    number = release.get("VERSION_ID", "").partition(".")[0]
    return int(number) if number.isdigit() else OLDEST_DEBIAN  # a testing release has none


def _throttled(machine: Machine) -> int | None:
    """Return the firmware's bits, by its tool or from sysfs (hexadecimal without 0x)."""
    found = re.search(r"throttled=0x([0-9a-fA-F]+)", machine.run(["vcgencmd", "get_throttled"]) or "")
    if found:
        return int(found[1], 16)
    text = machine.text("/sys/devices/platform/soc/soc:firmware/get_throttled") or ""
    return int(text, 16) if re.fullmatch(r"(0x)?[0-9a-fA-F]+", text) else None
