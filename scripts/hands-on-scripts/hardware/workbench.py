"""What the scripts of this folder share: a Pi's bus, pins and cameras, or those of a simulated plant box.

`--simulated` makes such a box in this process, `--wire SOCKET` asks one that runs (`data/wire.sock` of `make up`).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from switched_output import ENDING_SIGNALS, LONGEST_ON_S, Output, OwnOutput, opened, switched_output

from dt.utils.exceptions import DTError
from dt.utils.hardware import is_pi

RIG = Path(__file__).resolve().parents[3] / "rig.toml"
SHORTEST_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Workbench:
    """Hardware as the product's sensors get it (`i2c()`, `pin()`, `camera()`), and the wire when it is simulated."""

    hardware: Any
    wire: Any = None

    @contextlib.contextmanager
    def output(self, pin: str, *, active_high: bool = True, wire_path: Path | None = None) -> Iterator[Output]:
        """Yield an output that is off, and is off again whatever happens; it refuses pins that are another part's."""
        end_at_signals()
        if self.wire is None or wire_path is not None:
            environment = dict(os.environ)
            if wire_path is not None:
                environment |= {"GPIOZERO_PIN_FACTORY": "wire", "WIRE_SOCKET": str(wire_path)}
            os.environ.update(environment)  # for the case that this process has to switch off itself
            with switched_output(pin, active_high=active_high, environment=environment) as output:
                yield output
            return
        from gpiozero import Device

        from dt.communication.wire_pins import WireFactory

        Device.pin_factory = WireFactory(self.wire)
        device = opened(pin, active_high=active_high)
        try:
            yield OwnOutput(device, hold)
        finally:
            device.off()
            device.close()


def parser(text: str, *, count: int = 5, every_s: float = 1.0) -> argparse.ArgumentParser:
    """Return the options that every script has."""
    made = argparse.ArgumentParser(description=text.strip().splitlines()[0])
    where = made.add_mutually_exclusive_group()
    where.add_argument("--simulated", action="store_true", help="use a plant box in this process")
    where.add_argument("--wire", type=Path, metavar="SOCKET", help="use a plant box that runs, by its socket")
    made.add_argument("--count", type=whole, default=count, help="how often; 0 goes on (default: %(default)s)")
    made.add_argument(
        "--every", type=seconds, default=every_s, metavar="S", help="seconds between (default: %(default)g)"
    )
    return made


def output_options(arguments: argparse.ArgumentParser, kind: str = "") -> argparse.Namespace:
    """Read the options of a script that switches; what would be on for too long, or is another part's, is exit code 2.

    `kind` is the only kind of actuator whose pin it may be, where only one will do.
    """
    arguments.add_argument("--pin", type=pin, default="GPIO17", help="BCM name (default: %(default)s)")
    arguments.add_argument("--active-low", action="store_true", help="the board is on when its input is low")
    arguments.add_argument("--rig", type=Path, help="rig whose other pins are refused (default: RIG_FILE, or rig.toml)")
    arguments.add_argument("--yes", action="store_true", help="do not ask")
    options = arguments.parse_args()
    if options.count < 1 or options.count * options.seconds > LONGEST_ON_S:
        arguments.error(f"--count times --seconds must be more than 0 and at most {LONGEST_ON_S:g} seconds in sum")
    if options.every < SHORTEST_PAUSE_S:
        arguments.error(f"--every must be at least {SHORTEST_PAUSE_S:g} second")
    try:
        owner = _other_owner(options, kind)
    except DTError as error:
        arguments.error(f"--pin: whose it is cannot be told: {error}")
    if owner:
        arguments.error(f"--pin: {options.pin} belongs to {owner} in the rig")
    return options


def _other_owner(options: argparse.Namespace, kind: str) -> str:
    from dt.operations.plan import rig_file_of
    from dt.utils.config import load_settings
    from dt.utils.pins import bus_pins, pin_number, sensor_pins
    from dt.utils.rig import actuator_pins, load_rig

    rig = load_rig(options.rig or rig_file_of(load_settings()))
    uses = [*bus_pins(rig.sensors), *(use for sensor in rig.sensors for use in sensor_pins(sensor))]
    uses += [use for each in rig.actuators if kind not in {"", each.kind} for use in actuator_pins(each)]
    return next((use.user for use in uses if use.pin == pin_number(options.pin)), "")


