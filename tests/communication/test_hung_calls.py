"""Calls that never come back cost a bounded number of threads."""

from __future__ import annotations

import threading

import pytest
from kafka.errors import KafkaTimeoutError

from dt.communication.hung_calls import HungCalls


def test_what_a_call_raises_is_raised() -> None:
    """And one that returns leaves nothing behind."""
    calls = HungCalls()
    done: list[int] = []

    calls.within(5.0, lambda: done.append(1))
    with pytest.raises(ZeroDivisionError):
        calls.within(5.0, lambda: 1 / 0)

    assert (done, calls.count) == ([1], 0)


def test_too_many_hung_calls_end_the_process() -> None:
    """A broker that crashes every night must not fill the memory; one that answers late counts no more."""
    ends: list[int] = []
    answer = threading.Event()
    calls = HungCalls(most=3, end=lambda: ends.append(calls.count))
    for expected in ([], [], [3]):
        with pytest.raises(KafkaTimeoutError, match="coordinator"):
            calls.within(0.01, lambda: answer.wait(30.0))
        assert ends == expected

    answer.set()
    for thread in threading.enumerate():
        if thread.name == "kafka offsets":
            thread.join(5.0)
    assert calls.count == 0
