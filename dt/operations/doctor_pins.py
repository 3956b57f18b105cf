"""Checks of pins: two parts on one, pins that something else holds, and outputs that outlive their process."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from dt.operations.checkup import Check, Machine, Patient, device_params, failed, fine, skipped, warned, why_no_pi_pins
from dt.operations.doctor_bus import declared_addresses
from dt.operations.plan import rig_file_of
from dt.operations.status import ask
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.exceptions import ConfigError, MessageError
from dt.utils.pins import sensor_pins
from dt.utils.rig import Rig, actuator_pins, load_rig

HEADER_PINS = range(28)
_HEADER_CHIP_LINES = range(54, 60)  # 54 on a Pi 3 and 5, 58 on a Pi 4; other chips of a Pi have fewer
_OUR_CONSUMERS = re.compile(r"lg|lgpio|gpiozero|pulse|blinka", re.IGNORECASE)
_PERSISTS = tuple(
    f"/sys/module/{driver}/parameters/persist_gpio_outputs" for driver in ("pinctrl_rp1", "pinctrl_bcm2835")
)
_STRICT = "dtparam=strict_gpiod in /boot/firmware/config.txt, then sudo reboot"
_RESISTOR = "the resistor at the driver board holds the off state (notes/hardware.md)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One GPIO line as the kernel has it."""

    offset: int
    is_output: bool
    consumer: str | None


def check_pins(patient: Patient) -> Check:
    """Look for pins that two parts want, and for rig pins that another program or driver holds."""
    try:
        rig = load_rig(rig_file_of(patient.settings))
        uses = pin_uses(rig)
        conflicts = bus_conflicts(rig, uses, patient.machine.boot_config)
    except (ConfigError, MessageError) as error:
        return skipped("pins", f"they cannot be told: {error}")
    if conflicts:
        return failed("pins", "; ".join(conflicts), "give each its own pin or address in rig.toml, and wire it so")
    words = (
        ", ".join(f"GPIO{pin} {'/'.join(sorted(kinds))}" for pin, kinds in sorted(uses.items()))
        or "the rig has no pins"
    )
    unfit = why_no_pi_pins(patient)
    if unfit is not None:
        return fine("pins", f"{words}; what else uses pins is not looked at: {unfit}")
    return _held_pins(patient, uses, words)


def check_outputs(patient: Patient) -> Check:
    """Say what the kernel does with an output whose process has died."""
    unfit = why_no_pi_pins(patient)
    if unfit is not None:
        return skipped("outputs", f"{unfit}; the plant box keeps the outputs of a dead process as they were")
    keeps = keeps_outputs(patient.machine)
    if keeps is None:
        remedy = "measure it on a pin with nothing on it: dt doctor --try-pin GPIO26"
        return warned("outputs", "this kernel does not tell what it does with the outputs of a dead process", remedy)
    if keeps:
        detail = "the outputs of a dead process stay as they were; the guard's parent switches them off within a second"
        return warned("outputs", detail, f"{_STRICT}, lets the kernel do it too; {_RESISTOR}")
    return fine("outputs", f"the kernel makes the outputs of a dead process inputs; {_RESISTOR}")


PIN_CHECKS: tuple[Callable[[Patient], Check], ...] = (check_pins, check_outputs)


def keeps_outputs(machine: Machine) -> bool | None:
    """Return whether a released output keeps its level, or None when the kernel has no such switch.

    Raspberry Pi's kernels do unless `dtparam=strict_gpiod` (raspberrypi/linux pull requests 6117 and 6150).
    """
    for name in _PERSISTS:
        text = machine.text(name)
        if text in {"Y", "N"}:
            return text == "Y"
    return None


def pin_uses(rig: Rig) -> dict[int, list[str]]:
    """Return what the rig has on each pin: kind of chip, or id of actuator; sensors of one chip count once."""
    uses: dict[int, list[str]] = {}
    for use in (use for sensor in rig.sensors for use in sensor_pins(sensor)):
        users = uses.setdefault(use.pin, [])
        if use.user not in users:
            users.append(use.user)
    for actuator in rig.actuators:
        for use in actuator_pins(actuator):
            uses.setdefault(use.pin, []).append(actuator.actuator_id)
    return uses


def bus_conflicts(rig: Rig, uses: Mapping[int, list[str]], boot_config: str) -> list[str]:
    """Return a sentence for each pin that a bus needs, and for each address that chips of two kinds share."""
    taken = _bus_pins(rig, boot_config)
    pins = [f"GPIO{pin} ({', '.join(uses[pin])}) belongs to {taken[pin]}" for pin in sorted(uses) if pin in taken]
    return pins + _shared_addresses(rig)


