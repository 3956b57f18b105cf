"""The ledger's books: whole rows as they stand in its file, every branch of a charge, limits at equality."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from dt.controller.guard_clock import machine_boot_id
from dt.controller.guard_latch import LATCH_FILE, leave_latch
from dt.controller.guard_types import Denial, Ended, Order, OutputConfig
from dt.controller.ledger import Ledger
from dt.utils.clock import ManualClock

_WALL_S = 1_800_000_000.0
_DAY_S = 86_400.0
_PUMP = OutputConfig(actuator_id="pump", pin=17, plant_id="basil", reservoir="can", flow_ml_s=2.0)
_LAMP = OutputConfig(actuator_id="lamp", pin=18, output_class="light", max_on_s=64_800.0, pause_s=0.0)
_FAN = OutputConfig(actuator_id="fan", pin=19, output_class="fan", max_on_s=86_400.0, pause_s=0.0)


@dataclass(slots=True, kw_only=True)
class Books:
    """A ledger on a clock that stands still, whose kernel says what it is told to."""

    path: Path
    clock: ManualClock
    is_synced: bool = True
    ledger: Ledger | None = None

    def open(self, boot_id: str = "one") -> Ledger:
        """Open the file, as another start of the guard does."""
        if self.ledger is not None:
            self.ledger._db.close()
        self.ledger = Ledger(self.path, self.clock, is_synced=lambda: self.is_synced, boot_id=boot_id)
        return self.ledger

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """Return what stands in the file, as another reader sees it."""
        other = sqlite3.connect(self.path)
        found = other.execute(f"SELECT * FROM {table}").fetchall()
        other.close()
        return found


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    """A ledger in a folder of its own."""
    made = Books(path=tmp_path / "a" / "b" / "ledger.sqlite", clock=ManualClock())
    yield made
    if made.ledger is not None:
        made.ledger._db.close()


def _order(action_id: str = "a", output: OutputConfig = _PUMP, on_s: float = 10.0) -> Order:
    return Order(
        action_id=action_id, actuator_id=output.actuator_id, on_s=on_s, issued_at_s=0.0, start_by_s=1e9, note="{}"
    )


def _end(action_id: str = "a", output: OutputConfig = _PUMP, on_s: float | None = 10.0, **changes: Any) -> Ended:
    ended = Ended(
        action_id=action_id, actuator_id=output.actuator_id, outcome="done", why="its time is over", on_s=on_s,
        clean=on_s is not None, was_on=True,
    )  # fmt: skip
    return replace(ended, **changes)


def _row(**changes: Any) -> dict[str, Any]:
    """The row of a charged dose of 20 ml that runs."""
    row = {
        "action_id": "a", "actuator_id": "pump", "plant_id": "basil", "reservoir": "can", "on_s": 10.0,
        "charged_ml": 20.0, "kept_ml": 20.0, "began_s": 0.0, "ended_s": None, "measured_s": None, "was_on": 1,
        "outcome": None, "why": "", "wall": _WALL_S, "ended_wall": None, "note": "{}", "reported": 0,
    }  # fmt: skip
    return row | changes


# -- its file -------------------------------------------------------------------------------------------------------


def test_s03_a_ledger_begins_in_a_folder_that_it_makes(books: Books) -> None:
    """Private, written ahead, synced at every commit, without transactions that nobody began."""
    ledger = books.open()

    assert books.path.stat().st_mode & 0o777 == 0o600
    begun = books.path.with_name("ledger.begun")
    assert begun.stat().st_mode & 0o777 == 0o600
    assert ledger._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert ledger._db.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert ledger._db.execute("PRAGMA user_version").fetchone()[0] == 1
    assert ledger._db.isolation_level is None
    assert ledger.stopped_by() is None


def test_s03_a_ledger_is_written_by_any_thread(books: Books) -> None:
    """One at a time: the guard opens it in one thread and writes in another."""
    ledger = books.open()
    found: list[Denial | None] = []

    writer = threading.Thread(target=lambda: found.append(ledger.charge(_order(), _PUMP, None, None)))
    writer.start()
    writer.join()

    assert found == [None]


def test_s09_a_lost_ledger_stops_everything(books: Books) -> None:
    """Nobody knows what the plants had; one that is there is opened again as it is."""
    books.open()
    assert books.open().stopped_by() is None
    books.path.unlink()

    assert books.open().stopped_by() == "the guard: its ledger was lost"
    assert books.rows("stops") == [(_WALL_S, "the guard: its ledger was lost", "stop")]


def test_s03_nothing_is_charged_on_a_file_that_is_gone(books: Books) -> None:
    """Or was replaced by another one."""
    ledger = books.open()
    words = f"{books.path} was deleted or replaced while the guard ran; restart the guard"
    moved = books.path.rename(books.path.with_name("moved"))
    for is_replaced in (False, True):
        if is_replaced:
            books.path.touch()

        with pytest.raises(sqlite3.OperationalError) as caught:
            ledger.charge(_order(), _PUMP, None, None)

        assert str(caught.value) == words
    assert ledger.entries() == []
    books.path.unlink()
    moved.rename(books.path)
    assert ledger.charge(_order(), _PUMP, None, None) is None


def test_s12_the_boot_is_the_machine_s_own_unless_it_is_given(books: Books) -> None:
    """Marked with the ledger's time, the clocks, and whether the kernel trusts them."""
    Ledger(books.path, books.clock, is_synced=lambda: False).close()
    assert books.rows("mark") == [(1, 0.0, machine_boot_id(), 1000.0, _WALL_S, 0)]
    books.path.unlink()
    ledger = books.open("one")
    books.clock.advance(5.0)

    ledger.close()

    assert books.rows("mark") == [(1, 5.0, "one", 1005.0, _WALL_S + 5.0, 1)]


