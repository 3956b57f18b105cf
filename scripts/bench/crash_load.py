"""What `crash.py` publishes: raw readings of several zones as collectors send them, each noted durably before it goes.

Half of the zones live now, a reading a second; the other half send what waited for days, as fast as the load asks for.
Collectors begin anew (boot ids), repeat what they are not sure of, and send single readings late.
"""

from __future__ import annotations

import math
import os
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dt.collector.outbox import Outbox
from dt.communication.messaging import MessagingService, Outgoing, outgoing
from dt.communication.topics import Topics
from dt.utils.clock import SystemClock
from dt.utils.dataclasses import Origin, SensorData, SensorDescriptor
from dt.utils.ids import new_correlation_id
from dt.utils.quantities import Quantity, Unit

ZONES = 12
_POTS = 3
_LIVE_EVERY_S = 1.0
_PAST_EVERY_S = 10.0
_PAST_S = 3.0 * 86_400.0
_AT_MOST_BEHIND = 20_000  # records in the outbox: a broker that is away must not make the load endless
_REBOOTS, _REPEATS, _HELD = 0.003, 0.01, 0.01
_SETTLES_WITHIN_S = 300.0
_COUNTS = {"version": 1, "points": [[300, 0.05], [700, 0.45]]}

Key = tuple[str, str, str, int]  # sensor, quantity, boot, sequence


@dataclass
class _Sensor:
    descriptor: SensorDescriptor
    unit: Unit
    middle: float
    swing: float
    noise: float
    sequence: int = 0

    def value(self, at: float, chance: random.Random) -> float:
        """Return a day's wave with noise, and seldom a spike or something impossible."""
        wave = math.sin(2.0 * math.pi * at / 86_400.0)
        whim = chance.random()
        if whim < 0.001:
            return round(self.middle + 40.0 * self.swing, 3)
        if whim < 0.0015:
            return -1e6
        return round(self.middle + self.swing * wave + chance.gauss(0.0, self.noise), 3)


@dataclass
class _Zone:
    zone_id: str
    origin: Origin
    sensors: list[_Sensor]
    boots: int = 0
    held: list[tuple[int, Outgoing]] = field(default_factory=list)  # rounds to wait, and what comes late


