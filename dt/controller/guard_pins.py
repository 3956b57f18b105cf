"""The pins, through gpiozero: a level or safe, what the pin itself says, and the emergency-stop button."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gpiozero import Device, InputDevice, OutputDevice, PWMOutputDevice
from gpiozero.pins import Factory

from dt.controller.guard_types import OutputConfig, StopInput


class PinError(OSError):
    """A pin could not be claimed, driven or read."""


class Pins:
    """Claims every output in its safe state (off), and the button when it is told of one; one thread only."""

    def __init__(
        self, outputs: Iterable[OutputConfig], factory: Factory | None = None, stop_input: StopInput | None = None
    ) -> None:
        self._owns_factory = factory is None
        self._devices: dict[str, OutputDevice] = {}
        self._button: InputDevice | None = None
        self._opens = stop_input is not None and stop_input.normally_closed
        try:
            for output in outputs:
                self._devices[output.actuator_id] = _claim(output, factory)
            if stop_input is not None:
                self._button = InputDevice(stop_input.pin, pull_up=True, pin_factory=factory)
        except Exception as error:  # pin factories raise whatever their library raises
            self.close()
            msg = f"the pins cannot be claimed: {type(error).__name__}: {error}"
            raise PinError(msg) from error

    def set(self, actuator_id: str, level: float) -> None:
        """Drive an output; raises PinError."""
        try:
            self._devices[actuator_id].value = level
        except Exception as error:  # pin factories raise whatever their library raises
            msg = f"{actuator_id}: {type(error).__name__}: {error}"
            raise PinError(msg) from error

    def read(self) -> dict[str, float]:
        """Return the levels that the pins themselves say; raises PinError."""
        try:
            return {actuator_id: float(device.value) for actuator_id, device in self._devices.items()}
        except Exception as error:  # pin factories raise whatever their library raises
            msg = f"the pins cannot be read: {type(error).__name__}: {error}"
            raise PinError(msg) from error

    def is_button_pressed(self) -> bool:
        """Return whether the emergency-stop button is pressed or, normally closed, its wire broken; raises PinError."""
        if self._button is None:
            return False
        try:
            is_closed = bool(self._button.value)  # pulled up: active while it connects the pin to ground
        except Exception as error:  # pin factories raise whatever their library raises
            msg = f"the emergency-stop button cannot be read: {type(error).__name__}: {error}"
            raise PinError(msg) from error
        return not is_closed if self._opens else is_closed

    def close(self) -> None:
        """Give the pins back, and gpiozero's own factory with its connection, so that the next claim starts afresh."""
        for device in (*self._devices.values(), *([] if self._button is None else [self._button])):
            _close(device)
        self._devices.clear()
        self._button = None
        if self._owns_factory and Device.pin_factory is not None:
            factory, Device.pin_factory = Device.pin_factory, None
            _close(factory)


def _claim(output: OutputConfig, factory: Factory | None) -> OutputDevice:
    if output.pwm_hz == 0:
        return OutputDevice(output.pin, active_high=output.active_high, initial_value=False, pin_factory=factory)
    hz: Any = output.pwm_hz  # gpiozero has no type hints; its default of 100 is taken for them
    return PWMOutputDevice(
        output.pin, active_high=output.active_high, initial_value=0, frequency=hz, pin_factory=factory
    )


def _close(thing: OutputDevice | InputDevice | Factory) -> None:
    try:
        thing.close()
    except Exception as error:  # noqa: BLE001 - a broken connection must not keep the other pins from being given back
        del error