def times(count: int) -> str:
    """Return how often, for a question."""
    return "once" if count == 1 else f"{count} times"


@contextlib.contextmanager
def workbench(options: argparse.Namespace) -> Iterator[Workbench]:
    """Yield this Pi's hardware, or a plant box's."""
    from dt.collector.hardware import PiHardware, SimulatedHardware

    if not (options.simulated or options.wire or is_pi()):
        sys.stderr.write("this machine is no Raspberry Pi: say --simulated, or --wire SOCKET\n")
        raise SystemExit(2)
    wire, close = _wire(options)
    hardware = PiHardware() if wire is None else SimulatedHardware(wire, wire_path=options.wire)
    try:
        yield Workbench(hardware, wire)
    finally:
        hardware.close()
        close()


def looks(options: argparse.Namespace) -> Iterator[int]:
    """Yield 0, 1, 2 ... at the pace that was asked for."""
    number = 0
    while options.count == 0 or number < options.count:
        if number:
            time.sleep(options.every)
        yield number
        number += 1


def confirmed(question: str, options: argparse.Namespace) -> bool:
    """Ask a person; --yes answers for them."""
    if options.yes:
        return True
    try:
        return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        return False


def end_at_signals() -> None:
    """Let every signal that would end or halt this process switch off first; Ctrl-C does by itself."""
    for number in ENDING_SIGNALS:
        if number != signal.SIGINT:
            signal.signal(number, _end)


def hold(duration_s: float) -> None:
    """Wait; a signal ends it at once."""
    threading.Event().wait(duration_s)


def run(main: Callable[[], int]) -> int:
    """Call a script's main; what the hardware says becomes one line and exit code 1."""
    try:
        return main()
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - drivers and pin libraries raise whatever they like
        sys.stderr.write(f"{Path(sys.argv[0]).name}: {error}\n")
        return 1


def whole(text: str) -> int:
    """Read a count."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return number


def seconds(text: str) -> float:
    """Read a pause in seconds."""
    number = float(text)
    if not 0.0 <= number <= 3600.0:
        raise argparse.ArgumentTypeError("must be 0 to 3600 seconds")
    return number


def millilitres(text: str) -> float:
    """Read a volume in ml."""
    number = float(text)
    if not 0.0 < number <= 100_000.0:
        raise argparse.ArgumentTypeError("must be more than 0 and at most 100000 ml")
    return number


def on_seconds(text: str) -> float:
    """Read how long an output may be on."""
    number = float(text)
    if not 0.0 < number <= LONGEST_ON_S:
        raise argparse.ArgumentTypeError(f"must be more than 0 and at most {LONGEST_ON_S:g} seconds")
    return number


def new_file(text: str) -> Path:
    """Read where a file shall be made."""
    path = Path(text)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"must be a file in a folder that is there, not {text!r}")
    return path


def address(text: str) -> int:
    """Read an I2C address, 0x23 or 35."""
    number = int(text, 0)
    if not 0x08 <= number <= 0x77:
        raise argparse.ArgumentTypeError("must be 0x08 to 0x77")
    return number


def pin(text: str) -> str:
    """Read a pin's BCM name."""
    from dt.utils.rig import pin_number

    return _named(text, pin_number)


def camera(text: str) -> str:
    """Read a camera's name."""
    from dt.collector.camera_spec import camera_number

    return _named(text, camera_number)


def _named(text: str, reads: Callable[[str], int]) -> str:
    try:
        reads(text)
    except DTError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _wire(options: argparse.Namespace) -> tuple[Any, Callable[[], None]]:
    if options.wire is not None:
        from dt.communication.wire import WireClient

        client = WireClient(options.wire)
        return client, client.close
    if not options.simulated:
        return None, lambda: None
    from dt.simulator.board import BoxWire, box_spec, wiring
    from dt.simulator.box import Box
    from dt.utils.clock import SystemClock
    from dt.utils.rig import load_rig

    rig, clock = load_rig(RIG), SystemClock()
    return BoxWire(Box(box_spec(rig), clock.wall() - 3600.0), clock, wiring(rig)), lambda: None


def _end(_number: int, _frame: object) -> None:
    for number in ENDING_SIGNALS:  # a second one must not disturb the switching off
        signal.signal(number, signal.SIG_IGN)
    raise SystemExit(1)
