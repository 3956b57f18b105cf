"""The ledger: every run and refusal on disk, charged and synced before a pin goes high.

One SQLite file with one owner. All methods may block on the disk; none may be called by the thread that owns the pins.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import dt.controller.guard_ledger_sql as sql
from dt.controller.guard_clock import LedgerTime, TimeMark, kernel_clock_is_synchronised, machine_boot_id
from dt.controller.guard_latch import latch_left_by, remove_latch
from dt.controller.guard_on_time import on_left_s, on_time_s
from dt.controller.guard_types import BUDGET_WINDOW_S, Denial, Ended, GuardClock, Order, OutputConfig

_STOP, _RELEASE = "stop", "release"
_KEEP_S = 90 * 86_400.0
_UNSEEN_S = 120.0  # two checkpoints: how far the ledger's time may lie behind when another boot reads it
_ROUNDING_ML = 1e-6
_ROUNDING_S = 1e-3
_ON_TIME_S = 0.1  # two ticks of the pin thread
_ON_TIME_SHARE = 0.05  # no pump's calibration is as exact; more than that is charged as measured


class Ledger:
    """Who got how much water and when, by the ledger's own time."""

    def __init__(
        self,
        path: Path,
        clock: GuardClock,
        *,
        is_synced: Callable[[], bool] = kernel_clock_is_synchronised,
        boot_id: str | None = None,
    ) -> None:
        self._clock = clock
        self._is_synced = is_synced
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute(sql.WRITE_AHEAD)
        self._db.execute(sql.SYNC_EVERY_COMMIT)
        self._db.executescript(sql.SCHEMA)
        path.chmod(0o600)
        boot_id = machine_boot_id() if boot_id is None else boot_id
        mark = self._last_mark()
        self._time = LedgerTime(clock, boot_id=boot_id, synced=is_synced(), mark=mark)
        self._recover(0.0 if mark is not None and mark.boot_id == boot_id else _UNSEEN_S)
        self._latch_when_lost(path.with_suffix(".begun"))
        self._path, self._file = path, _file_id(path)
        self._take_left_stop()

    def close(self) -> None:
        """Leave the mark of this instant, if the disk takes it, and close the file."""
        with suppress(sqlite3.Error):
            self.checkpoint()
        self._db.close()

    # -- writing ------------------------------------------------------------------------------------------------

    def charge(
        self, order: Order, output: OutputConfig, budget_ml: float | None, capacity_ml: float | None
    ) -> Denial | None:
        """Write the whole run off the budgets, on disk when this returns; or say which budget lacks how much."""
        with self._db:
            self._db.execute(sql.BEGIN)
            self._require_file()
            ml = order.on_s * output.flow_ml_s
            denial = self._why_not(output, ml, budget_ml, capacity_ml) or self._why_not_as_long(output, order.on_s)
            if denial is None:
                self._insert(order, output, ml)
                self._write_mark()
        return denial

    def settle(self, ended: Ended, output: OutputConfig) -> dict[str, Any]:
        """Close a run: only a measured, clean stop pays back what was not delivered."""
        with self._db:
            self._db.execute(sql.BEGIN)
            paid_ml = self._paid_ml(ended, output)
            self._db.execute(
                sql.SETTLE,
                (
                    paid_ml,
                    self._time.now(),
                    ended.on_s,
                    ended.outcome,
                    ended.why,
                    self._clock.wall(),
                    ended.was_on,
                    ended.action_id,
                ),
            )
            self._write_mark()
        return self.entry(ended.action_id) or {}

    def refuse(self, order: Order, output: OutputConfig | None, outcome: str, why: str) -> dict[str, Any]:
        """Record a command that moved nothing; the same `action_id` will never run."""
        with self._db:
            self._db.execute(sql.BEGIN)
            now, wall = self._time.now(), self._clock.wall()
            plant_id = output.plant_id if output is not None else None
            self._db.execute(
                sql.REFUSE,
                (
                    order.action_id,
                    order.actuator_id,
                    plant_id,
                    order.on_s,
                    now,
                    now,
                    outcome,
                    why,
                    wall,
                    wall,
                    order.note,
                ),
            )
        return self.entry(order.action_id) or {}

    def mark_reported(self, action_ids: Iterable[str]) -> None:
        """Note that the results of these runs have been published."""
        with self._db:
            self._db.executemany(sql.MARK_REPORTED, [(one,) for one in action_ids])

    def refill(self, reservoir: str, by: str) -> None:
        """Count a reservoir as full from now on."""
        with self._db:
            self._db.execute(sql.REFILL, (reservoir, self._time.now(), self._clock.wall(), by))

    def set_flow(self, actuator_id: str, flow_ml_s: float, by: str) -> None:
        """Keep the flow that a person measured."""
        with self._db:
            self._db.execute(sql.SET_FLOW, (actuator_id, flow_ml_s, by, self._clock.wall()))

    def latch_stop(self, by: str) -> None:
        """Keep the emergency stop over restarts."""
        self._note_stop(by, _STOP)

    def release_stop(self, by: str) -> None:
        """Record that a person released the emergency stop, also one that was left for a guard to come."""
        try:
            remove_latch(self._path.parent)
        except OSError as error:
            msg = f"the stop that was left in {self._path.parent} cannot be removed: {error}"
            raise sqlite3.OperationalError(msg) from error
        self._note_stop(by, _RELEASE)

    def distrust(self, plants: Mapping[str, float], reservoirs: Mapping[str, float]) -> None:
        """Charge plants and reservoirs with so many ml, and stop everything: this ledger came out of a backup.

        What they had between the backup and now stands in no ledger; it may have been all that they may have (S3).
        """
        now, wall = self._time.now(), self._clock.wall()
        charged: list[tuple[str | None, str | None, float]]
        charged = [(plant_id, None, ml) for plant_id, ml in plants.items()]
        charged += [(None, reservoir, ml) for reservoir, ml in reservoirs.items()]
        rows = [
            (f"restored-{wall:.3f}-{number}", plant_id, reservoir, ml, ml, now, now, wall, wall)
            for number, (plant_id, reservoir, ml) in enumerate(charged)
        ]
        with self._db:
            self._db.execute(sql.BEGIN)
            self._db.executemany(sql.DISTRUST, rows)
            self._write_mark()
        self.latch_stop("dt restore: what was given since the backup is not known")

    def checkpoint(self) -> None:
        """Note the time (call about once a minute) and forget what is older than 90 days."""
        with self._db:
            self._db.execute(sql.BEGIN)
            self._time.note_sync(synced=self._is_synced())
            self._write_mark()
            self._db.execute(sql.FORGET, (self._time.now() - _KEEP_S,))

    # -- reading ------------------------------------------------------------------------------------------------

    def entry(self, action_id: str) -> dict[str, Any] | None:
        """Return what is known of an action, or None."""
        row = self._db.execute(sql.ENTRY, (action_id,)).fetchone()
        return None if row is None else dict(row)

    def entries(self, limit: int = 200, actuator_id: str = "") -> list[dict[str, Any]]:
        """Return the latest entries, of one actuator or of all, newest first."""
        if actuator_id:
            return [dict(row) for row in self._db.execute(sql.LATEST_OF, (actuator_id, limit))]
        return [dict(row) for row in self._db.execute(sql.LATEST, (limit,))]

    def unreported(self) -> list[dict[str, Any]]:
        """Return the ended runs whose results nobody has published yet, oldest first."""
        return [dict(row) for row in self._db.execute(sql.UNREPORTED)]

    def spent_ml(self, plant_id: str) -> float:
        """Return what a plant was charged in the last 24 h; a running dose counts in full."""
        row = self._db.execute(sql.SPENT, (plant_id, self._time.now() - BUDGET_WINDOW_S)).fetchone()
        return float(row[0])

    def drawn_ml(self, reservoir: str) -> float:
        """Return what a reservoir gave since it was last refilled."""
        row = self._db.execute(sql.DRAWN, (reservoir, reservoir)).fetchone()
        return float(row[0])

    def flows(self) -> dict[str, float]:
        """Return the measured flow of every pump that a person calibrated."""
        return {str(row[0]): float(row[1]) for row in self._db.execute(sql.FLOWS)}

    def on_left_s(self, output: OutputConfig) -> float:
        """Return how long an output may be on from now, so that no 24 h have more of it than it may."""
        if output.on_s_per_day >= BUDGET_WINDOW_S:
            return BUDGET_WINDOW_S
        return on_left_s(self._on_intervals(output), output.on_s_per_day, self._time.now())

    def ended_ago_s(self) -> dict[str, float]:
        """Return for each actuator how long ago its last run ended."""
        now = self._time.now()
        return {str(row[0]): now - float(row[1]) for row in self._db.execute(sql.LAST_ENDS)}

    def stopped_by(self) -> str | None:
        """Return who pressed the emergency stop that nobody has released, or None."""
        row = self._db.execute(sql.LAST_STOP).fetchone()
        return None if row is None or row[1] == _RELEASE else str(row[0])

    # -- helpers ------------------------------------------------------------------------------------------------

    def _latch_when_lost(self, begun: Path) -> None:
        """Stop everything when there was a ledger before this new one: nobody knows what the plants had."""
        is_new = self._db.execute(sql.VERSION).fetchone()[0] == 0
        if is_new and begun.exists():
            self.latch_stop("the guard: its ledger was lost")
        self._db.execute(sql.SET_VERSION)
        begun.touch(0o600)

    def _take_left_stop(self) -> None:
        """Make a stop that was left while no guard answered this ledger's own; a file that stays is taken again."""
        by = latch_left_by(self._path.parent)
        if by is not None:
            self.latch_stop(by)
            with suppress(OSError):
                remove_latch(self._path.parent)

    def _require_file(self) -> None:
        """Charge nothing on a file that was deleted or replaced: the next start would not find it."""
        if _file_id(self._path) != self._file:
            msg = f"{self._path} was deleted or replaced while the guard ran; restart the guard"
            raise sqlite3.OperationalError(msg)

    def _why_not(
        self, output: OutputConfig, ml: float, budget_ml: float | None, capacity_ml: float | None
    ) -> Denial | None:
        if budget_ml is not None and output.plant_id is not None:
            value = self.spent_ml(output.plant_id) + ml
            if value > budget_ml + _ROUNDING_ML:
                return _short(f"{output.plant_id} has had its water of 24 h", value, budget_ml)
        if capacity_ml is not None and output.reservoir is not None:
            value = self.drawn_ml(output.reservoir) + ml
            if value > capacity_ml + _ROUNDING_ML:
                return _short(f"reservoir {output.reservoir} does not hold as much", value, capacity_ml)
        return None

    def _why_not_as_long(self, output: OutputConfig, on_s: float) -> Denial | None:
        if output.on_s_per_day >= BUDGET_WINDOW_S:
            return None
        now = self._time.now()
        value = on_s + on_time_s(self._on_intervals(output), now + on_s - BUDGET_WINDOW_S, now)
        if value <= output.on_s_per_day + _ROUNDING_S:
            return None
        why = f"{output.actuator_id} would be on for longer than it may in 24 h (s)"
        return _short(why, value, output.on_s_per_day, invariant="S1")

    def _on_intervals(self, output: OutputConfig) -> list[tuple[float, float]]:
        """Return when it was on within the last 24 h; a run that nobody measured counts as ordered, and until now."""
        now = self._time.now()
        rows = self._db.execute(sql.ON_INTERVALS, (now, output.actuator_id, now - BUDGET_WINDOW_S))
        return [(float(end_s) - float(on_s), float(end_s)) for end_s, on_s in rows]

    def _paid_ml(self, ended: Ended, output: OutputConfig) -> float | None:
        """Return what a clean run costs; None, all of its charge, for any other and for one that ended on time."""
        entry = self.entry(ended.action_id)
        if not ended.clean or ended.on_s is None or entry is None:
            return None
        ordered_s = float(entry["on_s"])
        is_on_time = 0 <= ended.on_s - ordered_s <= min(_ON_TIME_S, _ON_TIME_SHARE * ordered_s)
        return None if is_on_time else ended.on_s * output.flow_ml_s

    def _insert(self, order: Order, output: OutputConfig, ml: float) -> None:
        self._db.execute(
            sql.CHARGE,
            (
                order.action_id, order.actuator_id, output.plant_id, output.reservoir, order.on_s, ml, ml,
                self._time.now(), self._clock.wall(), order.note,
            ),
        )  # fmt: skip

    def _note_stop(self, by: str, kind: str) -> None:
        with self._db:
            self._db.execute(sql.NOTE_STOP, (self._clock.wall(), by, kind))

    def _write_mark(self) -> None:
        mark = self._time.mark(synced=self._is_synced())
        self._db.execute(sql.WRITE_MARK, asdict(mark))

    def _last_mark(self) -> TimeMark | None:
        row = self._db.execute(sql.MARK).fetchone()
        if row is None:
            return None
        mark: dict[str, Any] = dict(row)
        mark["synced"] = bool(mark["synced"])
        return TimeMark(**mark)

    def _recover(self, unseen_s: float) -> None:
        """Close the runs that a crash left open, ended now: water charged in full.

        What moves none was on until now at the latest; `unseen_s` may have passed that the ledger's time lacks.
        """
        with self._db:
            self._db.execute(sql.BEGIN)
            now = {"now_s": self._time.now(), "wall": self._clock.wall(), "unseen_s": unseen_s}
            self._db.execute(sql.RECOVER, now)
            self._write_mark()


def _file_id(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _short(why: str, value: float, limit: float, invariant: str = "S3") -> Denial:
    return Denial(invariant=invariant, why=why, value=round(value, 3), limit=limit, margin=round(limit - value, 3))