def test_s12_the_ledger_s_time_goes_on_where_its_mark_left_it(books: Books) -> None:
    """Within one boot by the monotonic clock, the time between two starts included."""
    books.open().close()
    books.clock.advance(7.0)

    books.open().close()

    assert books.rows("mark") == [(1, 7.0, "one", 1007.0, _WALL_S + 7.0, 1)]


@pytest.mark.parametrize(("was_synced", "ledger_s"), [(True, 1000.0), (False, 30.0)])
def test_s12_a_reboot_counts_by_the_wall_clock_when_the_kernel_trusted_it(
    books: Books, was_synced: bool, ledger_s: float
) -> None:
    """At both ends; else by the new boot's own seconds."""
    books.is_synced = was_synced
    books.open("one").close()
    books.is_synced = True
    books.clock = ManualClock(wall=_WALL_S + 1000.0, monotonic=30.0)

    books.open("two").close()

    assert books.rows("mark") == [(1, ledger_s, "two", 30.0, _WALL_S + 1000.0, 1)]


def test_s12_a_checkpoint_credits_the_time_off_when_the_clock_is_trusted_at_last(books: Books) -> None:
    """Not before."""
    books.open("one").close()
    books.is_synced = False
    books.clock = ManualClock(wall=_WALL_S + 1000.0, monotonic=30.0)
    ledger = books.open("two")
    ledger.checkpoint()
    assert books.rows("mark") == [(1, 30.0, "two", 30.0, _WALL_S + 1000.0, 0)]
    books.is_synced = True

    ledger.checkpoint()

    assert books.rows("mark") == [(1, 1000.0, "two", 30.0, _WALL_S + 1000.0, 1)]


def test_s10_a_disk_that_refuses_the_last_mark_keeps_no_guard_from_ending(books: Books) -> None:
    """The file is closed all the same."""
    ledger = books.open()
    ledger._db.execute("DROP TABLE mark")

    ledger.close()

    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        ledger._db.execute("SELECT 1")


# -- charges --------------------------------------------------------------------------------------------------------


def test_s03_a_charge_writes_the_whole_run_off(books: Books) -> None:
    """On disk when it returns, with the ledger's time marked beside it."""
    ledger = books.open()
    books.clock.advance(3.0)

    assert ledger.charge(_order(), _PUMP, 100.0, 1000.0) is None

    assert ledger.entry("a") == _row(began_s=3.0, wall=_WALL_S + 3.0)
    assert books.rows("entries") == [tuple(_row(began_s=3.0, wall=_WALL_S + 3.0).values())]
    assert books.rows("mark") == [(1, 3.0, "one", 1003.0, _WALL_S + 3.0, 1)]
    assert ledger.entry("b") is None


