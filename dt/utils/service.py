"""The life cycle that every service has: start, ready, signals, stop within five seconds, health, metrics."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

from prometheus_client import CollectorRegistry, Gauge

from dt.utils.clock import Clock, SystemClock
from dt.utils.exceptions import DTError
from dt.utils.logger import get_logger

STOPS_WITHIN_S = 5.0
_NOTHING = b"\0"  # no signal has this number

log = get_logger(__name__)


class Service:
    """Base of every service; subclasses open things in `on_start` and register how to close each with `closing`."""

    def __init__(self, name: str, clock: Clock | None = None) -> None:
        self.name = name
        self.clock = clock or SystemClock()
        self.metrics = CollectorRegistry()
        self._up = Gauge("dt_up", "1 while the service runs", ["service"], registry=self.metrics).labels(name)
        self._closers: list[tuple[str, Callable[[], None]]] = []
        self._is_started = False
        self._started_at: float | None = None
        self._lock = threading.RLock()

    def on_start(self) -> None:
        """Open what the service needs and return; raises when it cannot run at all."""

    def ready(self) -> str | None:
        """Return None when the service does its work, else what it waits for."""
        return None if self._is_started else "not started"

    def trouble(self) -> str | None:
        """Return what a person should put right although the service does its work, or None."""
        return None

    def health(self) -> dict[str, object]:
        """Return what a person would want to know, within a second or two."""
        return {}

    def closing(self, what: str, close: Callable[[], None]) -> None:
        """Remember how to close something; `stop` goes through them, latest first."""
        self._closers.append((what, close))

    @property
    def is_started(self) -> bool:
        """Return whether the service was started and not stopped."""
        return self._is_started

    def start(self) -> None:
        """Start once; a failure closes what was opened already."""
        with self._lock:
            if self._is_started:
                return
            try:
                self.on_start()
            except BaseException:  # Ctrl-C too must release pins and files
                self._close_all()
                raise
            self._is_started = True
            self._started_at = self.clock.monotonic()
            self._up.set(1)
        log.info("%s started", self.name)

    def stop(self) -> None:
        """Close everything, latest first; one failure does not keep the rest open."""
        with self._lock:
            was_started = self._is_started
            self._is_started = False
            self._up.set(0)
            self._close_all()
        if was_started:
            log.info("%s stopped", self.name)

    def report(self) -> dict[str, object]:
        """Return the body of `GET /health`."""
        why = self.ready() or self.trouble()
        up_s = 0.0 if self._started_at is None else self.clock.monotonic() - self._started_at
        return {
            "service": self.name,
            "status": "ok" if why is None else "degraded",
            "why": why or "",
            "up_s": round(up_s, 3),
            **self.health(),
        }

    def _close_all(self) -> None:
        while self._closers:
            what, close = self._closers.pop()
            began = time.monotonic()
            try:
                close()
            except Exception:
                log.exception("%s: closing %s failed", self.name, what)
            took_s = time.monotonic() - began
            if took_s > 1.0:
                log.info("%s: closing %s took %.1f s", self.name, what, took_s)


def run_service(service: Service) -> int:
    """Run a service until SIGTERM or SIGINT and return the process's exit code."""
    stop = threading.Event()
    with stopping_on_signals(stop):
        try:
            service.start()
        except (DTError, OSError) as error:
            log.error("%s cannot start: %s", service.name, error)  # noqa: TRY400 - one line for a person
            service.stop()
            return 1
        try:
            while not stop.wait(1.0):
                pass
        finally:
            service.stop()
    return 0


class stopping_on_signals:  # noqa: N801 - used as a function
    """Sets an event at SIGTERM or SIGINT; SIGHUP ends nothing, and `hung_up` is called in a thread.

    Drivers that install handlers of their own meanwhile are overruled.

    The handler itself only writes to a pipe: it may interrupt this very thread inside the event's or the log's lock.
    """

    def __init__(self, stop: threading.Event, hung_up: Callable[[], None] = lambda: None) -> None:
        self._stop = stop
        self._before: dict[int, object] = {}
        self._hung_up = hung_up
        self._read_end, self._write_end = -1, -1
        self._watcher = threading.Thread(target=self._watch, name="signals", daemon=True)

    def __enter__(self) -> stopping_on_signals:
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        self._watcher.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._on_signal)
        if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # else a service listens to it, or nohup ignores it
            self._before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._on_signal)
        return self

    def __exit__(self, *_exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        os.write(self._write_end, _NOTHING)
        self._watcher.join()
        os.close(self._read_end)
        os.close(self._write_end)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(BlockingIOError):  # thousands of signals wait in it already
            os.write(self._write_end, bytes([number]))

    def _watch(self) -> None:
        while (number := os.read(self._read_end, 1)) != _NOTHING:
            if number[0] == signal.SIGHUP:
                self._hang_up()
                continue
            log.info("stopping on %s", signal.Signals(number[0]).name)
            self._stop.set()

    def _hang_up(self) -> None:
        log.info("SIGHUP: what can be read again is read again")
        try:
            self._hung_up()
        except Exception:  # the signals after it must still be heard
            log.exception("SIGHUP could not be followed")
