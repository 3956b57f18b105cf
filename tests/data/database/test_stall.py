"""A recorder that stands still is told from one that is busy."""

from __future__ import annotations

from dt.data.database.stall import Stall
from dt.utils.clock import ManualClock


def test_many_records_that_do_not_move_are_told(clock: ManualClock) -> None:
    """After half a minute; it is over with the first record that is stored."""
    stall = Stall(clock)
    assert stall.why(5000, 0) is None
    clock.advance(29.0)
    assert stall.why(5100, 0) is None
    clock.advance(2.0)
    assert stall.why(5200, 0) == "5200 records wait and none was stored for 31 s"
    assert stall.why(5200, 1) is None


def test_few_records_and_a_backlog_that_shrinks_are_well(clock: ManualClock) -> None:
    """Also when what shrinks it are dead letters, which are not stored here."""
    few, shrinking = Stall(clock), Stall(clock)
    for lag in range(9000, 1000, -1000):
        assert few.why(99, 0) is None
        assert shrinking.why(lag, 0) is None
        clock.advance(60.0)
