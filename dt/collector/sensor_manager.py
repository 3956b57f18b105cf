"""Reads any number of sensors, each at its own cadence, and publishes what they say."""

from __future__ import annotations

import math
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from dt.collector.backlog import Backlog
from dt.collector.clock_sync import is_clock_synced
from dt.collector.kinds.base_sensor import Sensor, Stamp
from dt.collector.sensor_health import FAILED_AFTER, SensorHealth
from dt.communication.messaging import MessagingService, outgoing
from dt.communication.topics import Topics
from dt.utils.clock import Clock
from dt.utils.dataclasses import HealthReport, HealthStatus, Origin, SensorDescriptor
from dt.utils.exceptions import DTError, SensorError
from dt.utils.ids import new_correlation_id
from dt.utils.logger import get_logger

SERVICE = "collector"
_REPORTS_EVERY_S = 60.0
_FIRST_RETRY_S, _LONGEST_RETRY_S = 0.5, 60.0
_STOPS_WITHIN_S = 3.0

log = get_logger("dt.collector.sensor_manager")


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorSource:
    """A sensor that is declared: how to open it, and the chip (`lane`) whose sensors are read one after the other."""

    descriptor: SensorDescriptor
    open: Callable[[], Sensor]
    lane: str


@dataclass(slots=True)
class _Slot:
    """One sensor's place in the schedule."""

    source: SensorSource
    due_s: float
    sensor: Sensor | None = None
    sequence: int = 0
    health: SensorHealth = field(default_factory=SensorHealth)
    reported_s: float = float("-inf")

    @property
    def sensor_id(self) -> str:
        return self.source.descriptor.sensor_id


