"""Devices that publish by MQTT, such as those of ESPHome and Tasmota: one value of one topic is one sensor.

A look lasts until the next message comes, at most most of a cadence. So there is one reading per message; of several in
one cadence the newest counts, and a cadence without a message is a gap. A retained message is of the past and is never
a reading. A message has the time of its arrival unless its payload has one; what the broker kept for us and has no time
of its own is taken only when we were away for less than `stale_after_s`.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import ClassVar

from dt.collector.kinds.base_sensor import Arrival, Hardware, MqttSource, RawReading, Sensor, Stamp
from dt.collector.kinds.mqtt_options import MqttOptions
from dt.collector.kinds.mqtt_payload import PayloadError, decode, epoch, find, number, plain_number
from dt.utils.dataclasses import SensorData, SensorDescriptor
from dt.utils.exceptions import SensorError
from dt.utils.quantities import QUANTITIES, Quantity, Unit

AHEAD_AT_MOST_S = 5.0  # of a payload's own time; devices and brokers of one network agree better than that
_PATIENCE = 0.9  # of a cadence, so that a look ends within its own
_MISSES_THE_BROKER_AFTER_S = 5.0


class MqttSensor(Sensor):
    """One number of one topic, in the unit that the rig file declares."""

    def __init__(self, descriptor: SensorDescriptor, inbox: MqttSource) -> None:
        super().__init__(descriptor)
        self._options = MqttOptions.of(descriptor)
        self._inbox = inbox
        self._changed = threading.Condition()
        self._newest: RawReading | None = None
        self._problem = ""
        self._is_offline = False
        self._is_interrupted = False
        self._ends = [inbox.listen(self._options.topic, self._hear)]
        if self._options.availability is not None:
            self._ends.append(inbox.listen(self._options.availability, self._hear_availability))

    @classmethod
    def open(cls, descriptor: SensorDescriptor, hardware: Hardware) -> MqttSensor:
        """Listen to the topic by the collector's one MQTT client."""
        return cls(descriptor, hardware.mqtt())

    def read_sensor(self) -> RawReading:
        """Return the newest message's value, or wait for one; raises SensorError when the cadence passes without."""
        patience_s = _PATIENCE * self.descriptor.read_interval
        first_s = min(patience_s, _MISSES_THE_BROKER_AFTER_S)
        with self._changed:
            if not self._changed.wait_for(self._has_news, first_s) and not self._inbox.why_not:
                self._changed.wait_for(self._has_news, patience_s - first_s)
            reading, self._newest = self._newest, None
            if reading is not None:
                return reading
            problem, self._problem = self._problem, ""
        raise SensorError(problem or self._why_nothing(patience_s))

    def process_data(self, raw: RawReading, stamp: Stamp) -> SensorData:
        """Turn a value into the reading that is published, in the declared unit."""
        return replace(super().process_data(raw, stamp), unit=self._options.unit)

    def interrupt(self) -> None:
        """End a look that waits for a message."""
        with self._changed:
            self._is_interrupted = True
            self._changed.notify_all()

    def close(self) -> None:
        """Listen no longer."""
        for end in self._ends:
            end()

    def _has_news(self) -> bool:
        return self._newest is not None or bool(self._problem) or self._is_offline or self._is_interrupted

    def _why_nothing(self, waited_s: float) -> str:
        if self._is_offline:
            return f"{self._options.topic}: the device is offline, says {self._options.availability}"
        return self._inbox.why_not or f"{self._options.topic}: no message for {waited_s:.0f} s"

    def _hear(self, arrival: Arrival) -> None:
        topic = self._options.topic
        if arrival.is_retained:
            self._inbox.count(topic, "retained")
            return
        try:
            reading = self._reading(arrival)
        except PayloadError as error:
            self._inbox.count(topic, "refused")
            with self._changed:
                self._problem = f"{topic}: {error}"
                self._changed.notify_all()
            return
        if reading is None:
            self._inbox.count(topic, "undated")
            return
        with self._changed:
            if self._newest is not None:
                self._inbox.count(topic, "thinned")
            self._newest, self._problem = reading, ""
            self._changed.notify_all()

    def _reading(self, arrival: Arrival) -> RawReading | None:
        """Return a message's value and time; None for one that waited too long and has no time. Raises PayloadError."""
        options = self._options
        content = None if options.json is None and options.time is None else decode(arrival.payload)
        value = plain_number(arrival.payload) if options.json is None else number(find(content, options.json))
        at: float | None = arrival.at
        if options.time is not None:
            at = self._own_time(find(content, options.time), arrival)
        elif arrival.may_have_waited_s > options.stale_after_s:
            return None
        return RawReading(value * options.scale + options.offset, taken_at=at)

    def _own_time(self, value: object, arrival: Arrival) -> float:
        at = epoch(value, self._options.timezone, arrival.at + AHEAD_AT_MOST_S)
        age_s = arrival.at - at
        if age_s < -AHEAD_AT_MOST_S:
            raise PayloadError(f"is of {value!r}, which lies {-age_s:.0f} s ahead")
        if age_s > self._options.stale_after_s + arrival.may_have_waited_s:
            raise PayloadError(f"is of {value!r}, {age_s:.0f} s old: more than {self._options.stale_after_s:g} s")
        return at

    def _hear_availability(self, arrival: Arrival) -> None:
        word = arrival.payload[:80].decode("utf-8", "replace").strip()
        with self._changed:
            self._is_offline = word.lower() == self._options.offline.lower()
            self._changed.notify_all()


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
