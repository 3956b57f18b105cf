"""Counts wrong passwords and tokens, so that guessing takes too long."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque

from dt.utils.clock import Clock

GUESSES = 5  # wrong ones from one address in GUESSES_WINDOW_S
ALL_GUESSES = 50  # and from everywhere
GUESSES_WINDOW_S = 300.0
_MAX_ADDRESSES = 1000


class Guesses:
    """Wrong tries over a sliding window, per address and in all; a thousand addresses at most are remembered.

    Without a limit for everywhere (None) no crowd can lock out the rest: for what cannot be guessed anyway.
    """

    def __init__(self, clock: Clock, own: int = GUESSES, everywhere: int | None = ALL_GUESSES) -> None:
        self._clock = clock
        self._own = own
        self._everywhere = everywhere
        self._by_address: OrderedDict[str, deque[float]] = OrderedDict()
        self._all: deque[float] = deque(maxlen=everywhere or 1)
        self._lock = threading.Lock()

    def wait_s(self, address: str) -> float:
        """Return how long the address has to wait before its next try; 0 when it may try now."""
        now = self._clock.monotonic()
        with self._lock:
            own = _left(self._by_address.get(address, deque()), self._own, now)
            return own if self._everywhere is None else max(own, _left(self._all, self._everywhere, now))

    def wrong(self, address: str) -> None:
        """Count one wrong try."""
        now = self._clock.monotonic()
        with self._lock:
            self._all.append(now)
            self._by_address.setdefault(address, deque(maxlen=self._own)).append(now)
            self._by_address.move_to_end(address)
            if len(self._by_address) > _MAX_ADDRESSES:
                self._by_address.popitem(last=False)

    def right(self, address: str) -> None:
        """Forget an address's wrong tries."""
        with self._lock:
            self._by_address.pop(address, None)


def _left(times: deque[float], limit: int, now: float) -> float:
    while times and times[0] + GUESSES_WINDOW_S <= now:
        times.popleft()
    return times[0] + GUESSES_WINDOW_S - now if len(times) >= limit else 0.0