def test_s03_a_plant_may_have_its_whole_budget_and_no_more(books: Books) -> None:
    """Rounding apart, which is a millionth of a millilitre."""
    ledger = books.open()
    assert ledger.charge(_order("a"), _PUMP, 20.0, None) is None

    assert ledger.charge(_order("b", on_s=5.5), _PUMP, 30.0, None) == Denial(
        invariant="S3", why="basil has had its water of 24 h", value=31.0, limit=30.0, margin=-1.0
    )
    assert [entry["action_id"] for entry in ledger.entries()] == ["a"]
    assert ledger.charge(_order("b", on_s=5.0), _PUMP, 30.0, None) is None


@pytest.mark.parametrize(("lacking_ml", "is_denied"), [(0.0, False), (1e-6, False), (2e-6, True)])
def test_s03_rounding_is_no_water(books: Books, lacking_ml: float, is_denied: bool) -> None:
    """Of a budget, and of a reservoir."""
    ledger = books.open()

    by_budget = ledger.charge(_order("a"), _PUMP, 20.0 - lacking_ml, None)
    by_capacity = ledger.charge(_order("b"), replace(_PUMP, reservoir="pot"), None, 20.0 - lacking_ml)

    assert (by_budget is not None, by_capacity is not None) == (is_denied, is_denied)


def test_s03_a_denial_is_told_to_a_thousandth(books: Books) -> None:
    """Value and margin."""
    ledger = books.open()

    assert ledger.charge(_order(on_s=10.000617), _PUMP, 20.0, None) == Denial(
        invariant="S3", why="basil has had its water of 24 h", value=20.001, limit=20.0, margin=-0.001
    )


def test_s03_a_reservoir_may_give_all_that_it_holds_and_no_more(books: Books) -> None:
    """Whatever plants it waters."""
    ledger = books.open()
    other = replace(_PUMP, actuator_id="other", plant_id="mint")
    assert ledger.charge(_order("a"), _PUMP, 100.0, 20.0) is None

    assert ledger.charge(_order("b", other, on_s=5.5), other, 100.0, 30.0) == Denial(
        invariant="S3", why="reservoir can does not hold as much", value=31.0, limit=30.0, margin=-1.0
    )
    assert ledger.charge(_order("b", other, on_s=5.0), other, 100.0, 30.0) is None


def test_s03_what_has_no_budget_or_reservoir_is_held_by_none(books: Books) -> None:
    """A budget without a plant, and a capacity without a reservoir, are nobody's."""
    ledger = books.open()
    no_plant = replace(_FAN, plant_id=None, reservoir=None)

    assert ledger.charge(_order("a", _PUMP), _PUMP, None, None) is None
    assert ledger.charge(_order("b", no_plant), no_plant, 0.0, 0.0) is None
    assert ledger.charge(_order("c", _PUMP), _PUMP, None, 40.0) is None
    assert ledger.charge(_order("d", _PUMP), _PUMP, 60.0, None) is None


def test_s03_water_counts_for_24_h_from_its_end(books: Books) -> None:
    """At the end of the 24th hour no longer; what runs counts in full."""
    ledger = books.open()
    assert ledger.spent_ml("basil") == 0.0
    ledger.charge(_order("a"), _PUMP, None, None)
    assert (ledger.spent_ml("basil"), ledger.spent_ml("mint")) == (20.0, 0.0)
    books.clock.advance(10.0)
    ledger.settle(_end(), _PUMP)

    books.clock.advance(_DAY_S - 0.5)
    assert ledger.spent_ml("basil") == 20.0
    books.clock.advance(0.5)
    assert ledger.spent_ml("basil") == 0.0


