"""Reads any number of sensors, each at its own cadence, and publishes what they say."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

from dt.collector.clock_sync import ClockBook, machine_boot
from dt.collector.gap_book import NOTE, TOLD_EVERY_S, GapBook, PastBoot
from dt.collector.kinds.base_sensor import Stamp
from dt.collector.lane import Lane
from dt.collector.outbox import Outbox, OutboxClosedError
from dt.collector.sensor_health import FAILED_AFTER, SensorHealth
from dt.collector.sensor_turn import SensorSource, Turn
from dt.communication.messaging import Outgoing, outgoing
from dt.communication.topics import Topics
from dt.utils.clock import Clock
from dt.utils.dataclasses import HealthReport, HealthStatus, Origin, SensorDescriptor
from dt.utils.exceptions import DTError, SensorError
from dt.utils.ids import new_correlation_id
from dt.utils.kernel_clock import is_clock_synced
from dt.utils.logger import get_logger

SERVICE = "collector"
_REPORTS_EVERY_S = 60.0
_ALIVE_EVERY_S = 10.0
_TENDS_EVERY_S = 1.0
_FIRST_RETRY_S, _LONGEST_RETRY_S = 0.5, 60.0
_STOPS_WITHIN_S = 3.0
_OUTBOX_NEEDS_S = 1.0  # of it, when chips hang and the log does too

log = get_logger("dt.collector.sensor_manager")


class SensorManager:
    """One lane per chip: a slow or dead chip delays its own sensors alone. Publishing never blocks reading.

    `start` runs lanes in threads. Without it, `read_due_sensors` and `seconds_to_next_read` step everything on the
    caller's own thread, for clocks that are stepped. Start and stop the outbox with `open` and `close` then.
    """

    def __init__(
        self,
        sources: Sequence[SensorSource],
        outbox: Outbox,
        clock: Clock,
        *,
        clock_synced: Callable[[], bool] = is_clock_synced,
        origin: Origin = Origin.LIVE,
        boot_id: str = "",
        machine: str | None = None,
    ) -> None:
        self.boot_id = boot_id or uuid.uuid4().hex[:12]
        self.outbox = outbox
        self._clock = clock
        self._origin = origin
        self._machine = machine_boot() if machine is None else machine
        self._book = ClockBook(clock, clock_synced, self._machine)
        self._gaps = GapBook(clock, self.boot_id)
        outbox.listen(self._gaps.lost)
        self._lock = threading.Lock()
        self._lanes: dict[str, Lane] = {}
        self._turns: dict[str, Turn] = {}
        self._numbers: dict[str, int] = {}  # of sensors that were taken out: they go on from there
        self._stop = threading.Event()
        self._tender: threading.Thread | None = None
        self._alive_s = float("-inf")
        self._is_running = False
        self._sources = list(sources)

    # --- Life ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to read and publish, in threads."""
        self.open()
        self._is_running = True
        with self._lock:
            for lane in self._lanes.values():
                lane.start()
        self._tender = threading.Thread(target=self._tend_on, name="sensors tender", daemon=True)
        self._tender.start()

    def stop(self, within_s: float = _STOPS_WITHIN_S) -> None:
        """End reading, then publish what waits; a chip that hangs is left behind so that all is over in `within_s`."""
        self._stop.set()
        end_s = self._clock.monotonic() + within_s
        deadline_s = end_s - _OUTBOX_NEEDS_S
        with self._lock:
            lanes = list(self._lanes.values())
        for lane in lanes:
            lane.ask_to_stop()
        for lane in lanes:
            if not lane.join(max(0.05, deadline_s - self._clock.monotonic())):
                log.warning("%s hangs in its driver and is left behind", lane.name)
        if self._tender is not None:
            self._tender.join(max(0.05, deadline_s - self._clock.monotonic()))
        self._is_running = False
        self.close(end_s - self._clock.monotonic())

    def open(self) -> None:
        """Open the outbox, say what happened since the run before, and schedule the sensors."""
        self.outbox.start()
        self._book.poll()
        if self._book.is_synced:
            self.outbox.rewrite(self._book.corrected)
        past = PastBoot.of(self.outbox.noted().get(NOTE))
        if past is not None:
            descriptors = [source.descriptor for source in self._sources]
            self._put(self._gaps.between_boots(past, descriptors, self._machine))
        now_s = self._clock.monotonic()
        with self._lock:
            for source in self._sources:
                self._enter(Turn.begun(source, now_s))
        self._note_life()

    def close(self, within_s: float = _STOPS_WITHIN_S) -> None:
        """Say what is missing at the end, note that it was one, and close the outbox; never in under half a second."""
        self._put([notice for turn in self._all() if (notice := self._open_gap(turn)) is not None])
        self._put(self._gaps.due(at_once=True))
        self._note_life(has_ended=True)
        self.outbox.stop(max(0.25, within_s / 2))  # which its sender and its disk may take each

    def reload(self, sources: Sequence[SensorSource]) -> dict[str, list[str]]:
        """Take another rig: what is unchanged goes on undisturbed. Returns who was added, changed and removed."""
        wanted = {source.descriptor.sensor_id: source for source in sources}
        now_s = self._clock.monotonic()
        with self._lock:
            removed = [turn for name, turn in self._turns.items() if name not in wanted]
            changed = [
                turn for name, turn in self._turns.items() if name in wanted and _differs(turn.source, wanted[name])
            ]
            added = [source for name, source in wanted.items() if name not in self._turns]
            for turn in removed:
                self._leave(turn)
                self._numbers[turn.sensor_id] = turn.number_after(now_s)
            for turn in changed:
                self._leave(turn)
                self._enter(turn.successor(wanted[turn.sensor_id], now_s))
            for source in added:
                self._enter(Turn.begun(source, now_s, self._numbers.pop(source.descriptor.sensor_id, 0)))
            stepped = [turn for turn in changed if self._turns[turn.sensor_id].slots is not turn.slots]
            begun = [self._turns[turn.sensor_id] for turn in stepped]
            begun += [turn for s in added if (turn := self._turns[s.descriptor.sensor_id]).slots.first > 0]
            self._sources = list(sources)
        self._end_empty_lanes()
        self._put([notice for turn in removed + stepped if (notice := self._open_gap(turn)) is not None])
        now = self._clock.wall()
        self._put([self._gaps.cadence(t.source.descriptor, t.slots.first, now) for t in begun])
        self._put([self._gaps.removed(t.sensor_id, t.source.descriptor.zone_id, now) for t in removed])
        self._note_life()
        return {
            "added": [source.descriptor.sensor_id for source in added],
            "changed": [turn.sensor_id for turn in changed],
            "removed": [turn.sensor_id for turn in removed],
        }

    def read_due_sensors(self) -> int:
        """Read everything that is due, on this thread, and return how many looks that took."""
        self.tend()
        looks = 0
        for lane in list(self._lanes.values()):
            while lane.read_due():
                looks += 1
        return looks

    def seconds_to_next_read(self) -> float:
        """Return how long no sensor is due."""
        due = [due_s for lane in self._lanes.values() if (due_s := lane.next_due_s()) is not None]
        return max(0.0, min(due, default=_TENDS_EVERY_S) - self._clock.monotonic())

    # --- What others ask -------------------------------------------------------------------------------------------

    def health(self) -> dict[str, object]:
        """Return how every sensor does, and how the outbox does."""
        return {
            "sensors": {turn.sensor_id: turn.health.detail() for turn in self._all()},
            "boot_id": self.boot_id,
            "clock_synced": self._book.is_synced,
            **self.outbox.health(),
        }

    def sensors(self) -> list[tuple[str, SensorHealth]]:
        """Return every sensor with its counts."""
        return [(turn.sensor_id, turn.health) for turn in self._all()]

    def failing(self) -> list[str]:
        """Return the sensors that give nothing at present."""
        return [turn.sensor_id for turn in self._all() if turn.health.status is HealthStatus.FAILED]

    def tend(self) -> None:
        """Do what is due beside reading: the clock, gaps that last, losses, the sign of life."""
        if self._book.poll():
            self.outbox.rewrite(self._book.corrected)
        now_s = self._clock.monotonic()
        for turn in self._all():
            if now_s - turn.gap_told_s >= TOLD_EVERY_S and (notice := self._open_gap(turn)) is not None:
                turn.gap_told_s = now_s
                self._put([notice])
        self._put(self._gaps.due())
        if now_s - self._alive_s >= _ALIVE_EVERY_S:
            self._note_life()

    # --- The schedule ----------------------------------------------------------------------------------------------

    def _tend_on(self) -> None:
        while not self._clock.wait(self._stop, _TENDS_EVERY_S):
            self.tend()

    def _enter(self, turn: Turn) -> None:
        name = turn.source.lane
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(name, self._clock, self._look, self._close)
            if self._is_running:
                lane.start()
        self._turns[turn.sensor_id] = turn
        lane.add(turn)

    def _leave(self, turn: Turn) -> None:
        del self._turns[turn.sensor_id]
        self._lanes[turn.source.lane].remove(turn)

    def _end_empty_lanes(self) -> None:
        with self._lock:
            used = {turn.source.lane for turn in self._turns.values()}
            over = [self._lanes.pop(name) for name in list(self._lanes) if name not in used]
        for lane in over:
            lane.ask_to_stop()
            if not self._is_running:
                lane.close_all()

    def _all(self) -> list[Turn]:
        with self._lock:
            return list(self._turns.values())

    # --- One look --------------------------------------------------------------------------------------------------

    def _look(self, turn: Turn) -> None:
        began_s = self._clock.monotonic()
        number = turn.slots.at(began_s)
        try:
            record, mark = self._taken(turn, number)
        except SensorError as error:
            self._missed(turn, str(error))
        except Exception as error:
            # A driver of another package may raise anything; its sensor alone may suffer from that.
            log.exception("sensor %s failed unexpectedly", turn.sensor_id)
            self._missed(turn, f"{type(error).__name__}: {error}")
        else:
            self._close_gap(turn, number, began_s)
            self._put(self._earlier(turn, number))
            self._put([record], mark)
            turn.health.succeeded(self._clock.wall())
            rest_s = 0.0 if turn.sensor is None else turn.sensor.pause_s
            turn.due_s = turn.slots.after_look(self._clock.monotonic(), began_s + rest_s)
        self._report(turn)

    def _taken(self, turn: Turn, number: int) -> tuple[Outgoing, str | None]:
        if turn.sensor is None:
            turn.sensor = turn.source.open()
        mark = self._book.mark()
        at = self._clock.wall()
        raw = turn.sensor.read_sensor()
        taken_at = at if raw.taken_at is None else raw.taken_at
        stamp = Stamp(
            timestamp=taken_at,
            correlation_id=new_correlation_id(taken_at),
            boot_id=self.boot_id,
            sequence=number,
            clock_synced=mark is None,
            origin=self._origin,
        )
        return turn.sensor.outgoing(raw, stamp), mark

    def _earlier(self, turn: Turn, number: int) -> list[Outgoing]:
        """Return what came in beside the look, of times that no slot of this boot may cover."""
        sensor = turn.sensor
        earlier = () if sensor is None else sensor.earlier()
        stamp = Stamp(
            timestamp=0.0, correlation_id="", boot_id=f"{self.boot_id}-kept-{number}", sequence=0, origin=self._origin
        )
        return [
            sensor.outgoing(raw, replace(stamp, timestamp=at, correlation_id=new_correlation_id(at), sequence=index))
            for index, raw in enumerate(earlier)
            if sensor is not None and (at := raw.taken_at) is not None
        ]

    def _missed(self, turn: Turn, why: str) -> None:
        turn.health.failed(why)
        misses = turn.health.failures_in_a_row
        if misses == FAILED_AFTER:
            log.warning("sensor %s gives nothing: %s", turn.sensor_id, why)
        else:
            log.debug("sensor %s: %s", turn.sensor_id, why)
        rest_s = 0.0 if turn.sensor is None else turn.sensor.pause_s
        retry_s = min(_LONGEST_RETRY_S, _FIRST_RETRY_S * 2.0 ** min(misses - 1, 10))
        turn.due_s = turn.slots.retry_after(self._clock.monotonic(), max(rest_s, retry_s))
        if misses % FAILED_AFTER == 0:
            self._close(turn)

    def _close(self, turn: Turn) -> None:
        """Let go of a chip; the next look opens it anew, with all that opening sets up."""
        sensor, turn.sensor = turn.sensor, None
        if sensor is None:
            return
        try:
            sensor.close()
        except (OSError, RuntimeError, ValueError, DTError) as error:
            log.debug("closing sensor %s: %s", turn.sensor_id, error)

    # --- Gaps and health -------------------------------------------------------------------------------------------

    def _close_gap(self, turn: Turn, number: int, now_s: float) -> None:
        """Say which slots before this one have no reading."""
        notice = self._gap_notice(turn, number - 1, now_s)
        turn.next_number, turn.gap_told_s = number + 1, now_s
        if notice is not None:
            self._put([notice])

    def _open_gap(self, turn: Turn) -> Outgoing | None:
        """Return what to say of slots that are over and have no reading; the running one may still get it."""
        now_s = self._clock.monotonic()
        return self._gap_notice(turn, turn.slots.at(now_s) - 1, now_s)

    def _gap_notice(self, turn: Turn, last: int, now_s: float) -> Outgoing | None:
        first = turn.next_number
        if last < first:
            return None
        ahead_s = self._clock.wall() - now_s
        since, until = turn.slots.begin_of(first) + ahead_s, turn.slots.begin_of(last + 1) + ahead_s
        why = turn.health.why or "a look took longer than its slot"
        return self._gaps.missed(turn.source.descriptor, first, last, max(0.0, since), max(0.0, until), why)

    def _report(self, turn: Turn) -> None:
        """Say on `dt.health` how a sensor does, when that changes and once a minute."""
        health = turn.health
        now_s = self._clock.monotonic()
        if health.status is health.reported and now_s - turn.reported_s < _REPORTS_EVERY_S:
            return
        if health.reported is HealthStatus.FAILED and health.status is HealthStatus.OK:
            log.info("sensor %s is back", turn.sensor_id)
        health.reported, turn.reported_s = health.status, now_s
        report = HealthReport(
            service=SERVICE,
            sensor_id=turn.sensor_id,
            status=health.status,
            why=health.why,
            timestamp=self._clock.wall(),
            detail=health.detail(),
        )
        self.outbox.put_latest(outgoing(Topics.HEALTH, report, f"{SERVICE}/{turn.sensor_id}"))

    def _put(self, records: Sequence[Outgoing], mark: str | None = None) -> None:
        if records:
            with contextlib.suppress(OutboxClosedError):  # a look that ended after the end
                self.outbox.put_batch(records, self._book.mark() if mark is None else mark)

    def _note_life(self, *, has_ended: bool = False) -> None:
        self._alive_s = self._clock.monotonic()
        past = PastBoot(
            boot_id=self.boot_id,
            machine=self._machine,
            alive_at=self._clock.wall(),
            has_ended=has_ended,
            sensors={turn.sensor_id: _zone_and_cadence(turn.source.descriptor) for turn in self._all()},
        )
        self.outbox.note(NOTE, past.text())


def _differs(one: SensorSource, other: SensorSource) -> bool:
    return one.descriptor != other.descriptor or one.lane != other.lane


def _zone_and_cadence(descriptor: SensorDescriptor) -> tuple[str, float]:
    return descriptor.zone_id, descriptor.read_interval


__all__ = ["SERVICE", "SensorManager", "SensorSource"]
