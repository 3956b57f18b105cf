"""The guard's state machine: which output is on, since when, and why it must go off.

It knows neither disk nor socket. Whoever owns the pins calls `tick` from one thread, and only `tick` touches a pin;
every other method just notes a wish and returns at once. All durations are monotonic seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from dt.controller.guard_load import why_not_at
from dt.controller.guard_run import Run, state_of, why_on_time, why_pause
from dt.controller.guard_types import (
    COMMAND_LIFE_S,
    Denial,
    Ended,
    GuardClock,
    GuardConfig,
    Order,
    OutputConfig,
    denial,
)

SetPin = Callable[[str, float], None]
"""Drive the output of an actuator to a level, 0 (its safe state) to 1; raises OSError when it cannot."""

TICK_S = 0.05
_NOT_RENEWED = "S11: the lease was not renewed"


class Guard:
    """Lets an output be on while a lease holds, no longer than ordered and allowed, with its pause in between."""

    def __init__(
        self,
        *,
        config: GuardConfig,
        set_pin: SetPin,
        clock: GuardClock,
        stopped_by: str | None = None,
        ended_ago_s: Mapping[str, float] | None = None,
    ) -> None:
        self._config = config
        self._set_pin = set_pin
        self._clock = clock
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._quiet = threading.Event()
        self._runs: dict[str, Run] = {}
        self._unsafe: set[str] = set()
        self._lease: tuple[str, float] | None = None
        self._stopped_by = stopped_by
        self._stops = 0
        self._closing = False
        now = clock.monotonic()
        self._off_at = {actuator_id: now - ago_s for actuator_id, ago_s in (ended_ago_s or {}).items()}
        for output in config.outputs:
            set_pin(output.actuator_id, 0.0)

    # -- wishes: from any thread, never blocking on disk or pin -------------------------------------------------

    def renew(self, owner: str) -> Denial | None:
        """Prolong the owner's lease; another owner gets it only when it has lapsed."""
        with self._lock:
            now = self._clock.monotonic()
            if self._lease_left_s(now) <= 0:
                self._end_runs(_NOT_RENEWED)  # a late renewal, or another owner's, revives nothing
            elif self._lease is not None and self._lease[0] != owner:
                return self._why_no_lease(owner, now)
            self._lease = (owner, now + self._config.lease_s)
            return None

    def release(self, owner: str) -> None:
        """Give the lease back: every output goes off at the next tick."""
        with self._lock:
            if self._lease is not None and self._lease[0] == owner:
                self._lease = None
        self._wake.set()

    def admit(self, order: Order, owner: str) -> Denial | None:
        """Return why the order may not start now, or None; only the lease's owner may start anything."""
        with self._lock:
            return self._why_not(order, owner, self._clock.monotonic())

    def start(self, order: Order, owner: str) -> Denial | None:
        """Make a charged order due at the next tick, if it still may start."""
        with self._lock:
            why_not = self._why_not(order, owner, self._clock.monotonic())
            if why_not is None:
                self._runs[order.actuator_id] = Run(order=order, level=order.level)
                self._quiet.clear()
        self._wake.set()
        return why_not

    def adjust(self, actuator_id: str, level: float, owner: str) -> Denial | None:
        """Give the run of an output another level at the next tick; at 0 the run goes on with its pin at 0."""
        with self._lock:
            why_not = self._why_not_adjust(actuator_id, level, owner, self._clock.monotonic())
            if why_not is None:
                self._runs[actuator_id].level = level
        self._wake.set()
        return why_not

    def off(self, actuator_id: str, why: str) -> bool:
        """End the run of an output at the next tick; False when none was running."""
        with self._lock:
            run = self._runs.get(actuator_id)
            if run is not None and run.stop_why is None:
                run.stop_why = why
        self._wake.set()
        return run is not None

    def emergency_stop(self, by: str) -> None:
        """End everything at the next tick and let nothing start until `release_stop`."""
        with self._lock:
            self._stopped_by = self._stopped_by or by
            self._stops += 1
        self._wake.set()

    def release_stop(self, stops: int) -> bool:
        """Let outputs start again, unless the stop was pressed again since `stops` was read."""
        with self._lock:
            if self._stops != stops:
                return False
            self._stopped_by = None
        self._wake.set()
        return True

    def shut(self) -> None:
        """End everything for good: the guard goes away, and no order may start."""
        self._closing = True
        self._wake.set()

    # -- the pin thread -----------------------------------------------------------------------------------------

    def tick(self) -> list[Ended]:
        """Switch what is due, on or off, and return the runs that ended."""
        with self._lock:
            self._wake.clear()
            self._retry_unsafe()
            ended = [one for run in list(self._runs.values()) if (one := self._step(run)) is not None]
            if not self._runs and not self._unsafe:
                self._quiet.set()
            return ended

    def wait(self, longest_s: float = TICK_S) -> None:
        """Block until the next instant at which `tick` has something to do, at most `longest_s`."""
        with self._lock:
            now = self._clock.monotonic()
            ends = [self._ends_at_s(run) - now for run in self._runs.values() if run.started_at_s is not None]
        self._wake.wait(max(0.0, min([longest_s, *ends])))

    # -- what it is like ----------------------------------------------------------------------------------------

    @property
    def stopped_by(self) -> str | None:
        """Who pressed the emergency stop, or None."""
        return self._stopped_by

    @property
    def stops(self) -> int:
        """How often the emergency stop was pressed, for `release_stop`."""
        return self._stops

    def is_quiet(self) -> bool:
        """True when every output is known to be in its safe state."""
        with self._lock:
            return not self._unsafe and all(run.started_at_s is None for run in self._runs.values())

    def wait_until_quiet(self, timeout_s: float) -> bool:
        """Block until the pin thread has every output in its safe state; False when that took too long."""
        return self._quiet.wait(timeout_s) and self.is_quiet()

    def outputs(self) -> dict[str, dict[str, object]]:
        """Return every output's state: on, level, action, seconds on and of pause left."""
        with self._lock:
            now = self._clock.monotonic()
            return {output.actuator_id: self._state(output, now) for output in self._config.outputs}

    def driven(self) -> dict[str, float]:
        """Return the level that every output was driven to; full for one that could not be driven."""
        with self._lock:
            now = {name: run.driven for name, run in self._runs.items()} | dict.fromkeys(self._unsafe, 1.0)
            return {output.actuator_id: now.get(output.actuator_id, 0.0) for output in self._config.outputs}

    def has_unsafe(self) -> bool:
        """True while an output could not be driven to its safe state."""
        with self._lock:
            return bool(self._unsafe)

    def has_lease(self) -> bool:
        """True while somebody renews the lease."""
        with self._lock:
            return self._lease_left_s(self._clock.monotonic()) > 0

    # -- helpers; the lock is held ------------------------------------------------------------------------------

    def _why_not(self, order: Order, owner: str, now: float) -> Denial | None:
        output = self._config.output(order.actuator_id)
        if output is None:
            return denial("S1", f"there is no output {order.actuator_id}")
        return (
            self._why_stopped()
            or _why_expired(order, now)
            or self._why_no_lease(owner, now)
            or why_on_time(order, output)
            or self._why_busy(output)
            or why_pause(output, self._off_for_s(output, now))
            or why_not_at(self._config, output, order.level, self._levels())
        )

    def _why_not_adjust(self, actuator_id: str, level: float, owner: str, now: float) -> Denial | None:
        output, run = self._config.output(actuator_id), self._runs.get(actuator_id)
        why_nothing = self._why_stopped() or self._why_no_lease(owner, now)
        if why_nothing is not None:
            return why_nothing
        if output is None or run is None or run.stop_why is not None:
            return denial("S1", f"{actuator_id} does not run: its level begins with an order")
        others = {} if level <= run.level else self._levels()  # less breaks nothing
        is_off = run.most == 0.0
        return why_not_at(self._config, output, level, others) or (
            why_pause(output, self._off_for_s(output, now)) if is_off and level > 0 else None
        )

    def _why_stopped(self) -> Denial | None:
        if self._closing:
            return denial("S10", "the guard is stopping")
        if self._stopped_by is not None:
            return denial("S9", f"emergency stop by {self._stopped_by}")
        return None

    def _why_no_lease(self, owner: str, now: float) -> Denial | None:
        left_s = self._lease_left_s(now)
        if left_s <= 0:
            left_s = round(left_s, 3)
            return Denial(invariant="S11", why="nobody holds the lease", value=left_s, limit=0.0, margin=left_s)
        if self._lease is not None and self._lease[0] != owner:
            return denial("S11", f"the lease is held by {self._lease[0]}", left_s, 0.0)
        return None

    def _why_busy(self, output: OutputConfig) -> Denial | None:
        if output.actuator_id in self._runs or output.actuator_id in self._unsafe:
            pause_s = output.pause_s
            return Denial(invariant="S2", why="the output is on", value=0.0, limit=pause_s, margin=-pause_s)
        return None

    def _levels(self) -> dict[str, float]:
        """Return the most that every output may be at until the next tick; nothing for one that is safe."""
        return {name: run.most for name, run in self._runs.items()} | dict.fromkeys(self._unsafe, 1.0)

    def _end_runs(self, why: str) -> None:
        for run in self._runs.values():
            run.stop_why = run.stop_why or why

    def _lease_left_s(self, now: float) -> float:
        return 0.0 if self._lease is None else self._lease[1] - now

    def _off_for_s(self, output: OutputConfig, now: float) -> float:
        return now - self._off_at.get(output.actuator_id, float("-inf"))

    def _ends_at_s(self, run: Run) -> float:
        return run.ends_at_s(self._config.output(run.order.actuator_id))

    def _step(self, run: Run) -> Ended | None:
        now = self._clock.monotonic()
        stop_why = self._stop_why(run, now)
        if run.started_at_s is None:
            if now > run.order.start_by_s:
                return self._finish(run, "expired", "S10: expired before it could start", 0.0)
            if stop_why is not None:
                return self._finish(run, "stopped", stop_why, 0.0)
            run.started_at_s = now
            return self._drive(run)
        if stop_why is not None:
            return self._lower(run, "stopped", stop_why)
        if now >= self._ends_at_s(run):
            return self._lower(run, "done", "its time is over")
        return self._drive(run) if run.level != run.driven else None

    def _stop_why(self, run: Run, now: float) -> str | None:
        if self._closing:
            return "S10: the guard is stopping"
        if self._stopped_by is not None:
            return f"S9: emergency stop by {self._stopped_by}"
        if self._lease_left_s(now) <= 0:
            return _NOT_RENEWED
        return run.stop_why

    def _drive(self, run: Run) -> Ended | None:
        try:
            self._set_pin(run.order.actuator_id, run.level)
        except OSError as error:
            return self._fail(run, error)
        if run.level == 0 < run.driven:
            self._off_at[run.order.actuator_id] = self._clock.monotonic()  # within its run too an output rests (S2)
        run.driven = run.level
        return None

    def _lower(self, run: Run, outcome: str, why: str) -> Ended:
        try:
            self._set_pin(run.order.actuator_id, 0.0)
        except OSError as error:
            return self._fail(run, error)
        return self._finish(run, outcome, why, self._clock.monotonic() - (run.started_at_s or 0.0))

    def _fail(self, run: Run, error: OSError) -> Ended:
        """End a run whose pin could not be set, at a level that nobody knows."""
        self._unsafe.add(run.order.actuator_id)
        self._retry_unsafe()
        return self._finish(run, "failed", f"the pin could not be set: {error}", None)

    def _finish(self, run: Run, outcome: str, why: str, on_s: float | None) -> Ended:
        actuator_id = run.order.actuator_id
        del self._runs[actuator_id]
        if run.started_at_s is not None:
            self._off_at[actuator_id] = self._clock.monotonic()
        return run.ended(outcome, why, on_s)

    def _retry_unsafe(self) -> None:
        for actuator_id in list(self._unsafe):
            try:
                self._set_pin(actuator_id, 0.0)
            except OSError:
                continue  # stays unsafe: refused in _why_busy, and the process's parent watches the heartbeat
            self._unsafe.discard(actuator_id)
            self._off_at[actuator_id] = self._clock.monotonic()

    def _state(self, output: OutputConfig, now: float) -> dict[str, object]:
        is_unsafe = output.actuator_id in self._unsafe
        run = self._runs.get(output.actuator_id)
        return state_of(output, run, now, self._off_for_s(output, now), is_unsafe=is_unsafe)


def _why_expired(order: Order, now: float) -> Denial | None:
    age_s = now - order.issued_at_s
    if age_s > COMMAND_LIFE_S or now > order.start_by_s:
        return denial("S10", "the command has expired", age_s, COMMAND_LIFE_S)
    return None