def header_lines(text: str) -> list[Line]:
    """Return the header's lines out of what gpioinfo prints, version 1 (Bookworm) or 2 (Trixie)."""
    chip: list[Line] = []
    is_header = False
    for row in text.splitlines():
        head = re.match(r"gpiochip\d+ - (\d+) lines", row)
        if head:
            if chip:
                break
            is_header = int(head[1]) in _HEADER_CHIP_LINES
        elif is_header:
            chip += _line(row)
    return [line for line in chip if line.offset in HEADER_PINS]


def _shared_addresses(rig: Rig) -> list[str]:
    """Return a sentence for each address with two kinds of chips, or with one quantity of two plants or places."""
    there: dict[int, list[SensorDescriptor]] = {}
    for sensor in rig.sensors:
        if sensor.address is not None and sensor.pin is None:
            there.setdefault(sensor.address, []).append(sensor)
    doubles = {
        address: sensors
        for address, sensors in there.items()
        if len({sensor.kind for sensor in sensors}) > 1 or len({sensor.data_type for sensor in sensors}) < len(sensors)
    }
    return [
        f"{address:#04x} is wanted by {' and '.join(sensor.sensor_id for sensor in sensors)}"
        for address, sensors in sorted(doubles.items())
    ]


def _line(row: str) -> list[Line]:
    found = re.match(r"\s*line\s+(\d+):\s+(?:\"[^\"]*\"|unnamed)\s+(.*)", row)
    if not found:
        return []
    rest = found[2]
    direction = re.search(r"\b(input|output)\b", re.sub(r"\"[^\"]*\"", "", rest))
    named = re.search(r"consumer=\"?([^\"\s]+)", rest) or re.match(r"\"([^\"]+)\"", rest)
    consumer = named[1] if named else ("kernel" if re.match(r"kernel|\[used\]", rest) else None)
    return [Line(offset=int(found[1]), is_output=bool(direction and direction[1] == "output"), consumer=consumer)]


def _held_pins(patient: Patient, uses: Mapping[int, list[str]], words: str) -> Check:
    text = patient.machine.run(["gpioinfo"])
    if text is None:
        return warned("pins", f"{words}; who uses them cannot be told: gpioinfo is missing", "sudo apt install gpiod")
    lines = header_lines(text)
    if not lines:
        said = (text.strip().splitlines() or ["nothing"])[0]
        remedy = 'sudo usermod -aG gpio "$USER", then log in again'
        return warned("pins", f"{words}; who uses them cannot be told: gpioinfo says {said}", remedy)
    held = [line for line in lines if line.consumer and line.offset in uses]
    strangers = _strangers(patient, held)
    if strangers:
        names = ", ".join(f"GPIO{line.offset} by {line.consumer}" for line in strangers)
        remedy = "stop that program, or remove its dtoverlay from config.txt; sudo gpioinfo lists all"
        return failed("pins", f"{words}; held by something else: {names}", remedy)
    ours = f"; held by this product: {', '.join(f'GPIO{line.offset}' for line in held)}" if held else "; free"
    return fine("pins", words + ours)


def _strangers(patient: Patient, held: Iterable[Line]) -> list[Line]:
    """Return the lines that are not held by our own services, as far as their names tell."""
    settings = patient.settings
    lines = list(held)
    if lines and (ask(f"{settings.flask_controller_url}/health") or ask(f"{settings.flask_collector_url}/health")):
        return [line for line in lines if not _OUR_CONSUMERS.search(line.consumer or "")]
    return lines


def _bus_pins(rig: Rig, boot_config: str) -> dict[int, str]:
    """Return the pins that buses have (raspberrypi.com: GPIO and the 40-pin header), as far as they are switched on."""
    params = device_params(boot_config)
    taken = {0: "the HAT's EEPROM", 1: "the HAT's EEPROM"}
    if declared_addresses(rig) or params.get("i2c_arm") == "on":
        taken |= dict.fromkeys((2, 3), "I2C")
    if params.get("spi") == "on":
        taken |= dict.fromkeys(range(7, 12), "SPI (dtparam=spi)")
    if params.get("i2s") == "on":
        taken |= dict.fromkeys(range(18, 22), "I2S (dtparam=i2s)")
    if re.search(r"^\s*enable_uart=1", boot_config, re.MULTILINE):
        taken |= dict.fromkeys((14, 15), "the serial port (enable_uart)")
    one_wire = re.search(r"^\s*dtoverlay=w1-gpio(?:[^\n]*gpiopin=(\d+))?", boot_config, re.MULTILINE)
    if one_wire:
        taken[int(one_wire[1] or 4)] = "1-wire (dtoverlay=w1-gpio)"
    return taken
