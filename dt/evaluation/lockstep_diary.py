"""What a lockstep run says on the log: alerts as they step, and the outcome of every command."""

from __future__ import annotations

from collections.abc import Sequence

from dt.communication.messaging import Record
from dt.communication.topics import Topics
from dt.evaluation.lockstep import Lockstep
from dt.utils.dataclasses import ActionResult, AlertEvent


class Diary:
    """Hears alerts and results, each with the true time at which it was heard."""

    def __init__(self, run: Lockstep) -> None:
        self._run = run
        self.alerts: list[tuple[float, AlertEvent]] = []
        self._results: dict[str, tuple[float, ActionResult]] = {}
        run.messaging.subscribe([Topics.ALERTS], "diary_alerts", self._hear_alerts)
        run.messaging.subscribe([Topics.ACTION_RESULTS], "diary_results", self._hear_results)

    def _hear_alerts(self, records: Sequence[Record]) -> None:
        self.alerts += [(self._run.now_s, AlertEvent.from_json(record.value or b"")) for record in records]

    @property
    def results(self) -> list[tuple[float, ActionResult]]:
        """Return every outcome with when it was first heard; one that was published again, as it was last."""
        return list(self._results.values())

    def _hear_results(self, records: Sequence[Record]) -> None:
        for record in records:
            result = ActionResult.from_json(record.value or b"")
            first = self._results.get(result.action_id)
            self._results[result.action_id] = (self._run.now_s if first is None else first[0], result)
