"""The collector in lockstep: each sensor in its slot, one thread, records kept while the log is away."""

# ruff: noqa: S311 - chances of a simulation, no secret

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence

from dt.collector.kinds.base_sensor import Stamp
from dt.collector.sensor_health import FAILED_AFTER
from dt.collector.sensor_turn import SensorSource, Turn
from dt.communication.messaging import MessagingService, Outgoing
from dt.communication.wire import HostState, Link
from dt.utils.clock import Clock
from dt.utils.exceptions import DTError, SensorError
from dt.utils.ids import derived_id

_MOST_WAITING = 1_000_000
_AT_ONCE = 2000
_FINE = HostState()


class LockstepCollector:
    """Reads what is due with the collector's own sensors and slots; the rest of its machine is `host`."""

    def __init__(
        self, sources: Sequence[SensorSource], messaging: MessagingService, clock: Clock, *, boot_id: str, seed: int
    ) -> None:
        self.boot_id = boot_id
        self._messaging = messaging
        self._clock = clock
        self._dice = random.Random(f"{seed}:{boot_id}:network")
        now_s = clock.monotonic()
        self._turns = [Turn.begun(source, now_s) for source in sources]
        self._waiting: deque[Outgoing] = deque(maxlen=_MOST_WAITING)
        self.looks = 0

    @property
    def next_due_s(self) -> float:
        """Return when the next sensor is due (monotonic)."""
        return min((turn.due_s for turn in self._turns), default=float("inf"))

    @property
    def waiting(self) -> int:
        """Return how many records wait for the log."""
        return len(self._waiting)

    def read_due(self, host: HostState = _FINE) -> int:
        """Look at every sensor that is due, hand over what the log takes, and return how many looks that were."""
        now_s = self._clock.monotonic()
        due = [turn for turn in self._turns if turn.due_s <= now_s]
        for turn in due:
            self._look(turn, now_s)
        self.looks += len(due)
        self._send(host)
        return len(due)

    def _look(self, turn: Turn, now_s: float) -> None:
        number = turn.slots.at(now_s)
        try:
            record = self._taken(turn, number)
        except SensorError as error:
            turn.health.failed(str(error))
            rest_s = 0.0 if turn.sensor is None else turn.sensor.pause_s
            turn.due_s = turn.slots.retry_after(now_s, max(rest_s, turn.slots.interval_s))
            if turn.health.failures_in_a_row % FAILED_AFTER == 0 and turn.sensor is not None:
                turn.sensor.close()
                turn.sensor = None
            return
        turn.health.succeeded(self._clock.wall())
        turn.due_s = turn.slots.after_look(now_s, now_s + (0.0 if turn.sensor is None else turn.sensor.pause_s))
        self._waiting.append(record)

    def _taken(self, turn: Turn, number: int) -> Outgoing:
        if turn.sensor is None:
            turn.sensor = turn.source.open()
        at = self._clock.wall()
        raw = turn.sensor.read_sensor()
        taken_at = at if raw.taken_at is None else raw.taken_at
        stamp = Stamp(
            timestamp=taken_at,
            correlation_id=derived_id(turn.sensor_id, self.boot_id, number, at=taken_at),
            boot_id=self.boot_id,
            sequence=number,
        )
        return turn.sensor.outgoing(raw, stamp)

    def _send(self, host: HostState) -> None:
        """Give the log what waits, in order; a slow network delivers, one that is half-open does not."""
        if host.broker in (Link.AWAY, Link.HALF_OPEN):
            return
        while self._waiting:
            batch = [self._waiting[index] for index in range(min(_AT_ONCE, len(self._waiting)))]
            try:
                self._messaging.publish_batch(self._disturbed(batch, host))
            except DTError:
                return
            for _ in batch:
                self._waiting.popleft()

    def _disturbed(self, records: list[Outgoing], host: HostState) -> list[Outgoing]:
        """Send some records twice, and some after their successors."""
        if not host.duplicates and not host.out_of_order:
            return records
        out: list[Outgoing] = []
        late: list[Outgoing] = []
        for record in records:
            if self._dice.random() < host.out_of_order and not late:
                late.append(record)
                continue
            out += [record, *late]
            late = []
            if self._dice.random() < host.duplicates:
                out.append(record)
        return out + late