def test_s03_a_refilled_reservoir_is_full(books: Books) -> None:
    """But for what runs; who refilled it is kept, and another reservoir is not touched."""
    ledger = books.open()
    assert ledger.drawn_ml("can") == 0.0
    ledger.charge(_order("a"), _PUMP, None, None)
    ledger.charge(_order("b"), replace(_PUMP, reservoir="pot"), None, None)
    ledger.settle(_end("a"), _PUMP)
    books.clock.advance(1.0)
    ledger.charge(_order("c"), _PUMP, None, None)
    assert ledger.drawn_ml("can") == 40.0

    ledger.refill("can", "anna")

    assert (ledger.drawn_ml("can"), ledger.drawn_ml("pot")) == (20.0, 20.0)
    assert books.rows("refills") == [("can", 1.0, _WALL_S + 1.0, "anna")]


# -- seconds on in 24 h ---------------------------------------------------------------------------------------------


def test_s01_a_lamp_may_be_on_for_its_whole_day_and_no_longer(books: Books) -> None:
    """Ten hours are charged, eight are left; and rounding, a thousandth of a second."""
    ledger = books.open()
    assert ledger.charge(_order("a", _LAMP, 36_000.0), _LAMP, None, None) is None
    books.clock.advance(36_000.0)
    ledger.settle(_end("a", _LAMP, 36_000.0), _LAMP)
    assert ledger.on_left_s(_LAMP) == pytest.approx(28_800.0, abs=1e-6)

    assert ledger.charge(_order("b", _LAMP, 28_800.5), _LAMP, None, None) == Denial(
        invariant="S1", why="lamp would be on for longer than it may in 24 h (s)", value=64_800.5, limit=64_800.0,
        margin=-0.5,
    )  # fmt: skip
    assert ledger.charge(_order("b", _LAMP, 28_800.0011), _LAMP, None, None) is not None
    assert ledger.charge(_order("b", _LAMP, 28_800.0009), _LAMP, None, None) is None


@pytest.mark.parametrize(("on_s", "is_denied"), [(10.0, False), (10.001, False), (10.0011, True)])
def test_s01_rounding_is_no_time(books: Books, on_s: float, is_denied: bool) -> None:
    """A thousandth of a second, exactly."""
    short = replace(_LAMP, max_on_s_per_day=10.0)

    denial = books.open().charge(_order("a", short, on_s), short, None, None)

    assert (denial is not None) is is_denied


def test_s01_a_lamp_s_day_is_any_24_h(books: Books) -> None:
    """A run may follow what leaves the window while it lasts."""
    ledger = books.open()
    ledger.charge(_order("a", _LAMP, 36_000.0), _LAMP, None, None)
    books.clock.advance(36_000.0)
    ledger.settle(_end("a", _LAMP, 36_000.0), _LAMP)
    books.clock.advance(21_599.0)
    assert ledger.charge(_order("b", _LAMP, 28_801.0), _LAMP, None, None) is not None
    assert ledger.on_left_s(_LAMP) == pytest.approx(28_800.0, abs=1e-6)
    books.clock.advance(1.0)

    assert ledger.on_left_s(_LAMP) == 64_800.0
    assert ledger.charge(_order("b", _LAMP, 64_800.0), _LAMP, None, None) is None


def test_s01_a_run_that_nobody_measured_counts_as_ordered_and_until_now(books: Books) -> None:
    """Also while it lasts; a day after its end it counts no longer."""
    ledger = books.open()
    ledger.charge(_order("a", _LAMP, 36_000.0), _LAMP, None, None)
    books.clock.advance(36_000.0)
    assert ledger._on_intervals(_LAMP) == [(0.0, 36_000.0)]
    ledger.settle(_end("a", _LAMP, None, outcome="failed"), _LAMP)
    assert ledger._on_intervals(_LAMP) == [(0.0, 36_000.0)]
    assert ledger._on_intervals(_FAN) == []

    books.clock.advance(_DAY_S - 0.5)
    assert ledger._on_intervals(_LAMP) == [(0.0, 36_000.0)]
    books.clock.advance(0.5)
    assert ledger._on_intervals(_LAMP) == []


def test_s01_an_output_that_may_be_on_all_day_is_not_counted(books: Books) -> None:
    """Also where its books say more than a day: a crash closes runs at its own time."""
    ledger = books.open()
    for name in ("a", "b", "c"):
        assert ledger.charge(_order(name, _FAN, 50_000.0), _FAN, None, None) is None

    assert ledger.on_left_s(_FAN) == _DAY_S


# -- ends -----------------------------------------------------------------------------------------------------------