class SensorManager:
    """One thread per chip: a slow or dead chip delays its own sensors alone. Publishing never blocks reading."""

    def __init__(
        self,
        sources: Sequence[SensorSource],
        messaging: MessagingService,
        clock: Clock,
        *,
        backlog: Backlog | None = None,
        clock_synced: Callable[[], bool] = is_clock_synced,
        origin: Origin = Origin.LIVE,
    ) -> None:
        self._clock = clock
        self.backlog = backlog or Backlog(messaging, clock)
        self._clock_synced = clock_synced
        self._origin = origin
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.boot_id = uuid.uuid4().hex[:12]
        self._slots = [_Slot(source, clock.monotonic()) for source in sources]

    def start(self) -> None:
        """Begin to read and publish."""
        self._stop.clear()
        self.backlog.start()
        lanes: defaultdict[str, list[_Slot]] = defaultdict(list)
        for slot in self._slots:
            slot.due_s = self._clock.monotonic()
            lanes[slot.source.lane].append(slot)
        for lane, slots in lanes.items():
            thread = threading.Thread(target=self._run, args=(slots,), name=f"sensors {lane}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, within_s: float = _STOPS_WITHIN_S) -> None:
        """End reading, then publish what waits; a chip that hangs longer than `within_s` is left behind."""
        self._stop.set()
        deadline_s = self._clock.monotonic() + within_s
        for slot in self._slots:
            if slot.sensor is not None:
                slot.sensor.interrupt()
        for thread in self._threads:
            thread.join(max(0.05, deadline_s - self._clock.monotonic()))
        self._threads.clear()
        self.backlog.stop(1.5)

    def health(self) -> dict[str, object]:
        """Return how every sensor does, and what waits to be published."""
        return {
            "sensors": {slot.sensor_id: slot.health.detail() for slot in self._slots},
            "waiting": len(self.backlog),
            "dropped": self.backlog.dropped,
            "published": self.backlog.published,
        }

    def sensors(self) -> list[tuple[str, SensorHealth]]:
        """Return every sensor with its counts."""
        return [(slot.sensor_id, slot.health) for slot in self._slots]

    def failing(self) -> list[str]:
        """Return the sensors that give nothing at present."""
        return [slot.sensor_id for slot in self._slots if slot.health.status is HealthStatus.FAILED]

    def _run(self, slots: list[_Slot]) -> None:
        while not self._stop.is_set():
            slot = min(slots, key=lambda each: each.due_s)
            wait_s = slot.due_s - self._clock.monotonic()
            if wait_s > 0.0 and self._clock.wait(self._stop, wait_s):
                break
            self._read(slot)
        for slot in slots:
            self._close(slot)

    def _read(self, slot: _Slot) -> None:
        try:
            self._publish_look(slot)
        except SensorError as error:
            self._missed(slot, str(error))
        except Exception as error:
            # A driver of another package may raise anything; its sensor alone may suffer from that.
            log.exception("sensor %s failed unexpectedly", slot.sensor_id)
            self._missed(slot, f"{type(error).__name__}: {error}")
        else:
            slot.health.succeeded(self._clock.wall())
            slot.due_s = self._next_due(slot)
        self._report(slot)

    def _publish_look(self, slot: _Slot) -> None:
        if slot.sensor is None:
            slot.sensor = slot.source.open()
        at = self._clock.wall()
        raw = slot.sensor.read_sensor()
        stamp = Stamp(
            timestamp=at if raw.taken_at is None else raw.taken_at,
            correlation_id=new_correlation_id(),
            boot_id=self.boot_id,
            sequence=slot.sequence,
            clock_synced=self._clock_synced(),
            origin=self._origin,
        )
        for number, earlier in enumerate(slot.sensor.earlier()):
            kept = replace(
                stamp,
                timestamp=stamp.timestamp if earlier.taken_at is None else earlier.taken_at,
                correlation_id=new_correlation_id(),
                boot_id=f"{self.boot_id}-kept-{slot.sequence}",  # of no slot of this boot
                sequence=number,
            )
            self.backlog.put(slot.sensor.outgoing(earlier, kept))
        self.backlog.put(slot.sensor.outgoing(raw, stamp))
        slot.sequence += 1

    def _next_due(self, slot: _Slot) -> float:
        """Keep the cadence's own grid; what was missed is not made up for."""
        interval_s = slot.source.descriptor.read_interval
        behind_s = self._clock.monotonic() - slot.due_s
        return slot.due_s + interval_s * max(1, math.ceil(behind_s / interval_s))

    def _missed(self, slot: _Slot, why: str) -> None:
        slot.health.failed(why)
        misses = slot.health.failures_in_a_row
        if misses == FAILED_AFTER:
            log.warning("sensor %s gives nothing: %s", slot.sensor_id, why)
        else:
            log.debug("sensor %s: %s", slot.sensor_id, why)
        rest_s = 0.0 if slot.sensor is None else slot.sensor.rest_s
        retry_s = min(_LONGEST_RETRY_S, _FIRST_RETRY_S * 2.0 ** min(misses - 1, 10))
        slot.due_s = self._clock.monotonic() + max(rest_s, retry_s)
        if misses % FAILED_AFTER == 0:
            self._close(slot)

    def _close(self, slot: _Slot) -> None:
        """Let go of a chip; the next look opens it anew, with all that opening sets up."""
        sensor, slot.sensor = slot.sensor, None
        if sensor is None:
            return
        try:
            sensor.close()
        except (OSError, RuntimeError, ValueError, DTError) as error:
            log.debug("closing sensor %s: %s", slot.sensor_id, error)

    def _report(self, slot: _Slot) -> None:
        """Say on `dt.health` how a sensor does, when that changes and once a minute."""
        health = slot.health
        now_s = self._clock.monotonic()
        if health.status is health.reported and now_s - slot.reported_s < _REPORTS_EVERY_S:
            return
        if health.reported is HealthStatus.FAILED and health.status is HealthStatus.OK:
            log.info("sensor %s is back", slot.sensor_id)
        health.reported, slot.reported_s = health.status, now_s
        report = HealthReport(
            service=SERVICE,
            sensor_id=slot.sensor_id,
            status=health.status,
            why=health.why,
            timestamp=self._clock.wall(),
            detail=health.detail(),
        )
        self.backlog.put(outgoing(Topics.HEALTH, report, f"{SERVICE}/{slot.sensor_id}"))
