"""One chip's sensors, read one after the other by a thread of their own: a chip that hangs delays no other."""

from __future__ import annotations

import threading
from collections.abc import Callable

from dt.collector.sensor_turn import Turn
from dt.utils.clock import Clock

_IDLE_S = 60.0


class Lane:
    """Reads what is due; sensors may come and go while it runs. `close` is called on the lane's own thread."""

    def __init__(self, name: str, clock: Clock, look: Callable[[Turn], None], close: Callable[[Turn], None]) -> None:
        self.name = name
        self._clock = clock
        self._look = look
        self._close = close
        self._lock = threading.Lock()
        self._turns: list[Turn] = []
        self._leaving: list[Turn] = []
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, turn: Turn) -> None:
        """Read this sensor from now on."""
        with self._lock:
            self._turns.append(turn)
        self._wake.set()

    def remove(self, turn: Turn) -> None:
        """Read this sensor no more, and let go of its chip when no look is under way."""
        with self._lock:
            if turn in self._turns:
                self._turns.remove(turn)
                self._leaving.append(turn)
        _interrupt(turn)
        self._wake.set()

    @property
    def is_empty(self) -> bool:
        """Return whether there is nothing to read and nothing to let go."""
        with self._lock:
            return not self._turns and not self._leaving

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name=f"sensors {self.name}", daemon=True)
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Let the thread end after the look in hand."""
        self._stop.set()
        self._wake.set()
        with self._lock:
            turns = list(self._turns)
        for turn in turns:
            _interrupt(turn)

    def join(self, timeout_s: float) -> bool:
        """Return whether the thread has ended within the time; one that hangs in a driver is left behind."""
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def next_due_s(self) -> float | None:
        """Return when the next sensor is due (monotonic); None without sensors."""
        with self._lock:
            return min((turn.due_s for turn in self._turns), default=None)

    def read_due(self) -> bool:
        """Read the sensor that is due first, if any is; return whether there was one."""
        self._let_leave()
        with self._lock:
            turn = min(self._turns, key=lambda each: each.due_s, default=None)
        if turn is None or turn.due_s > self._clock.monotonic():
            return False
        self._look(turn)
        return True

    def close_all(self) -> None:
        """Let go of every chip; on the thread that reads them."""
        self._let_leave()
        with self._lock:
            turns = list(self._turns)
        for turn in turns:
            self._close(turn)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            if self.read_due():
                continue
            due_s = self.next_due_s()
            wait_s = _IDLE_S if due_s is None else due_s - self._clock.monotonic()
            if wait_s > 0.0 and not self._stop.is_set():
                self._clock.wait(self._wake, wait_s)
        self.close_all()

    def _let_leave(self) -> None:
        with self._lock:
            leaving, self._leaving = self._leaving, []
        for turn in leaving:
            self._close(turn)
            turn.source.leave()


def _interrupt(turn: Turn) -> None:
    """End a look that waits for something; a sensor that is closed meanwhile does not mind."""
    sensor = turn.sensor
    if sensor is not None:
        sensor.interrupt()