def test_s03_an_end_is_written_down_once(books: Books) -> None:
    """With the time that was measured; a second end changes nothing."""
    ledger = books.open()
    ledger.charge(_order(), _PUMP, None, None)
    books.clock.advance(4.0)
    expected = _row(kept_ml=8.0, ended_s=4.0, measured_s=4.0, outcome="stopped", why="asked", ended_wall=_WALL_S + 4.0)

    assert ledger.settle(_end(on_s=4.0, outcome="stopped", why="asked"), _PUMP) == expected

    assert books.rows("mark") == [(1, 4.0, "one", 1004.0, _WALL_S + 4.0, 1)]
    books.clock.advance(1.0)
    assert ledger.settle(_end(on_s=1.0), _PUMP) == expected
    assert ledger.settle(_end("unknown"), _PUMP) == {}


@pytest.mark.parametrize(
    ("ordered_s", "ended", "kept_ml"),
    [
        (10.0, {"on_s": 10.0}, 20.0),
        (10.0, {"on_s": 10.0625}, 20.0),
        (10.0, {"on_s": 10.125}, 20.25),
        (10.0, {"on_s": 9.96875}, 19.9375),
        (1.25, {"on_s": 1.3125}, 2.5),
        (1.25, {"on_s": 1.328125}, 2.65625),
        (1.25, {"on_s": 1.0}, 2.0),
        (10.0, {"on_s": 0.0, "was_on": False, "outcome": "expired"}, 0.0),
        (10.0, {"on_s": None, "outcome": "failed"}, 20.0),
        (10.0, {"on_s": None, "clean": True}, 20.0),
        (10.0, {"on_s": 4.0, "clean": False}, 20.0),
    ],
)
def test_s03_only_a_measured_clean_end_pays_back(
    books: Books, ordered_s: float, ended: dict[str, Any], kept_ml: float
) -> None:
    """One that is late by no more than a twentieth or 0.1 s costs what was ordered, a later one what was measured."""
    ledger = books.open()
    ledger.charge(_order(on_s=ordered_s), _PUMP, None, None)

    row = ledger.settle(_end(**ended), _PUMP)

    assert (row["kept_ml"], row["charged_ml"]) == (kept_ml, 2 * ordered_s)
    assert (row["was_on"], row["measured_s"]) == (int(ended.get("was_on", True)), ended["on_s"])
    assert ledger.spent_ml("basil") == kept_ml


@pytest.mark.parametrize(("on_s", "kept_ml"), [(10.0, 30.0), (9.5, 19.0), (10.5, 21.0)])
def test_s03_a_dose_that_ended_on_time_costs_what_was_charged(books: Books, on_s: float, kept_ml: float) -> None:
    """Also where a person has measured another flow meanwhile."""
    ledger = books.open()
    ledger.charge(_order(), replace(_PUMP, flow_ml_s=3.0), None, None)

    assert ledger.settle(_end(on_s=on_s), _PUMP)["kept_ml"] == kept_ml


def test_s13_a_refusal_is_written_down_and_its_action_never_runs(books: Books) -> None:
    """With the plant where the output is known; what is known already stays as it is."""
    ledger = books.open()
    books.clock.advance(2.0)
    at = {"began_s": 2.0, "ended_s": 2.0, "wall": _WALL_S + 2.0, "ended_wall": _WALL_S + 2.0}
    refused = _row(
        reservoir=None, charged_ml=0.0, kept_ml=0.0, measured_s=0.0, was_on=0, outcome="refused", why="S1", **at
    )

    assert ledger.refuse(_order(), _PUMP, "refused", "S1") == refused
    assert ledger.refuse(_order(), None, "expired", "S10") == refused
    assert ledger.refuse(_order("b"), None, "expired", "S10") == refused | {
        "action_id": "b", "plant_id": None, "outcome": "expired", "why": "S10",
    }  # fmt: skip
    assert ledger.ended_ago_s() == {}


