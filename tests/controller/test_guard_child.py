"""The heartbeat between a guard and the parent that outlives it."""

from __future__ import annotations

import os
import threading

from dt.controller.guard_child import BEAT, STOPPED_BEAT, _Pulse
from tests.controller.guard_box import wait_until


def test_a_wait_ends_with_a_heartbeat_that_began_after_it() -> None:
    """One that was under way may have looked too early."""
    out, into = os.pipe()
    pulse = _Pulse(beat_fd=into)
    told: list[bool] = []
    waiter = threading.Thread(target=lambda: told.append(pulse.wait_until_told(10.0)))

    def looks_while_the_wait_begins() -> bool:
        waiter.start()
        wait_until(lambda: pulse._changed._waiters)  # type: ignore[attr-defined]
        return False

    pulse.beat(looks_while_the_wait_begins)
    assert told == []
    assert waiter.is_alive()
    pulse.beat(lambda: True)
    waiter.join(10.0)

    assert told == [True]
    assert os.read(out, 100) == BEAT + STOPPED_BEAT
    os.close(out)
    os.close(into)


def test_a_heartbeat_that_the_pipe_does_not_take_tells_nobody() -> None:
    """A parent that hangs reads nothing."""
    out, into = os.pipe()
    os.set_blocking(into, False)
    os.write(into, b"." * 2**21)  # as much of it as goes in
    pulse = _Pulse(beat_fd=into)
    ends = threading.Event()

    def beat_on() -> None:
        while not ends.wait(0.01):
            pulse.beat(lambda: True)

    beats = threading.Thread(target=beat_on)
    beats.start()
    try:
        assert not pulse.wait_until_told(0.1)
        os.read(out, 2**21)
        assert pulse.wait_until_told(10.0)
    finally:
        ends.set()
        beats.join()
        os.close(out)
        os.close(into)
