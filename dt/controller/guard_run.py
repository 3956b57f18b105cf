"""One run of one output, and what is said of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dt.controller.guard_types import Denial, Ended, Order, OutputConfig, denial


@dataclass(slots=True, kw_only=True)
class Run:
    """From an order that may start to its end: the level that is wished, and the one that the pin was driven to."""

    order: Order
    level: float
    driven: float = 0.0
    started_at_s: float | None = None
    stop_why: str | None = None

    @property
    def most(self) -> float:
        """Return the most that the pin may be at until the next tick."""
        return max(self.level, self.driven)

    def ends_at_s(self, output: OutputConfig | None) -> float:
        """Return when a run that has started is over (monotonic): as ordered, at the output's longest at last."""
        longest_s = 0.0 if output is None else output.max_on_s
        return (self.started_at_s or 0.0) + min(self.order.on_s, longest_s)

    def ended(self, outcome: str, why: str, on_s: float | None) -> Ended:
        """Return how it ended; `on_s` is None where nobody could measure it."""
        return Ended(
            action_id=self.order.action_id,
            actuator_id=self.order.actuator_id,
            outcome=outcome,
            why=why,
            on_s=on_s,
            clean=on_s is not None,
            was_on=self.started_at_s is not None,
        )


def why_pause(output: OutputConfig, off_for_s: float) -> Denial | None:
    """Return why an output that is off for so long has to wait (S2), or None."""
    if off_for_s >= output.pause_s:
        return None
    margin = off_for_s - output.pause_s
    return Denial(invariant="S2", why="the pause is not over", value=off_for_s, limit=output.pause_s, margin=margin)


def why_on_time(order: Order, output: OutputConfig) -> Denial | None:
    """Return why an order is no time for this output (S1), or None."""
    if 0 < order.on_s <= output.max_on_s:
        return None
    return denial("S1", "longer than the output may be on", order.on_s, output.max_on_s)


def state_of(
    output: OutputConfig, run: Run | None, now: float, off_for_s: float, *, is_unsafe: bool
) -> dict[str, object]:
    """Return what is said of an output: on, level, action, seconds on and of pause left."""
    is_on = run is not None and run.started_at_s is not None
    return {
        "desired": run is not None,
        "level": run.level if run is not None else 0.0,
        "on": is_on or is_unsafe,
        "action_id": run.order.action_id if run is not None else None,
        "on_s": round(now - (run.started_at_s or now), 3) if run is not None and is_on else 0.0,
        "off_for_s": None if math.isinf(off_for_s) else round(off_for_s, 3),
        "pause_left_s": max(0.0, round(output.pause_s - off_for_s, 3)) if off_for_s < output.pause_s else 0.0,
        "max_on_s": output.max_on_s,
        "pause_s": output.pause_s,
    }
