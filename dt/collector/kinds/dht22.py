"""The DHT22 chip, which measures two quantities with one look."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Self, cast

from dt.collector.kinds.base_sensor import Hardware, Sensor, chip_errors
from dt.utils.clock import Clock, SystemClock
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.exceptions import ConfigError, SensorError

REST_S = 2.1  # the driver repeats its old value until 2 s have passed, also after a failed look


@dataclass(frozen=True, slots=True)
class Pair:
    """Temperature in degC and relative humidity in %, taken at `at` (epoch s)."""

    temperature_degc: float
    humidity_pct: float
    at: float


class Dht22:
    """Looks at the chip at most every 2.1 s; who asks earlier gets that same look, or that same error."""

    def __init__(self, pin: object, name: str, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._name = f"DHT22 on {name}"
        self._lock = threading.Lock()
        self._looked_s = float("-inf")
        self._last: Pair | SensorError | None = None
        with _signal_handlers_kept(), chip_errors(self._name):
            import adafruit_dht  # on a Pi this import installs a SIGTERM handler

            self._driver: Any = adafruit_dht.DHT22(pin)

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
        """Free the pin."""
        self._driver.exit()

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
    return cast("Dht22", hardware.shared(chip_key(pin), lambda: Dht22(hardware.pin(pin), pin)))


def chip_key(pin: str | None) -> str:
    """Return the name under which the sensors of one pin share their chip."""
    return f"dht22:{pin}"


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
