"""What one client is still to be sent: the newest value of each series, and no more than it takes in."""

from __future__ import annotations

from dataclasses import dataclass, field

SERIES_PERIOD_S = 0.25  # a series reaches a client at most four times a second
_SLACK_S = 0.02  # lateness that is made up for: a series of just four a second must not fall behind by a tick each time
ACKNOWLEDGED_WITHIN_S = 1.0  # a client that never acknowledges gets one batch in this time, if it still reads
MAX_SERIES = 5000


@dataclass(frozen=True, slots=True)
class Series:
    """What a newer value replaces: readings of one sensor and quantity, or one record."""

    event: str
    key: str


@dataclass(slots=True)
class Item:
    """One value on its way to browsers, encoded at most once for each namespace."""

    series: Series
    timestamp: float
    body: str
    is_revision: bool = False
    _packets: dict[tuple[str, bool], str] = field(default_factory=dict)

    def packet(self, namespace: str, *, is_last: bool) -> str:
        """Return the Socket.IO packet; the last of a batch asks for an acknowledgement (id 0)."""
        found = self._packets.get((namespace, is_last))
        if found is None:
            place = "" if namespace == "/" else f"{namespace},"
            found = f'2{place}{"0" if is_last else ""}["{self.series.event}",{self.body}]'
            self._packets[namespace, is_last] = found
        return found

    def apart(self) -> Item:
        """Return a revision as a series of its own, so that no other reading of its sensor takes its place."""
        return Item(Series(self.series.event, f"{self.series.key}@{self.timestamp}"), self.timestamp, self.body)


class Outbox:
    """One client of one namespace; not safe by itself, its owner holds the lock."""

    def __init__(self, namespace: str, sid: str) -> None:
        self.namespace = namespace
        self.sid = sid
        self._pending: dict[Series, Item] = {}
        self._next_at: dict[Series, float] = {}
        self._asked_at: float | None = None

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def is_waiting(self) -> bool:
        """Return whether the last batch is not yet acknowledged."""
        return self._asked_at is not None

    def put(self, item: Item) -> None:
        """Keep a value in place of an older one of its series."""
        if self.namespace not in ("/", f"/{item.series.event}"):
            return
        self._pending[item.series] = item
        if len(self._pending) > MAX_SERIES:
            del self._pending[next(iter(self._pending))]

    def acknowledge(self) -> None:
        """Let the next batch go."""
        self._asked_at = None

    def is_overdue(self, now: float) -> bool:
        """Return whether the client had its time to acknowledge and did not."""
        return self._asked_at is not None and now - self._asked_at >= ACKNOWLEDGED_WITHIN_S

    def take(self, now: float) -> list[Item]:
        """Return what may be sent now, oldest first, and wait for its acknowledgement from here on."""
        due = [item for series, item in self._pending.items() if self._due_at(series) <= now]
        if not due:
            return due
        for item in due:
            del self._pending[item.series]
            due_at = self._due_at(item.series)
            self._next_at[item.series] = (due_at if due_at >= now - _SLACK_S else now) + SERIES_PERIOD_S
        self._asked_at = now
        self._forget(now)
        return due

    def wakes_at(self, now: float) -> float | None:
        """Return when something may be sent without a further event, or None."""
        if not self._pending:
            return None
        if self._asked_at is not None:
            patience_ends = self._asked_at + ACKNOWLEDGED_WITHIN_S
            return patience_ends if patience_ends > now else now + SERIES_PERIOD_S
        return max(now, min(self._due_at(series) for series in self._pending))

    def _due_at(self, series: Series) -> float:
        return self._next_at.get(series, float("-inf"))

    def _forget(self, now: float) -> None:
        if len(self._next_at) > 2 * MAX_SERIES:
            self._next_at = {series: at for series, at in self._next_at.items() if at > now}
