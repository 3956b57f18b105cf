"""Buses, pins and cameras: a Pi's, or a simulated box's. `HARDWARE` decides; nothing is guessed by trying imports.

`pi`: Blinka's `board.I2C()` and pins, and `rpicam-still` of Raspberry Pi OS. `simulated`: the same surfaces over a
wire.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Callable
from typing import Any, cast

from dt.collector.kinds.base_sensor import Camera, ChipMaker, Hardware, Switch, chip_errors
from dt.collector.mocks import pulse_input
from dt.collector.mocks.bus import WireBus
from dt.collector.mocks.camera import WireCamera
from dt.collector.mocks.switch import WireSwitch
from dt.communication.wire import Wire, WireClient
from dt.utils.clock import Clock, SystemClock
from dt.utils.config import Settings
from dt.utils.exceptions import ConfigError, SensorError
from dt.utils.hardware import is_simulated
from dt.utils.rig import pin_number

_CAPTURE_TIMEOUT_S = 15.0


class SharedChips:
    """Chips by key, opened once; sensors of several threads may ask."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self._chips: dict[str, object] = {}
        self._lock = threading.Lock()

    def shared(self, key: str, make: ChipMaker) -> object:
        """Return the chip of this key, or open it."""
        with self._lock:
            if key not in self._chips:
                self._chips[key] = make()
            return self._chips[key]

    def forget(self, key: str) -> None:
        """Close the chip of this key."""
        with self._lock:
            chip = self._chips.pop(key, None)
        close = getattr(chip, "close", None)
        if close is not None:
            close()

    def close(self) -> None:
        """Close every chip."""
        for key in list(self._chips):
            self.forget(key)


class SimulatedHardware(SharedChips):
    """What a Pi would have, over a wire to a simulated box."""

    def __init__(self, wire: Wire, on_close: Callable[[], None] | None = None, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self._on_close = on_close
        # Blinka looks at the machine that it runs on, which is of no interest here and not always known to it.
        os.environ.setdefault("BLINKA_FORCECHIP", "OS_AGNOSTIC")
        os.environ.setdefault("BLINKA_FORCEBOARD", "OS_AGNOSTIC_BOARD")
        pulse_input.install()
        self._wire = wire
        self._bus = WireBus(wire)

    def i2c(self) -> WireBus:
        """Return the one bus of the box."""
        return self._bus

    def pin(self, name: str) -> pulse_input.WireLine:
        """Return a pin by its BCM name."""
        return pulse_input.WireLine(pin_number(name), self._wire)

    def switch(self, name: str) -> Switch:
        """Return a switch on a pin of the box."""
        return WireSwitch(self._wire, pin_number(name))

    def camera(self, name: str) -> Camera:
        """Return a camera by its name."""
        return WireCamera(self._wire, camera_number(name))

    def close(self) -> None:
        """Close every chip, and the wire when it is ours."""
        super().close()
        if self._on_close is not None:
            self._on_close()


class PiHardware(SharedChips):
    """A Raspberry Pi's own; Blinka is imported when the first bus or pin is asked for."""

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self._bus: LockedBus | None = None

    def i2c(self) -> LockedBus:
        """Return the bus on GPIO2 and GPIO3."""
        import board

        if self._bus is None:
            self._bus = LockedBus(board.I2C())
        return self._bus

    def pin(self, name: str) -> object:
        """Return Blinka's pin of a BCM name."""
        import board

        return getattr(board, f"D{pin_number(name)}")

    def switch(self, name: str) -> Switch:
        """Return gpiozero's output on a pin, which is on at first: what it feeds may be running."""
        return cast("Switch", self.shared(f"switch:{name}", lambda: _output(name)))

    def camera(self, name: str) -> Camera:
        """Return a camera of the Pi."""
        return PiCamera(camera_number(name))


def _output(name: str) -> object:
    from gpiozero import OutputDevice

    with chip_errors(f"power switch on {name}"):
        return OutputDevice(pin_number(name), initial_value=True)


class LockedBus:
    """Blinka's bus with a lock that holds between threads; its own is a flag."""

    def __init__(self, bus: Any) -> None:
        self._bus = bus
        self._lock = threading.Lock()

    def try_lock(self) -> bool:
        """Take the bus when it is free."""
        return self._lock.acquire(timeout=0.01)

    def unlock(self) -> None:
        """Give the bus back."""
        if self._lock.locked():
            self._lock.release()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)


class PiCamera:
    """A camera module, by the tool that Raspberry Pi OS brings."""

    def __init__(self, number: int, width: int = 1280, height: int = 960) -> None:
        size = ["--width", str(width), "--height", str(height), "--quality", "85"]
        self._command = ["rpicam-still", "--camera", str(number), "--nopreview", "--immediate", *size, "--output", "-"]

    def capture(self) -> bytes:
        """Return a JPEG: about a second."""
        try:
            done = subprocess.run(self._command, capture_output=True, timeout=_CAPTURE_TIMEOUT_S, check=True)
        except FileNotFoundError as error:
            msg = "rpicam-still is missing: apt install rpicam-apps"
            raise SensorError(msg) from error
        except subprocess.CalledProcessError as error:
            msg = f"rpicam-still failed: {error.stderr.decode(errors='replace').strip()[-300:]}"
            raise SensorError(msg) from error
        except subprocess.TimeoutExpired as error:
            msg = f"rpicam-still took more than {_CAPTURE_TIMEOUT_S:g} s"
            raise SensorError(msg) from error
        return done.stdout


def open_hardware(settings: Settings, wire: Wire | None = None) -> PiHardware | SimulatedHardware:
    """Return the hardware that the settings name; a wire that is given is used instead of the socket."""
    if wire is not None:
        return SimulatedHardware(wire)
    if is_simulated(settings):
        client = WireClient(settings.wire_path)
        return SimulatedHardware(client, client.close)
    return PiHardware()


def camera_number(name: str) -> int:
    """Return which camera a name means; raises `ConfigError`.

    >>> camera_number("camera0")
    0
    """
    match = re.fullmatch(r"camera(\d)", name)
    if match is None:
        msg = f"pin of a camera: must be camera0 to camera9, not {name!r}"
        raise ConfigError(msg)
    return int(match[1])


__all__ = ["Hardware", "PiHardware", "SimulatedHardware", "camera_number", "is_simulated", "open_hardware"]
