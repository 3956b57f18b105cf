"""What the scripts of this folder share: a Pi's bus, pins and cameras, or those of a simulated plant box.

`--simulated` makes such a box in this process, `--wire SOCKET` asks one that runs (`data/wire.sock` of `make up`).
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dt.utils.exceptions import DTError
from dt.utils.hardware import is_pi

RIG = Path(__file__).resolve().parents[3] / "rig.toml"
LONGEST_ON_S = 30.0


@dataclass(frozen=True, slots=True)
class Workbench:
    """Hardware as the product's sensors get it (`i2c()`, `pin()`, `camera()`), and the wire when it is simulated."""

    hardware: Any
    wire: Any = None

    @contextlib.contextmanager
    def output(self, pin: str, *, active_high: bool = True) -> Iterator[Any]:
        """Yield a gpiozero device that is off, and is off again whatever happens, SIGTERM included."""
        from gpiozero import Device, OutputDevice

        if self.wire is not None:
            from dt.communication.wire_pins import WireFactory

            Device.pin_factory = WireFactory(self.wire)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _end)
        device = OutputDevice(pin, active_high=active_high, initial_value=False)
        try:
            yield device
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


def hold(duration_s: float) -> None:
    """Wait; a signal ends it at once."""
    threading.Event().wait(duration_s)


def run(main: Callable[[], int]) -> int:
    """Call a script's main; what the hardware says becomes one line and exit code 1."""
    try:
        return main()
    except KeyboardInterrupt:
        return 0
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


def on_seconds(text: str) -> float:
    """Read how long an output may be on."""
    number = float(text)
    if not 0.0 < number <= LONGEST_ON_S:
        raise argparse.ArgumentTypeError(f"must be more than 0 and at most {LONGEST_ON_S:g} seconds")
    return number


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


def _end(number: int, _frame: object) -> None:
    signal.signal(number, signal.SIG_IGN)  # a second one must not disturb the switching off
    raise SystemExit(1)
