"""Outcomes on their way to the log, when the log takes them late, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from dt.communication.memory import MemoryMessaging
from dt.controller.results import ResultBook, result_of
from dt.utils.clock import ManualClock, SystemClock
from dt.utils.dataclasses import ActionResult, Outcome
from dt.utils.exceptions import MessagingError
from tests.controller.rooms import dose

Eventually = Callable[[Callable[[], object], str], None]


class _Refusing(MemoryMessaging):
    """A log that loses the first records after it has taken them, and says so at the next flush only."""

    def __init__(self, refusals: int) -> None:
        super().__init__()
        self.refusals = refusals
        self._is_lost = threading.Event()

    def publish(self, topic: str, value: Any, **rest: Any) -> None:
        if self.refusals:
            self.refusals -= 1
            self._is_lost.set()
            return
        super().publish(topic, value, **rest)

    def flush(self, timeout_s: float = 10.0) -> None:
        if self._is_lost.is_set():
            self._is_lost.clear()
            raise MessagingError("1 records were refused")
        super().flush(timeout_s)


@pytest.mark.parametrize("refusals", [0, 1])
def test_s13_an_outcome_that_the_log_lost_is_published_again(refusals: int, eventually: Eventually) -> None:
    """It counts as published only after a flush that was about it and said nothing else."""
    log = _Refusing(refusals)
    book = ResultBook(log, SystemClock(), again_after_s=0.01)
    book.start()
    book.add(result_of(dose(ManualClock()), Outcome.DONE, 1.0))

    published: list[str] = []
    eventually(lambda: published.extend(book.take_published()) or published, "it counts as published")

    [record] = log.read_all("dt.actions.results")
    assert ActionResult.from_json(record.value or b"").action_id == "a-1"
    book.stop()
    log.close()