class Load:
    """Publishes by an outbox in a thread of its own until it is stopped."""

    def __init__(self, messaging: MessagingService, folder: Path, *, per_s: float, seed: int) -> None:
        self._zones = [_zone(number) for number in range(ZONES)]
        self._outbox = Outbox(messaging, SystemClock(), folder, name="load")
        self._chance = random.Random(seed)  # noqa: S311 - a bench must be repeatable
        self._per_s = per_s
        self._journal_path = folder / "journal"
        self._journal = self._journal_path.open("ab", buffering=1024 * 1024)
        self._past = time.time() // 3600 * 3600 - _PAST_S
        self._live = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def sensors(self) -> list[SensorDescriptor]:
        """Return every sensor that takes part."""
        return [sensor.descriptor for zone in self._zones for sensor in zone.sensors]

    def start(self) -> None:
        """Begin."""
        self._outbox.start()
        self._thread.start()

    def stop(self) -> None:
        """Send what was held back, and return when the log has everything."""
        self._stop.set()
        self._thread.join()
        deadline = time.monotonic() + _SETTLES_WITHIN_S
        while not self._outbox.is_drained:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the load's outbox does not drain: {self._outbox.health()}")
            time.sleep(0.05)
        self._outbox.stop()
        self._journal.close()

    def published(self) -> dict[Key, tuple[float, float]]:
        """Return what the journal says was published: timestamp and raw value by key."""
        with self._journal_path.open(encoding="utf-8") as lines:
            return dict(_entry(line) for line in lines)

    def _run(self) -> None:
        sent, began = 0, time.monotonic()
        while not self._stop.wait(0.02):
            due = (time.monotonic() - began) * self._per_s
            while sent < due and len(self._outbox) < _AT_MOST_BEHIND and not self._stop.is_set():
                sent += self._round()
            if len(self._outbox) >= _AT_MOST_BEHIND:
                began = time.monotonic() - sent / self._per_s
        for zone in self._zones:
            self._put([record for _rounds, record in zone.held])

    def _round(self) -> int:
        """Let every zone that has something to send do so, and return how many records that were."""
        is_live = time.time() - self._live >= _LIVE_EVERY_S
        if is_live:
            self._live = time.time()
        self._past += _PAST_EVERY_S
        records = []
        for zone in self._zones:
            if zone.origin is Origin.BACKFILL or is_live:
                records += self._readings(zone, self._live if zone.origin is Origin.LIVE else self._past)
        self._put(records)
        return len(records)

    def _readings(self, zone: _Zone, at: float) -> Iterator[Outgoing]:
        if self._chance.random() < _REBOOTS:
            zone.boots += 1
            for sensor in zone.sensors:
                sensor.sequence = 0
        yield from (record for rounds, record in zone.held if rounds <= 0)
        zone.held = [(rounds - 1, record) for rounds, record in zone.held if rounds > 0]
        for sensor in zone.sensors:
            record = self._reading(zone, sensor, round(at, 3))
            if sensor.descriptor.data_type is Quantity.SOIL_MOISTURE and self._chance.random() < _HELD:
                zone.held.append((self._chance.randint(1, 20), record))
                continue
            yield record
            if self._chance.random() < _REPEATS:
                yield record

    def _reading(self, zone: _Zone, sensor: _Sensor, at: float) -> Outgoing:
        """Make a reading and note it."""
        boot, number, value = f"{zone.zone_id}-{zone.boots}", sensor.sequence, sensor.value(at, self._chance)
        sensor.sequence += 1
        own = sensor.descriptor
        self._journal.write(f"{own.sensor_id}\t{own.data_type}\t{boot}\t{number}\t{at!r}\t{value!r}\n".encode())
        reading = SensorData(
            sensor_id=own.sensor_id,
            data_type=own.data_type,
            value=value,
            unit=sensor.unit,
            timestamp=at,
            correlation_id=new_correlation_id(at),
            zone_id=zone.zone_id,
            plant_id=own.plant_id,
            boot_id=boot,
            sequence=number,
            origin=zone.origin,
        )
        return outgoing(Topics.of(own.data_type).raw, reading, zone.zone_id)

    def _put(self, records: list[Outgoing]) -> None:
        self._journal.flush()
        os.fdatasync(self._journal.fileno())
        self._outbox.put_batch(records)


def _zone(number: int) -> _Zone:
    zone_id = f"crash{number}"
    origin = Origin.LIVE if number % 2 else Origin.BACKFILL
    air = (
        _sensor(zone_id, None, Quantity.TEMPERATURE, Unit.DEGREE_CELSIUS, 21.0, 4.0, 0.05),
        _sensor(zone_id, None, Quantity.HUMIDITY, Unit.PERCENT, 55.0, 10.0, 0.2),
        _sensor(zone_id, None, Quantity.LIGHT_INTENSITY, Unit.LUX, 9000.0, 8000.0, 50.0),
        _sensor(zone_id, f"{zone_id}-p0", Quantity.SOIL_TEMPERATURE, Unit.DEGREE_CELSIUS, 19.0, 1.0, 0.02),
    )
    pots = [
        _sensor(zone_id, f"{zone_id}-p{pot}", Quantity.SOIL_MOISTURE, Unit.COUNT, 500.0 + 30.0 * pot, 20.0, 1.0)
        for pot in range(_POTS)
    ]
    return _Zone(zone_id, origin, [*air, *pots])


def _sensor(
    zone_id: str, plant_id: str | None, quantity: Quantity, unit: Unit, middle: float, swing: float, noise: float
) -> _Sensor:
    descriptor = SensorDescriptor(
        sensor_id=f"{plant_id or zone_id}-{quantity}",
        zone_id=zone_id,
        plant_id=plant_id,
        data_type=quantity,
        kind="bench",
        read_interval=_LIVE_EVERY_S,
        calibration=_COUNTS if unit is Unit.COUNT else None,
        options={"light_source": "sunlight"} if quantity is Quantity.LIGHT_INTENSITY else {},
    )
    return _Sensor(descriptor, unit, middle, swing, noise)


def _entry(line: str) -> tuple[Key, tuple[float, float]]:
    sensor_id, data_type, boot, number, at, value = line.rstrip("\n").split("\t")
    return (sensor_id, data_type, boot, int(number)), (float(at), float(value))
