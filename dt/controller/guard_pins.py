"""The pins, through gpiozero: on and safe, with what the pin itself says."""

from __future__ import annotations

from collections.abc import Iterable

from gpiozero import Device, OutputDevice
from gpiozero.pins import Factory

from dt.controller.guard_types import OutputConfig


class PinError(OSError):
    """A pin could not be claimed, driven or read."""


class Pins:
    """Claims every output in its safe state (off); one thread only."""

    def __init__(self, outputs: Iterable[OutputConfig], factory: Factory | None = None) -> None:
        self._owns_factory = factory is None
        self._devices: dict[str, OutputDevice] = {}
        try:
            for output in outputs:
                self._devices[output.actuator_id] = OutputDevice(
                    output.pin, active_high=output.active_high, initial_value=False, pin_factory=factory
                )
        except Exception as error:  # pin factories raise whatever their library raises
            self.close()
            msg = f"the pins cannot be claimed: {type(error).__name__}: {error}"
            raise PinError(msg) from error

    def set(self, actuator_id: str, on: bool) -> None:  # noqa: FBT001 - a SetPin
        """Drive an output; raises PinError."""
        try:
            device = self._devices[actuator_id]
            device.on() if on else device.off()
        except Exception as error:  # pin factories raise whatever their library raises
            msg = f"{actuator_id}: {type(error).__name__}: {error}"
            raise PinError(msg) from error

    def read(self) -> dict[str, bool]:
        """Return what the pins themselves say; raises PinError."""
        try:
            return {actuator_id: bool(device.value) for actuator_id, device in self._devices.items()}
        except Exception as error:  # pin factories raise whatever their library raises
            msg = f"the pins cannot be read: {type(error).__name__}: {error}"
            raise PinError(msg) from error

    def close(self) -> None:
        """Give the pins back, and gpiozero's own factory with its connection, so that the next claim starts afresh."""
        for device in self._devices.values():
            _close(device)
        self._devices.clear()
        if self._owns_factory and Device.pin_factory is not None:
            factory, Device.pin_factory = Device.pin_factory, None
            _close(factory)


def _close(thing: OutputDevice | Factory) -> None:
    try:
        thing.close()
    except Exception as error:  # noqa: BLE001 - a broken connection must not keep the other pins from being given back
        del error
