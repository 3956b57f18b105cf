"""Devices that publish by MQTT, such as those of ESPHome and Tasmota: one value of one topic is one sensor.

A look lasts until the next message comes, at most nine tenths of a cadence. So there is one reading per message; of
several within a cadence the newest counts, and a cadence without a message is a gap. A retained message is of the past
and is never a reading. A message has the time of its arrival unless its payload has one; what the broker kept for us
and has no time of its own is taken only when we were away for less than `stale_after_s`.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

from dt.collector.kinds.base_sensor import Arrival, Hardware, MqttSource, RawReading, Sensor, Stamp
from dt.collector.kinds.mqtt_options import MqttOptions
from dt.collector.kinds.mqtt_payload import PayloadError, decode, epoch, find, number, plain_number
from dt.collector.sensor_health import FAILED_AFTER
from dt.utils.dataclasses import SensorData, SensorDescriptor
from dt.utils.exceptions import SensorError
from dt.utils.quantities import QUANTITIES, Quantity, Unit

AHEAD_AT_MOST_S = 5.0  # of a payload's own time; devices and brokers of one network agree better than that
MOST_WAITING = 1000  # as many as Mosquitto keeps for a client
_PATIENCE = 0.9  # of a cadence, so that a look ends within its own
_MISSES_THE_BROKER_AFTER_S = 5.0


class MqttSensor(Sensor):
    """One number of one topic, in the unit that the rig file declares."""

    def __init__(self, descriptor: SensorDescriptor, mailbox: Mailbox) -> None:
        super().__init__(descriptor)
        self._mailbox = mailbox
        self._earlier: Sequence[RawReading] = ()
        self._is_interrupted = False

    @classmethod
    def open(cls, descriptor: SensorDescriptor, hardware: Hardware) -> MqttSensor:
        """Listen to the topic by the collector's one MQTT client, which goes on when this sensor is closed."""
        inbox = hardware.mqtt()
        mailbox = hardware.shared(_mailbox_key(descriptor), lambda: Mailbox(descriptor, inbox))
        assert isinstance(mailbox, Mailbox)
        return cls(descriptor, mailbox)

    @classmethod
    def leave(cls, descriptor: SensorDescriptor, hardware: Hardware) -> None:
        """Listen no more, and forget what waits."""
        mailbox = hardware.forget(_mailbox_key(descriptor))
        if isinstance(mailbox, Mailbox):
            mailbox.unlisten()

    @property
    def pause_s(self) -> float:
        """After a look that waited in vain the next one is that of the next cadence."""
        return (1.0 - _PATIENCE) * self.descriptor.read_interval

    def read_sensor(self) -> RawReading:
        """Return the newest message's value, or wait for one; raises SensorError when the cadence passes without."""
        readings = self._mailbox.take(_PATIENCE * self.descriptor.read_interval, lambda: self._is_interrupted)
        self._earlier = readings[:-1]
        return readings[-1]

    def earlier(self) -> Sequence[RawReading]:
        """Return, once, what the broker had kept beside the newest, each with its own time."""
        earlier, self._earlier = self._earlier, ()
        return earlier

    def process_data(self, raw: RawReading, stamp: Stamp) -> SensorData:
        """Turn a value into the reading that is published, in the declared unit."""
        return replace(super().process_data(raw, stamp), unit=self._mailbox.options.unit)

    def interrupt(self) -> None:
        """End a look that waits for a message."""
        self._is_interrupted = True
        self._mailbox.wake()


