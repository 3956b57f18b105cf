"""Removes raw readings from InfluxDB that are older than is asked for, once their hours are proven to be rolled up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

from dt.data.database.influx_charts import Tags, tags_of
from dt.data.database.influx_keeping import SOURCES
from dt.data.database.influx_rollups import HOUR_MS, Rollups, runs_of
from dt.data.database.influx_server import InfluxServer, quoted
from dt.data.database.steadiness import Steadiness
from dt.utils.clock import Clock
from dt.utils.exceptions import StorageError
from dt.utils.kernel_clock import is_clock_synced
from dt.utils.logger import get_logger

EVERY_S = 86_400.0
_AGAIN_S = 3600.0  # after a failure, or a clock that jumped
_HOURS_AT_ONCE = 24 * 7

log = get_logger(__name__)


class InfluxRetention:
    """Runs once a day; the server's own retention, which knows neither proof nor exemption, is not used."""

    def __init__(
        self,
        server: InfluxServer,
        rollups: Rollups,
        clock: Clock,
        raw_days: float,
        archived: Callable[[], Collection[str]] = tuple,
        is_synced: Callable[[], bool] = is_clock_synced,
    ) -> None:
        self._server = server
        self._rollups = rollups
        self._clock = clock
        self._raw_days = raw_days
        self._archived = archived
        self._stop = threading.Event()
        self._steadiness = Steadiness(clock, "old readings are removed", self._newest_before, is_synced)

    def start(self) -> Callable[[], None]:
        """Remove now and once a day; what is returned ends that."""
        thread = threading.Thread(target=self._run, name="retention", daemon=True)
        thread.start()

        def stop() -> None:
            self._stop.set()
            thread.join(2.0)

        return stop

    def remove(self) -> int:
        """Remove what is old and proven, archived plants' readings left out, and return how many readings that were."""
        if self._raw_days <= 0.0:
            return 0
        before_ms = int(self._clock.wall() - self._raw_days * 86_400.0) * 1000 // HOUR_MS * HOUR_MS
        removed = passed_ms = 0  # what stays before `passed_ms` has its reasons
        while not self._stop.is_set():
            first_ms = self._oldest_ms(passed_ms, before_ms)
            if first_ms is None:
                break
            passed_ms = min(before_ms, first_ms + _HOURS_AT_ONCE * HOUR_MS)
            removed += self._remove(first_ms, passed_ms)
        if removed:
            log.info("%d readings older than %g days were removed; their roll-ups stay", removed, self._raw_days)
        return removed

    def _run(self) -> None:
        while not self._stop.is_set():
            wait_s = _AGAIN_S
            try:
                if self._steadiness.is_steady():
                    self.remove()
                    wait_s = EVERY_S
            except StorageError as error:
                log.warning("old readings could not be removed: %s", error)
            self._clock.wait(self._stop, wait_s)

    def _newest_before(self, at: float) -> float | None:
        query = f"SELECT last(sequence) FROM {SOURCES} WHERE time < $until"  # noqa: S608 - names of quantities
        tables = self._server.select(query, {"until": round(at * 1000) * 1_000_000})
        newest_ms = max((table.values[0][0] for table in tables), default=None)
        return None if newest_ms is None else newest_ms / 1000

    def _oldest_ms(self, since_ms: int, before_ms: int) -> int | None:
        """Return the hour of the oldest reading of a range."""
        bounds = {"since": since_ms * 1_000_000, "until": before_ms * 1_000_000}
        query = f"SELECT first(sequence) FROM {SOURCES} WHERE time >= $since AND time < $until"  # noqa: S608
        tables = self._server.select(query, bounds)
        return min((table.values[0][0] // HOUR_MS * HOUR_MS for table in tables), default=None)

    def _remove(self, since_ms: int, until_ms: int) -> int:
        """Remove the proven hours of a range; hours that are not are rolled up anew, and stay until the next run."""
        raw, rolled = self._rollups.raw_counts(since_ms, until_ms), self._rollups.rolled_counts(since_ms, until_ms)
        exempt = self._exempt()
        wrong = {key[2] for key, number in raw.items() if rolled[key] < number}
        if wrong:
            log.warning(
                "%d hours are not rolled up as their readings are: made anew, and the readings stay", len(wrong)
            )
            self._server.write(self._rollups.marks(sorted(wrong)))
        removed = 0
        for quantity, sensor_id in sorted({key[:2] for key in raw} - exempt):
            proven = sorted(key[2] for key in raw if key[:2] == (quantity, sensor_id) and rolled[key] == raw[key])
            for first, last in runs_of(proven, _HOURS_AT_ONCE):
                self._rollups.removed_until(sensor_id, (last + 1) * HOUR_MS)
                predicate = f"_measurement={quoted(quantity)} AND sensor_id={quoted(sensor_id)}"
                self._server.delete(first * HOUR_MS, (last + 1) * HOUR_MS, predicate)
                removed += sum(raw[(quantity, sensor_id, hour)] for hour in range(first, last + 1))
        return removed

    def _exempt(self) -> set[tuple[str, str]]:
        """Return quantity and sensor of archived plants; a file's air stands in a zone of the plant's name."""
        archived = set(self._archived())
        found = set()
        for table in self._server.select("SHOW SERIES") if archived else ():
            for [key] in table.values:
                tags: Tags = tags_of(key)
                if archived & {tags.get("plant_id"), tags.get("zone_id")} and "sensor_id" in tags:
                    found.add((key.split(",", 1)[0], tags["sensor_id"]))
        return found