def test_s10_a_crash_is_charged_in_full_and_ended_at_the_next_start(books: Books) -> None:
    """What had ended before stays as it was."""
    ledger = books.open()
    ledger.charge(_order("a"), _PUMP, None, None)
    ledger.settle(_end("a", on_s=4.0), _PUMP)
    ledger.charge(_order("b"), _PUMP, None, None)
    before = ledger.entry("a")
    books.clock.advance(60.0)

    again = books.open()

    assert again.entry("a") == before
    assert again.entry("b") == _row(
        action_id="b", ended_s=60.0, ended_wall=_WALL_S + 60.0, outcome="failed", why="S10: the guard died while it ran"
    )
    assert books.rows("mark") == [(1, 60.0, "one", 1060.0, _WALL_S + 60.0, 1)]


@pytest.mark.parametrize(("boot_id", "on_s"), [("one", 50.0), ("two", 30.0 + 120.0)])
def test_s01_a_crashed_lamp_was_on_until_the_next_start_at_the_latest(books: Books, boot_id: str, on_s: float) -> None:
    """By the ledger's time; another boot does not know what passed after the last checkpoint, and adds two of them."""
    books.is_synced = False
    books.clock = ManualClock(monotonic=1000.0)
    ledger = books.open()
    ledger.charge(_order("a", _LAMP, 40_000.0), _LAMP, None, None)
    books.clock.advance(50.0)
    if boot_id == "two":
        books.clock = ManualClock(monotonic=30.0)

    again = books.open(boot_id)

    entry = again.entry("a") or {}
    assert (entry["outcome"], entry["measured_s"], entry["kept_ml"]) == ("failed", on_s, 0.0)
    assert again.on_left_s(_LAMP) == pytest.approx(64_800.0 - on_s)


def test_s02_the_last_end_of_each_output_is_known(books: Books) -> None:
    """Of what was on; what runs has not ended."""
    ledger = books.open()
    ledger.charge(_order("a"), _PUMP, None, None)
    assert ledger.ended_ago_s() == {}
    ledger.settle(_end("a"), _PUMP)
    books.clock.advance(3.0)
    ledger.charge(_order("b"), _PUMP, None, None)
    ledger.settle(_end("b"), _PUMP)
    ledger.charge(_order("c", _FAN), _FAN, None, None)
    ledger.settle(_end("c", _FAN), _FAN)
    ledger.charge(_order("d"), _PUMP, None, None)
    books.clock.advance(4.0)
    ledger.settle(_end("d", on_s=0.0, was_on=False), _PUMP)

    assert ledger.ended_ago_s() == {"pump": 4.0, "fan": 4.0}


# -- what is told, kept and forgotten -------------------------------------------------------------------------------


def test_s13_what_ended_is_told_until_it_is_marked(books: Books) -> None:
    """Oldest end first; what runs is not told."""
    ledger = books.open()
    for name in ("a", "b", "c", "d"):
        ledger.charge(_order(name), _PUMP, None, None)
    for name in ("b", "a", "c"):
        books.clock.advance(1.0)
        ledger.settle(_end(name), _PUMP)
    assert [entry["action_id"] for entry in ledger.unreported()] == ["b", "a", "c"]

    ledger.mark_reported(["a", "c", "unknown"])

    assert ledger.unreported() == [ledger.entry("b")]
    assert (ledger.entry("a") or {})["reported"] == 1


def test_the_latest_entries_are_told_newest_first(books: Books) -> None:
    """Two hundred, unless another number is asked for."""
    ledger = books.open()
    ledger._db.execute("BEGIN")
    for number in range(201):
        ledger._db.execute(
            "INSERT INTO entries (action_id, actuator_id, on_s, charged_ml, kept_ml, began_s, wall)"
            " VALUES (?, 'pump', 0, 0, 0, 0, 0)",
            (f"a-{number}",),
        )
    ledger._db.execute("COMMIT")

    assert [entry["action_id"] for entry in ledger.entries(2)] == ["a-200", "a-199"]
    assert ledger.entries(1) == [ledger.entry("a-200")]
    assert len(ledger.entries()) == 200


