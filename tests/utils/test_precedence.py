"""Who works in batches gives way to questions, and still gets its share."""

from __future__ import annotations

import threading
import time

from dt.utils.precedence import Precedence


def work(seconds: float) -> float:
    """Be busy, and return for how long."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        pass
    return time.monotonic() - began


def test_batches_go_on_as_soon_as_the_answer_is_given() -> None:
    """They wait for it while it is young."""
    precedence = Precedence(young_s=60.0)
    precedence.begin("question")
    work(0.1)  # earns a wait of three times as long
    gone_on = threading.Event()

    def batch() -> None:
        precedence.give_way()
        gone_on.set()

    worker = threading.Thread(target=batch)
    worker.start()
    assert not gone_on.wait(0.02)
    precedence.end("question")

    assert gone_on.wait(5.0)
    worker.join()


def test_batches_get_a_quarter_of_the_time_however_many_ask() -> None:
    """A question without end does not stop recording."""
    precedence = Precedence(young_s=60.0)
    precedence.begin("question")
    began = time.monotonic()
    worked = 0.0
    for _piece in range(20):
        worked += work(0.002)
        precedence.give_way()

    assert worked > 0.1 * (time.monotonic() - began)


def test_a_long_answer_holds_nobody_up() -> None:
    """An export takes minutes: once a question that came after it is answered, nobody is waited for."""
    precedence = Precedence(young_s=0.001)
    precedence.begin("export")
    work(0.002)
    precedence.begin("question")
    assert precedence.is_asked

    precedence.end("question")

    assert not precedence.is_asked
