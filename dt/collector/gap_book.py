"""What is known of readings that were due and are not there, told on `dt.gaps`."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from dt.collector.outbox_bounds import Loss
from dt.communication.frames import frame_from_headers
from dt.communication.messaging import Outgoing, outgoing
from dt.communication.topics import Topics
from dt.utils.clock import Clock
from dt.utils.dataclasses import CameraFrame, GapCause, GapNotice, SensorData, SensorDescriptor
from dt.utils.exceptions import MessageError

NOTE = "boot"
TOLD_EVERY_S = 300.0  # of a gap that lasts
_TELL_LOSSES_EVERY_S = 60.0

_CAUSES = {Loss.FULL: GapCause.OUTBOX_FULL, Loss.REFUSED: GapCause.REFUSED}
_WORDS = {
    GapCause.OUTBOX_FULL: "the outbox was full",
    GapCause.REFUSED: "the log refused it for good",
    GapCause.COLLECTOR_OFF: "the collector was off",
    GapCause.KILLED: "the collector was killed",
    GapCause.POWER_CUT: "the machine lost its power or was started anew",
    GapCause.REMOVED: "the sensor was taken out of the rig",
    GapCause.CADENCE: "the cadence is another one from here on",
}


@dataclass(slots=True)
class _Range:
    """Readings of one sensor and boot that were lost one after the other."""

    zone_id: str
    first: int
    last: int
    since: float
    until: float
    count: int = 1
    is_told: bool = False


class GapBook:
    """Collects losses from any thread; `due` gives what is to be published."""

    def __init__(self, clock: Clock, boot_id: str) -> None:
        self._clock = clock
        self._boot_id = boot_id
        self._lock = threading.Lock()
        self._losses: dict[tuple[str, str, GapCause], _Range] = {}
        self._closed: list[tuple[tuple[str, str, GapCause], _Range]] = []
        self._told_at_s = float("-inf")

    def lost(self, records: Sequence[Outgoing], why: Loss) -> None:
        """Hear from the outbox what will never arrive."""
        for record in records:
            message = _reading_of(record)
            if message is not None and message.boot_id:
                with self._lock:
                    self._add(message, _CAUSES[why])

    def due(self, *, at_once: bool = False) -> list[Outgoing]:
        """Return notices of losses that were not told yet; once a minute unless it has to be at once."""
        now_s = self._clock.monotonic()
        with self._lock:
            if not at_once and now_s - self._told_at_s < _TELL_LOSSES_EVERY_S:
                return []
            rows = self._closed + list(self._losses.items())
            fresh = [(key, run) for key, run in rows if not run.is_told]
            if not fresh:
                return []
            self._closed, self._told_at_s = [], now_s
            for _key, run in fresh:
                run.is_told = True
            return [self._notice_of(key, run) for key, run in fresh]

    def missed(self, sensor: SensorDescriptor, first: int, last: int, since: float, until: float, why: str) -> Outgoing:
        """Return the notice of slots in which a sensor gave nothing."""
        return _outgoing(
            GapNotice(
                sensor_id=sensor.sensor_id,
                zone_id=sensor.zone_id,
                boot_id=self._boot_id,
                first_sequence=first,
                last_sequence=last,
                since=since,
                until=max(since, until),
                count=last - first + 1,
                cause=GapCause.SENSOR,
                why=why,
                timestamp=self._clock.wall(),
            )
        )

    def removed(self, sensor_id: str, zone_id: str, since: float) -> Outgoing:
        """Return the notice that nothing is due of a sensor from now on."""
        now = self._clock.wall()
        return self._between(sensor_id, zone_id, (min(since, now), now), 0, GapCause.REMOVED)

    def cadence(self, sensor: SensorDescriptor, first: int, since: float) -> Outgoing:
        """Return the notice that from this number on, at this instant, a sensor keeps its present cadence."""
        return _outgoing(
            GapNotice(
                sensor_id=sensor.sensor_id,
                zone_id=sensor.zone_id,
                boot_id=self._boot_id,
                first_sequence=first,
                last_sequence=first,
                step_s=sensor.read_interval,
                since=since,
                until=since,
                count=0,
                cause=GapCause.CADENCE,
                why=_WORDS[GapCause.CADENCE],
                timestamp=self._clock.wall(),
            )
        )

    def between_boots(self, past: PastBoot, sensors: Sequence[SensorDescriptor], machine: str) -> list[Outgoing]:
        """Return what a start has to say of the time since the last sign of life of the run before."""
        now = self._clock.wall()
        since = min(past.alive_at, now)
        cause = past.end_by(machine)
        here = {sensor.sensor_id for sensor in sensors}
        notices = []
        for sensor_id, (zone_id, interval_s) in past.sensors.items():
            if sensor_id not in here:
                notices.append(self.removed(sensor_id, zone_id, since))
            elif now - since >= interval_s:
                count = int((now - since) / interval_s)
                notices.append(self._between(sensor_id, zone_id, (since, now), count, cause))
        return notices

    def _between(
        self, sensor_id: str, zone_id: str, span: tuple[float, float], count: int, cause: GapCause
    ) -> Outgoing:
        return _outgoing(
            GapNotice(
                sensor_id=sensor_id,
                zone_id=zone_id,
                boot_id=self._boot_id,
                since=span[0],
                until=span[1],
                count=count,
                cause=cause,
                why=_WORDS[cause],
                timestamp=self._clock.wall(),
            )
        )

    def _add(self, message: SensorData | CameraFrame, cause: GapCause) -> None:
        key = (message.sensor_id, message.boot_id, cause)
        run = self._losses.get(key)
        if run is not None and run.last + 1 == message.sequence:
            run.last, run.until, run.is_told = message.sequence, max(run.until, message.timestamp), False
            run.count += 1
            return
        if run is not None and not run.is_told:
            self._closed.append((key, run))
        at = message.timestamp
        self._losses[key] = _Range(message.zone_id, message.sequence, message.sequence, at, at)

    def _notice_of(self, key: tuple[str, str, GapCause], run: _Range) -> Outgoing:
        sensor_id, boot_id, cause = key
        return _outgoing(
            GapNotice(
                sensor_id=sensor_id,
                zone_id=run.zone_id,
                boot_id=boot_id,
                first_sequence=run.first,
                last_sequence=run.last,
                since=run.since,
                until=run.until,
                count=run.count,
                cause=cause,
                why=_WORDS[cause],
                timestamp=self._clock.wall(),
            )
        )


class PastBoot(msgspec.Struct, kw_only=True):
    """What the collector notes of itself while it lives, for the run after."""

    boot_id: str
    machine: str
    alive_at: float
    has_ended: bool
    sensors: dict[str, tuple[str, float]]  # zone and cadence (s)

    def text(self) -> str:
        """Return the note."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def of(cls, text: str | None) -> PastBoot | None:
        """Read a note; None when there is none that can be read."""
        try:
            return None if text is None else msgspec.json.decode(text, type=cls)
        except msgspec.DecodeError:
            return None

    def end_by(self, machine: str) -> GapCause:
        """Return how that run ended."""
        if self.has_ended:
            return GapCause.COLLECTOR_OFF
        return GapCause.KILLED if self.machine == machine else GapCause.POWER_CUT


def _outgoing(notice: GapNotice) -> Outgoing:
    return outgoing(Topics.GAPS, notice, notice.sensor_id)


def _reading_of(record: Outgoing) -> SensorData | CameraFrame | None:
    try:
        if record.topic == Topics.CAMERA_IMAGE.raw:
            return frame_from_headers(record.headers)
        if record.topic.endswith(".raw"):
            return SensorData.from_json(record.value or b"")
    except MessageError:
        return None
    return None
