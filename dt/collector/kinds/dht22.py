"""The DHT22 chip, which measures two quantities with one look."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Self, cast

from dt.collector.kinds.base_sensor import Hardware, Sensor, Switch, chip_errors
from dt.utils.clock import Clock, SystemClock
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.exceptions import ConfigError, SensorError

REST_S = 2.1  # the driver repeats its old value until 2 s have passed, also after a failed look
_WAKES_S = 1.0  # datasheet: no instruction within a second of switching on
# Air in a room changes less between two looks; a bit that was shifted halves or doubles a value with a valid checksum.
_JUMP_DEGC, _JUMP_PCT = 5.0, 20.0
_BELIEVED_AFTER = 5  # looks that agree: what jumped stays there
_OLD_S = 120.0


@dataclass(frozen=True, slots=True)
class Pair:
    """Temperature in degC and relative humidity in %, taken at `at` (epoch s)."""

    temperature_degc: float
    humidity_pct: float
    at: float

    def is_near(self, other: Pair) -> bool:
        """Return whether air could have changed from one to the other between two looks."""
        return (
            abs(self.temperature_degc - other.temperature_degc) <= _JUMP_DEGC
            and abs(self.humidity_pct - other.humidity_pct) <= _JUMP_PCT
        )


class Dht22:
    """Looks at the chip at most every 2.1 s; who asks earlier gets that same look, or that same error.

    With a power switch the chip is on from opening to closing: one that hangs is cured by being opened anew.
    """

    def __init__(
        self,
        pin: object,
        name: str,
        clock: Clock | None = None,
        power: Switch | None = None,
        driver: Any = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._name = f"DHT22 on {name}"
        self._lock = threading.Lock()
        self._looked_s = float("-inf")
        self._last: Pair | SensorError | None = None
        self._believed: Pair | None = None
        self._believed_s = float("-inf")
        self._doubted: list[Pair] = []
        self._power = power
        if power is not None:
            power.on()
            self._clock.wait(threading.Event(), _WAKES_S)
        self._driver: Any = _opened(pin, self._name) if driver is None else driver

    def look(self) -> Pair:
        """Return the present pair; raises `SensorError`."""
        with self._lock:
            now_s = self._clock.monotonic()
            if self._last is None or now_s - self._looked_s >= REST_S:
                self._looked_s = now_s
                self._last = self._measured()
            if isinstance(self._last, SensorError):
                raise SensorError(str(self._last))
            return self._last

    def close(self) -> None:
        """Free the pin, and switch the chip off when it can be."""
        self._driver.exit()
        if self._power is not None:
            self._power.off()

    def _measured(self) -> Pair | SensorError:
        at = self._clock.wall()
        try:
            with chip_errors(self._name):
                self._driver.measure()
                pair = Pair(self._driver.temperature, self._driver.humidity, at)
        except SensorError as error:
            return error
        if pair.temperature_degc == 0.0 and pair.humidity_pct == 0.0:
            return SensorError(f"{self._name}: an all-zero frame, whose checksum is valid but which is no measurement")
        return self._judged(pair)

    def _judged(self, pair: Pair) -> Pair | SensorError:
        """Refuse a value that jumped until several looks agree on it."""
        now_s = self._clock.monotonic()
        believed = self._believed if now_s - self._believed_s < _OLD_S else None
        if believed is not None and not pair.is_near(believed):
            self._doubted = [*(old for old in self._doubted if pair.is_near(old)), pair]
            if len(self._doubted) < _BELIEVED_AFTER:
                return SensorError(
                    f"{self._name}: {pair.temperature_degc:g} degC and {pair.humidity_pct:g} % after "
                    f"{believed.temperature_degc:g} degC and {believed.humidity_pct:g} %: air does not jump so"
                )
        self._believed, self._believed_s, self._doubted = pair, now_s, []
        return pair


class Dht22Sensor(Sensor):
    """One quantity of a DHT22; shares its looks with the other sensor on the pin."""

    rest_s: ClassVar[float] = REST_S

    def __init__(self, descriptor: SensorDescriptor, hardware: Hardware) -> None:
        super().__init__(descriptor)
        self._hardware = hardware
        open_dht22(descriptor, hardware)

    @classmethod
    def open(cls, descriptor: SensorDescriptor, hardware: Hardware) -> Self:
        """Open the chip on the descriptor's pin, or join who opened it."""
        return cls(descriptor, hardware)

    def look(self) -> Pair:
        """Return the chip's present pair: 0.3 s when it is looked at anew."""
        return open_dht22(self.descriptor, self._hardware).look()

    def close(self) -> None:
        """Let the chip be opened anew."""
        self._hardware.forget(chip_key(self.descriptor.pin))


def open_dht22(descriptor: SensorDescriptor, hardware: Hardware) -> Dht22:
    """Return the chip on the descriptor's pin, shared by the sensors that sit on it."""
    pin = descriptor.pin
    if pin is None:
        msg = f"sensor {descriptor.sensor_id}: a DHT22 needs a pin"
        raise ConfigError(msg)
    power_pin = descriptor.options.get("power_pin")

    def make() -> Dht22:
        power = None if power_pin is None else hardware.switch(str(power_pin))
        return Dht22(hardware.pin(pin), pin, hardware.clock, power)

    return cast("Dht22", hardware.shared(chip_key(pin), make))


def chip_key(pin: str | None) -> str:
    """Return the name under which the sensors of one pin share their chip."""
    return f"dht22:{pin}"


def _opened(pin: object, name: str) -> Any:
    with _signal_handlers_kept(), chip_errors(name):
        import adafruit_dht  # on a Pi this import installs a SIGTERM handler

        return adafruit_dht.DHT22(pin)


@contextmanager
def _signal_handlers_kept() -> Iterator[None]:
    """Undo what an import does to signals; only the main thread can have it done, or undo it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
