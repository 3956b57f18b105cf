"""A progress bar on stderr, for terminals and for what takes longer than two seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

_SHOWN_AFTER_S = 2.0
_DRAWN_EVERY_S = 0.1
_WIDTH = 30


class Progress:
    """Called with (done, total); draws itself only on a terminal, and wipes its line at the end."""

    def __init__(
        self, label: str, stream: TextIO | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._label = label
        self._stream = sys.stderr if stream is None else stream
        self._monotonic = monotonic
        self._began = self._last = monotonic()
        self._is_drawn = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._is_drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def __call__(self, done: float, total: float) -> None:
        """Show how far it is; costs nothing between two drawings."""
        share = min(1.0, done / total) if total > 0 else 0.0
        self.draw(lambda elapsed_s: bar(self._label, share, elapsed_s))

    def draw(self, line_of: Callable[[float], str]) -> None:
        """Write a line, made of the seconds so far, when it is time for one."""
        now = self._monotonic()
        if now - self._began < _SHOWN_AFTER_S or now - self._last < _DRAWN_EVERY_S or not self._stream.isatty():
            return
        self._last = now
        self._is_drawn = True
        self._stream.write(f"\r{line_of(now - self._began)}\x1b[K")
        self._stream.flush()


class Amount:
    """Called with the bytes so far, where nobody knows how many there will be; on a terminal alone."""

    def __init__(
        self, label: str, stream: TextIO | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._progress = Progress(label, stream, monotonic)
        self._label = label

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.__exit__(kind, error, trace)

    def __call__(self, done_bytes: int) -> None:
        """Show how much there is."""
        self._progress.draw(lambda elapsed_s: f"{self._label} {done_bytes / 1e6:.1f} MB  {elapsed_s:.0f} s")


def bar(label: str, share: float, elapsed_s: float) -> str:
    """Return one line: label, bar, percent, seconds left.

    >>> bar("sending", 0.5, 10.0)
    'sending [###############...............]  50 %  10 s left'
    """
    filled = round(share * _WIDTH)
    left = f"  {elapsed_s * (1.0 - share) / share:.0f} s left" if share > 0.0 else ""
    return f"{label} [{'#' * filled}{'.' * (_WIDTH - filled)}] {share * 100:3.0f} %{left}"