def test_s09_a_stop_left_in_a_file_is_the_ledgers_own_from_its_next_start_on(books: Books) -> None:
    """The file goes; one that comes later goes with the release."""
    books.open()
    folder = books.path.parent
    leave_latch(folder, "anna")

    assert books.open().stopped_by() == "anna"
    assert not (folder / LATCH_FILE).exists()
    assert books.open().stopped_by() == "anna"
    leave_latch(folder, "")
    ledger = books.open()
    assert books.rows("stops") == [(_WALL_S, "anna", "stop"), (_WALL_S, "somebody, while no guard answered", "stop")]
    leave_latch(folder, "bert")
    ledger.release_stop("anna")
    assert books.open().stopped_by() is None


def test_s09_a_left_stop_that_cannot_be_removed_is_not_released(books: Books) -> None:
    """The next start would take it again, and nobody would know why."""
    ledger = books.open()
    ledger.latch_stop("anna")
    (books.path.parent / LATCH_FILE).mkdir()

    with pytest.raises(sqlite3.OperationalError, match="cannot be removed"):
        ledger.release_stop("bert")

    assert ledger.stopped_by() == "anna"
    assert books.open().stopped_by() == "somebody, while no guard answered"


def test_s09_a_latched_stop_holds_until_it_is_released(books: Books) -> None:
    """Over restarts; every press and release is kept with its time."""
    books.open().latch_stop("bert")
    books.clock.advance(1.0)
    ledger = books.open()
    assert ledger.stopped_by() == "bert"

    ledger.release_stop("anna")

    assert ledger.stopped_by() is None
    assert books.open().stopped_by() is None
    assert books.rows("stops") == [(_WALL_S, "bert", "stop"), (_WALL_S + 1.0, "anna", "release")]


def test_s03_the_latest_flow_of_each_pump_is_kept(books: Books) -> None:
    """With who measured it and when."""
    ledger = books.open()
    assert ledger.flows() == {}

    ledger.set_flow("pump", 3.0, "anna")
    ledger.set_flow("other", 1.0, "anna")
    ledger.set_flow("pump", 2.5, "bert")

    assert ledger.flows() == {"pump": 2.5, "other": 1.0}
    assert sorted(books.rows("flows")) == [("other", 1.0, "anna", _WALL_S), ("pump", 2.5, "bert", _WALL_S)]


def test_s03_a_restored_ledger_is_charged_with_all_that_may_have_been_given(books: Books) -> None:
    """Plants and reservoirs apart, reported already, resting nobody; and everything is stopped."""
    ledger = books.open()
    books.clock.advance(2.5)
    wall = _WALL_S + 2.5

    ledger.distrust({"basil": 150.0, "mint": 90.0}, {"can": 800.0})

    common = {
        "actuator_id": "backup", "on_s": 0.0, "began_s": 2.5, "ended_s": 2.5, "measured_s": 0.0, "was_on": 0,
        "outcome": "completed", "why": "restored from a backup", "wall": wall, "ended_wall": wall, "note": "",
        "reported": 1,
    }  # fmt: skip
    assert list(reversed(ledger.entries())) == [
        _row(**common, action_id=f"restored-{wall:.3f}-{n}", plant_id=plant, reservoir=can, charged_ml=ml, kept_ml=ml)
        for n, (plant, can, ml) in enumerate([("basil", None, 150.0), ("mint", None, 90.0), (None, "can", 800.0)])
    ]
    assert (ledger.spent_ml("basil"), ledger.drawn_ml("can")) == (150.0, 800.0)
    assert ledger.stopped_by() == "dt restore: what was given since the backup is not known"
    assert books.rows("mark") == [(1, 2.5, "one", 1002.5, wall, 1)]
    assert ledger.ended_ago_s() == {}


def test_s03_what_is_older_than_90_days_is_forgotten_once_it_is_told(books: Books) -> None:
    """But for what a reservoir gave, which counts until it is refilled; to the instant."""
    ledger = books.open()
    for name, output in (("told", _FAN), ("untold", _FAN), ("water", _PUMP)):
        ledger.charge(_order(name, output, 1.0), output, None, None)
        ledger.settle(_end(name, output, 1.0), output)
    ledger.mark_reported(["told", "water"])
    books.clock.advance(90 * _DAY_S)
    ledger.checkpoint()
    assert ledger.entry("told") is not None

    books.clock.advance(0.5)
    ledger.checkpoint()

    assert [entry["action_id"] for entry in ledger.entries()] == ["water", "untold"]
