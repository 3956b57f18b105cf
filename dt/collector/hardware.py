"""Buses, pins and cameras: a Pi's, or a simulated box's. `HARDWARE` decides; nothing is guessed by trying imports.

`pi`: Blinka's `board.I2C()` and pins, and cameras by a process of their own. `simulated`: the same surfaces over a
wire.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from dt.collector.camera_client import BoxCamera, ProcessCamera
from dt.collector.camera_spec import CameraSource, camera_spec
from dt.collector.kinds.base_sensor import Camera, ChipMaker, Hardware, Switch, chip_errors
from dt.collector.mocks import pulse_input
from dt.collector.mocks.bus import WireBus
from dt.collector.mocks.switch import WireSwitch
from dt.collector.mqtt_inbox import MqttInbox
from dt.communication.wire import Wire, WireClient
from dt.utils.clock import Clock, SystemClock
from dt.utils.config import Settings
from dt.utils.exceptions import ConfigError, SensorError
from dt.utils.hardware import is_simulated
from dt.utils.pins import pin_number

MQTT = "mqtt"  # the kind whose sensors need no bus and no pin


class SharedChips:
    """Chips by key, opened once; sensors of several threads may ask."""

    def __init__(self, clock: Clock | None = None, settings: Settings | None = None) -> None:
        self.clock = clock or SystemClock()
        self._settings = settings
        self._chips: dict[str, object] = {}
        self._opening: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._guarded: frozenset[int] = frozenset()

    @property
    def guarded(self) -> frozenset[int]:
        """Return the pins on which nothing is ever opened here."""
        return self._guarded

    def leave_to_guard(self, pins: Iterable[int]) -> None:
        """Never open these pins, for as long as this process lives: the guard alone drives what is an actuator's."""
        self._guarded |= frozenset(pins)

    def free_pin(self, name: str) -> int:
        """Return the number of a pin that may be opened here; raises `SensorError` for one of the guard's."""
        pin = pin_number(name)
        if pin in self._guarded:
            raise SensorError(f"GPIO{pin} is an actuator's pin, and not opened for a sensor")
        return pin

    def shared(self, key: str, make: ChipMaker) -> object:
        """Return the chip of this key, or open it; who wants another one does not wait for that."""
        with self._lock:
            if key in self._chips:
                return self._chips[key]
            opening = self._opening.setdefault(key, threading.Lock())
        with opening:
            if key not in self._chips:
                chip = make()
                with self._lock:
                    self._chips[key] = chip
            return self._chips[key]

    def mqtt(self) -> MqttInbox:
        """Return the one MQTT client, made when the first sensor asks for it; raises `SensorError`."""
        inbox = self.shared(MQTT, self._open_inbox)
        assert isinstance(inbox, MqttInbox)
        return inbox

    def health(self) -> dict[str, object]:
        """Return how the MQTT client does, where there is one."""
        inbox = self._chips.get(MQTT)
        return {"mqtt": inbox.health()} if isinstance(inbox, MqttInbox) else {}

    def _open_inbox(self) -> MqttInbox:
        if self._settings is None:
            raise SensorError("no MQTT broker is set here")
        try:
            return MqttInbox(self._settings)
        except ConfigError as error:
            raise SensorError(str(error)) from error

    def forget(self, key: str) -> object:
        """Close and return the chip of this key; None without one."""
        with self._lock:
            chip = self._chips.pop(key, None)
        close = getattr(chip, "close", None)
        if close is not None:
            close()
        return chip

    def close(self) -> None:
        """Close every chip."""
        for key in list(self._chips):
            self.forget(key)


class SimulatedHardware(SharedChips):
    """What a Pi would have, over a wire to a simulated box; `wire_path` is its socket when it is another process's."""

    def __init__(
        self,
        wire: Wire,
        on_close: Callable[[], None] | None = None,
        wire_path: Path | None = None,
        clock: Clock | None = None,
        settings: Settings | None = None,
    ) -> None:
        super().__init__(clock, settings)
        self._on_close = on_close
        self._wire_path = wire_path
        # Blinka looks at the machine that it runs on, which is of no interest here and not always known to it.
        os.environ.setdefault("BLINKA_FORCECHIP", "OS_AGNOSTIC")
        os.environ.setdefault("BLINKA_FORCEBOARD", "OS_AGNOSTIC_BOARD")
        pulse_input.install()
        self.wire: Wire | None = wire
        self._wire = wire
        self._bus = WireBus(wire)

    def i2c(self) -> WireBus:
        """Return the one bus of the box."""
        return self._bus

    def pin(self, name: str) -> pulse_input.WireLine:
        """Return a pin by its BCM name."""
        return pulse_input.WireLine(self.free_pin(name), self._wire)

    def switch(self, name: str) -> Switch:
        """Return a switch on a pin of the box."""
        return WireSwitch(self._wire, self.free_pin(name))

    def camera(self, name: str, options: Mapping[str, Any] | None = None) -> Camera:
        """Return a camera of the box: by a process of its own, unless the box lives in this one."""
        path = "" if self._wire_path is None else str(self._wire_path)
        spec = replace(camera_spec(name, options), source=CameraSource.WIRE, device=path)
        return ProcessCamera(spec) if path else BoxCamera(self._wire, spec)

    def close(self) -> None:
        """Close every chip, and the wire when it is ours."""
        super().close()
        if self._on_close is not None:
            self._on_close()


class PiHardware(SharedChips):
    """A Raspberry Pi's own; Blinka is imported when the first bus or pin is asked for."""

    def __init__(self, clock: Clock | None = None, settings: Settings | None = None) -> None:
        super().__init__(clock, settings)
        self.wire: Wire | None = None
        self._bus: LockedBus | None = None

    def i2c(self) -> LockedBus:
        """Return the bus on GPIO2 and GPIO3."""
        import board

        if self._bus is None:
            self._bus = LockedBus(board.I2C())
        return self._bus

    def pin(self, name: str) -> object:
        """Return Blinka's pin of a BCM name."""
        pin = self.free_pin(name)
        import board

        return getattr(board, f"D{pin}")

    def switch(self, name: str) -> Switch:
        """Return gpiozero's output on a pin, which is on at first: what it feeds may be running."""
        pin = self.free_pin(name)
        return cast("Switch", self.shared(f"switch:{pin}", lambda: _output(pin)))

    def camera(self, name: str, options: Mapping[str, Any] | None = None) -> Camera:
        """Return a camera module or a USB camera, by a process of its own."""
        return ProcessCamera(camera_spec(name, options))


def _output(pin: int) -> object:
    from gpiozero import OutputDevice

    with chip_errors(f"power switch on GPIO{pin}"):
        return OutputDevice(pin, initial_value=True)


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


def open_hardware(settings: Settings, wire: Wire | None = None) -> PiHardware | SimulatedHardware:
    """Return the hardware that the settings name; a wire that is given is used instead of the socket."""
    if wire is not None:
        return SimulatedHardware(wire, settings=settings)
    if is_simulated(settings):
        client = WireClient(settings.wire_path)
        return SimulatedHardware(client, client.close, settings.wire_path, settings=settings)
    return PiHardware(settings=settings)


__all__ = ["Hardware", "PiHardware", "SimulatedHardware", "is_simulated", "open_hardware"]
