"""The progress bar: only on a terminal, only after two seconds, gone at the end."""

from __future__ import annotations

import io

from dt.cli.progress import Progress
from dt.utils.clock import ManualClock


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_nothing_is_drawn_in_the_first_two_seconds() -> None:
    """What is quick needs no bar."""
    stream, clock = Terminal(), ManualClock()

    with Progress("sending", stream, clock.monotonic) as progress:
        clock.advance(1.9)
        progress(1, 2)

    assert stream.getvalue() == ""


def test_a_long_task_shows_share_and_time_left_and_wipes_its_line() -> None:
    """A bar, a percentage, seconds."""
    stream, clock = Terminal(), ManualClock()

    with Progress("sending", stream, clock.monotonic) as progress:
        clock.advance(5.0)
        progress(1, 2)

    assert "sending [" in stream.getvalue()
    assert "50 %  5 s left" in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_nothing_is_drawn_into_a_file() -> None:
    """Logs of CI stay readable."""
    stream, clock = io.StringIO(), ManualClock()

    with Progress("sending", stream, clock.monotonic) as progress:
        clock.advance(5.0)
        progress(1, 2)

    assert stream.getvalue() == ""