class Mailbox:
    """What came in for one sensor and was not read yet."""

    def __init__(self, descriptor: SensorDescriptor, inbox: MqttSource) -> None:
        self.options = MqttOptions.of(descriptor)
        self._thinned_below_s = _PATIENCE * descriptor.read_interval
        self._inbox = inbox
        self._changed = threading.Condition()
        self._readings: deque[RawReading] = deque(maxlen=MOST_WAITING)
        self._problem = ""
        self._is_offline = False
        self._offline_told = 0
        inbox.listen(self.options.topic, self._hear)
        if self.options.availability is not None:
            inbox.listen(self.options.availability, self._hear_availability)

    def unlisten(self) -> None:
        """Take no more messages."""
        self._inbox.unlisten(self.options.topic, self._hear)
        if self.options.availability is not None:
            self._inbox.unlisten(self.options.availability, self._hear_availability)

    def take(self, patience_s: float, is_interrupted: Callable[[], bool]) -> list[RawReading]:
        """Return all that waits, oldest first, or wait for the next message; raises SensorError without one."""
        self._inbox.start()

        def has_news() -> bool:
            return bool(self._readings or self._problem) or self._is_newly_offline() or is_interrupted()

        first_s = min(patience_s, _MISSES_THE_BROKER_AFTER_S)
        with self._changed:
            if not self._changed.wait_for(has_news, first_s) and not self._inbox.why_not:
                self._changed.wait_for(has_news, patience_s - first_s)
            if self._readings:
                readings = list(self._readings)
                self._readings.clear()
                return readings
            problem, self._problem = self._problem, ""
            self._offline_told += self._is_offline
        raise SensorError(problem or self._why_nothing(patience_s))

    def wake(self) -> None:
        """Let who waits look again."""
        with self._changed:
            self._changed.notify_all()

    def _is_newly_offline(self) -> bool:
        return self._is_offline and self._offline_told < FAILED_AFTER

    def _why_nothing(self, waited_s: float) -> str:
        if self._is_offline:
            return f"{self.options.topic}: the device is offline, says {self.options.availability}"
        return self._inbox.why_not or f"{self.options.topic}: no message for {waited_s:.0f} s"

    def _hear(self, arrival: Arrival) -> None:
        topic = self.options.topic
        if arrival.is_retained:
            self._inbox.count(topic, "retained")
            return
        problem, reading = "", None
        try:
            reading = self._reading(arrival)
        except PayloadError as error:
            problem = f"{topic}: {error}"
            self._inbox.count(topic, "refused")
        else:
            if reading is None:
                self._inbox.count(topic, "undated")
                return
        with self._changed:
            if reading is not None:
                self._keep(reading)
            self._problem = problem
            self._changed.notify_all()

    def _keep(self, reading: RawReading) -> None:
        """Put a reading behind those that wait; it replaces one that is less than a cadence older."""
        if self._readings and _time(reading) - _time(self._readings[-1]) < self._thinned_below_s:
            self._readings.pop()
            self._inbox.count(self.options.topic, "thinned")
        if len(self._readings) == MOST_WAITING:
            self._inbox.count(self.options.topic, "dropped")
        self._readings.append(reading)

    def _reading(self, arrival: Arrival) -> RawReading | None:
        """Return a message's value and time; None for one that waited too long and has no time. Raises PayloadError."""
        options = self.options
        content = None if options.json is None and options.time is None else decode(arrival.payload)
        value = plain_number(arrival.payload) if options.json is None else number(find(content, options.json))
        at = arrival.at
        if options.time is not None:
            at = self._own_time(find(content, options.time), arrival)
        elif arrival.may_have_waited_s > options.stale_after_s:
            return None
        scaled = value * options.scale + options.offset
        if not math.isfinite(scaled):
            raise PayloadError(f"is {value:g}, which is {scaled} by scale and offset")
        return RawReading(scaled, taken_at=at)

    def _own_time(self, value: object, arrival: Arrival) -> float:
        at = epoch(value, self.options.timezone, arrival.at + AHEAD_AT_MOST_S)
        age_s = arrival.at - at
        if age_s < -AHEAD_AT_MOST_S:
            raise PayloadError(f"is of {value!r}, which lies {-age_s:.0f} s ahead")
        if age_s > self.options.stale_after_s + arrival.may_have_waited_s:
            raise PayloadError(f"is of {value!r}, {age_s:.0f} s old: more than {self.options.stale_after_s:g} s")
        return at

    def _hear_availability(self, arrival: Arrival) -> None:
        word = arrival.payload[:80].decode("utf-8", "replace").strip()
        with self._changed:
            self._is_offline = word.lower() == self.options.offline.lower()
            self._offline_told = 0
            self._changed.notify_all()


def _mailbox_key(descriptor: SensorDescriptor) -> str:
    return f"mqtt {descriptor.to_json()!r}"


def _time(reading: RawReading) -> float:
    return reading.taken_at or 0.0


class MqttTemperature(MqttSensor):
    """Air temperature."""

    quantity: ClassVar[Quantity] = Quantity.TEMPERATURE
    unit: ClassVar[Unit] = QUANTITIES[quantity].unit


class MqttHumidity(MqttSensor):
    """Relative humidity."""

    quantity: ClassVar[Quantity] = Quantity.HUMIDITY
    unit: ClassVar[Unit] = QUANTITIES[quantity].unit


class MqttSoilMoisture(MqttSensor):
    """Soil moisture: water content, relative wetness, or a probe's counts with a calibration."""

    quantity: ClassVar[Quantity] = Quantity.SOIL_MOISTURE
    unit: ClassVar[Unit] = QUANTITIES[quantity].unit


class MqttSoilTemperature(MqttSensor):
    """Soil temperature."""

    quantity: ClassVar[Quantity] = Quantity.SOIL_TEMPERATURE
    unit: ClassVar[Unit] = QUANTITIES[quantity].unit


class MqttLight(MqttSensor):
    """Light, in lux or as photons."""

    quantity: ClassVar[Quantity] = Quantity.LIGHT_INTENSITY
    unit: ClassVar[Unit] = QUANTITIES[quantity].unit
