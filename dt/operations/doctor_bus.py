"""Checks of the I2C bus: is it on, may it be used, and who answers on it, held against the rig."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, cast

from dt.collector.hardware import PiHardware
from dt.collector.kinds import load_kind
from dt.collector.mocks.bus import WireBus
from dt.communication.wire import WireAwayError, WireClient, WireVersionError
from dt.communication.wire_calls import BusTimeoutError
from dt.operations.checkup import Check, Patient, device_params, failed, fine, skipped, warned, why_no_pi_pins
from dt.operations.doctor_chips import ADDRESSES_OF_KIND, chip_words
from dt.operations.plan import rig_file_of
from dt.utils.config import Settings
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.exceptions import ConfigError, MessageError, WireError
from dt.utils.hardware import is_simulated
from dt.utils.rig import Rig, load_rig

_DEVICE = "/dev/i2c-1"
STUCK = "SDA or SCL is held low: unplug one chip after the other, power the Pi off and on, look at the pull-ups"
_SWITCH_ON = "sudo raspi-config nonint do_i2c 0, then sudo reboot"
_WIRING = (
    "look at power, ground, SDA (GPIO2) and SCL (GPIO3) of it; scripts/hands-on-scripts/hardware/i2c_scan.py helps"
)


class Bus(Protocol):
    """What can be scanned."""

    def scan(self) -> list[int]:
        """Return the addresses that answer."""
        ...


Opening = Callable[[Settings], AbstractContextManager[Bus]]


def check_i2c(patient: Patient) -> Check:
    """Look whether a Pi's I2C is on and this user may use it."""
    unfit = why_no_pi_pins(patient)
    if unfit is not None:
        return skipped("i2c", unfit)
    machine = patient.machine
    is_on = device_params(machine.boot_config).get("i2c_arm", "off") in {"on", "true", "1", "yes"}
    if not machine.path(_DEVICE).exists():
        if not is_on:
            return failed("i2c", "I2C is off: config.txt has no dtparam=i2c_arm=on", _SWITCH_ON)
        remedy = "sudo reboot if it was switched on just now; else sudo raspi-config nonint do_i2c 0 loads i2c-dev too"
        return failed("i2c", f"I2C is on in config.txt, but there is no {_DEVICE}", remedy)
    if not os.access(machine.path(_DEVICE), os.R_OK | os.W_OK):
        remedy = 'sudo usermod -aG i2c,gpio,video "$USER", then log in again'
        return failed("i2c", f"{_DEVICE} is there, but this user may not use it", remedy)
    return fine("i2c", f"on, and {_DEVICE} can be used")


def check_bus(patient: Patient, opening: Opening | None = None) -> Check:
    """Ask every address who is there and hold the answers against the rig."""
    settings = patient.settings
    try:
        declared = declared_addresses(load_rig(rig_file_of(settings)))
        with (opening or _open_bus)(settings) as bus:
            found = bus.scan()
    except (ConfigError, MessageError) as error:
        return skipped("bus", f"it cannot be scanned: {error}")
    except (WireAwayError, WireVersionError) as error:
        return skipped("bus", f"the plant box cannot be asked: {error}")
    except (TimeoutError, BusTimeoutError) as error:
        return failed("bus", str(error), STUCK)
    except (OSError, ValueError, RuntimeError, ImportError, WireError) as error:
        return failed("bus", f"it cannot be scanned: {error}", "see the i2c line above; make install-rpi")
    return compare(declared, found)


def compare(declared: Mapping[int, str], found: Iterable[int]) -> Check:
    """Return what differs between the rig (address to kind) and the bus."""
    there = set(found)
    silent = {address: kind for address, kind in declared.items() if address not in there}
    extra = sorted(there - set(declared))
    others = f"; not in the rig: {', '.join(map(chip_words, extra))}" if extra else ""
    if silent:
        words = ", ".join(f"{kind} at {address:#04x}" for address, kind in sorted(silent.items()))
        return failed("bus", f"no answer from {words}{others}", _remedy(silent, extra))
    ours = sorted({kind for kind, places in ADDRESSES_OF_KIND.items() if places & set(extra)})
    answers = (
        ", ".join(f"{kind} at {address:#04x}" for address, kind in sorted(declared.items())) or "no chip is declared"
    )
    if ours:
        return warned("bus", f"{answers}{others}", f"declare it in rig.toml if it is one of: {', '.join(ours)}")
    return fine("bus", f"{answers}{others}")


def declared_addresses(rig: Rig) -> dict[int, str]:
    """Return kind by I2C address; a chip without an address in the rig is where its kind expects it."""
    found: dict[int, str] = {}
    for sensor in rig.sensors:
        if sensor.pin is None:
            address = sensor.address if sensor.address is not None else _default_address(sensor)
            if address is not None:
                found[address] = sensor.kind
    return found


BUS_CHECKS: tuple[Callable[[Patient], Check], ...] = (check_i2c, check_bus)


@contextmanager
def _open_bus(settings: Settings) -> Iterator[Bus]:
    if not is_simulated(settings):
        yield cast("Bus", PiHardware().i2c())
        return
    client = WireClient(settings.wire_path)
    try:
        yield WireBus(client)
    finally:
        client.close()


def _default_address(sensor: SensorDescriptor) -> int | None:
    """Return the address that the modules of a sensor's class, or of its bases, know."""
    for base in load_kind(sensor).__mro__:
        address = getattr(sys.modules[base.__module__], "DEFAULT_ADDRESS", None)
        if isinstance(address, int):
            return address
    return None


def _remedy(silent: Mapping[int, str], extra: list[int]) -> str:
    moved = [
        f"{address:#04x} may be it, then correct its address in rig.toml"
        for kind in sorted(set(silent.values()))
        for address in extra
        if address in ADDRESSES_OF_KIND.get(kind, frozenset())
    ]
    return "; ".join([*moved, _WIRING])
