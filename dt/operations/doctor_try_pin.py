"""`dt doctor --try-pin`: what becomes of an output whose process is killed, measured on a pin with nothing on it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dt.communication.wire import WireClient
from dt.communication.wire_pins import SOCKET_VARIABLE
from dt.operations.checkup import Check, Patient, failed, fine, skipped, warned
from dt.operations.doctor_pins import bus_conflicts, pin_uses
from dt.operations.plan import rig_file_of
from dt.utils.exceptions import ConfigError, MessageError, WireError
from dt.utils.hardware import is_simulated
from dt.utils.rig import Rig, load_rig, pin_number

_CLAIMS_WITHIN_S = 10.0
_SETTLES_S = 0.2
_NAME = "try-pin"
_CLAIMED = "high"
_REMEDY = (
    "the guard's parent switches off within a second; dtparam=strict_gpiod in config.txt makes the kernel do it at once"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What a pin is, read without touching it."""

    is_output: bool
    is_high: bool


Reader = Callable[[int], Level]


def try_pin(patient: Patient, name: str, read: Reader | None = None) -> Check:
    """Let a child drive a pin high, kill it, and say what the pin does then; the pin ends as an input."""
    try:
        pin = pin_number(name)
        _refuse_used_pin(load_rig(rig_file_of(patient.settings)), pin, patient.machine.boot_config)
        environment, reader = _way_to(patient)
    except (ConfigError, MessageError) as error:
        return failed(_NAME, str(error), "name a pin of the header with nothing on it: --try-pin GPIO26")
    except WireError as error:
        return skipped(_NAME, f"the plant box cannot be asked: {error}")
    try:
        _drive_and_kill(pin, environment)
        return judge(name, (read or reader)(pin))
    except (OSError, RuntimeError, ImportError, WireError) as error:
        return failed(_NAME, f"{name} cannot be tried: {error}", "see the pins and hardware lines; make install-rpi")
    finally:
        _release(pin, environment)


def judge(name: str, level: Level) -> Check:
    """Say what a pin's state after the death of its process means."""
    if level.is_output and level.is_high:
        detail = f"{name} still drives high after its process was killed: outputs stay as they were"
        return warned(_NAME, detail, _REMEDY)
    if level.is_output:
        return fine(_NAME, f"{name} is low after its process was killed")
    return fine(_NAME, f"{name} became an input ({'high' if level.is_high else 'low'}) when its process was killed")


def _refuse_used_pin(rig: Rig, pin: int, boot_config: str) -> None:
    users = pin_uses(rig).get(pin)
    if users:
        raise ConfigError(f"GPIO{pin} is {', '.join(users)} in {rig.path}")
    conflicts = bus_conflicts(rig, {pin: ["tried"]}, boot_config)
    if conflicts:
        raise ConfigError(conflicts[0])


def _way_to(patient: Patient) -> tuple[Mapping[str, str], Reader]:
    """Return the environment in which gpiozero finds the rig's pins, and how a pin is read."""
    settings = patient.settings
    if not is_simulated(settings):
        if patient.machine.model is None:
            raise ConfigError("HARDWARE is pi, but this machine is no Raspberry Pi")
        return os.environ, read_kernel_pin
    client = WireClient(settings.wire_path)
    client.pin_read(0)  # away: said now, not by a child
    client.close()
    path = str(settings.wire_path)
    return {**os.environ, "GPIOZERO_PIN_FACTORY": "wire", SOCKET_VARIABLE: path}, lambda pin: _read_box_pin(path, pin)


def _read_box_pin(path: str, pin: int) -> Level:
    client = WireClient(Path(path))
    try:
        is_high = client.pin_read(pin)  # nothing but an output drives a pin that is free
        return Level(is_output=is_high, is_high=is_high)
    finally:
        client.close()


def read_kernel_pin(pin: int) -> Level:
    """Read a line of the header's chip as it is, direction and level."""
    import gpiod
    from gpiod.line import Direction

    with gpiod.Chip(_header_chip()) as chip:
        is_output = chip.get_line_info(pin).direction == Direction.OUTPUT
        with chip.request_lines(
            config={pin: gpiod.LineSettings(direction=Direction.AS_IS)}, consumer="dt doctor"
        ) as line:
            return Level(is_output=is_output, is_high=bool(line.get_value(pin).value))


def _header_chip() -> str:
    import gpiod

    for path in sorted(Path("/dev").glob("gpiochip*")):
        with gpiod.Chip(str(path)) as chip:
            if chip.get_info().label.startswith("pinctrl-"):
                return str(path)
    raise OSError("no gpiochip of the header is there")


def _drive_and_kill(pin: int, environment: Mapping[str, str]) -> None:
    child = _child(pin, environment)
    try:
        _wait_for_claim(child)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                stream.close()
    time.sleep(_SETTLES_S)


def _child(pin: int, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "dt.operations.doctor_try_pin", str(pin)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(environment))


def _wait_for_claim(child: subprocess.Popen[str]) -> None:
    assert child.stdout is not None
    readable, _, _ = select.select([child.stdout], [], [], _CLAIMS_WITHIN_S)
    said = child.stdout.readline().strip() if readable else f"nothing within {_CLAIMS_WITHIN_S:g} s"
    if said != _CLAIMED:
        raise RuntimeError(f"the process that should drive it said {said or 'nothing'}")


def _release(pin: int, environment: Mapping[str, str]) -> None:
    """Let a child claim the pin low and end in good order, which makes it an input."""
    command = [sys.executable, "-m", "dt.operations.doctor_try_pin", str(pin), "release"]
    subprocess.run(command, env=dict(environment), capture_output=True, timeout=_CLAIMS_WITHIN_S, check=False)


def main(arguments: list[str]) -> int:
    """Claim a pin in this process: drive it high until killed, or release it."""
    from gpiozero import OutputDevice

    pin, is_release = int(arguments[0]), "release" in arguments[1:]
    try:
        device = OutputDevice(pin, initial_value=not is_release)
    except Exception as error:  # noqa: BLE001 - pin factories raise whatever their library raises
        print(f"{type(error).__name__}: {error}", flush=True)  # noqa: T201 - its parent reads it
        return 1
    if is_release:
        device.close()
        return 0
    print(_CLAIMED, flush=True)  # noqa: T201 - its parent reads it
    sys.stdin.read()  # ends with the parent, too
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
