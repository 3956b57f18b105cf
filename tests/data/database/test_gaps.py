"""Gaps to the reading: within a boot by sequence numbers, between two by the cadence, told why by notices."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dt.communication.database_api import DatabaseApiClient
from dt.data.database.gap_records import Gaps
from dt.data.database.gaps import GapQuery, GapReport
from dt.data.database.records import Records
from dt.data.database.records_db import RecordsDB
from dt.data.database.registry_records import RegistryRecords
from dt.data.database.sql_storage import SQLStorage
from dt.data.database.sqlite_file import SQLiteFile
from dt.utils.dataclasses import CameraFrame, GapCause, GapNotice, SensorData
from dt.utils.exceptions import MessageError, RefusedRequestError
from tests.data.readings import NOW, make_descriptor, make_reading

STEP_S = 5.0
_names = itertools.count()
T0 = NOW - 10_000.0


class Desk:
    """A store with one sensor at 5 s, and what is asked of it."""

    def __init__(self, file: SQLiteFile, db: RecordsDB) -> None:
        self.storage = SQLStorage(file)
        self.records = Records(db)
        self.registry = RegistryRecords(db)
        self.registry.bind(make_descriptor(), NOW)
        self.gaps = Gaps(db, self.storage)

    def take(self, numbers: Sequence[int], *, boot: str = "a", start: float = T0, **more: object) -> None:
        """Keep the readings of these slots of a boot that began at `start`."""
        self.storage.insert([reading(number, boot, start, **more) for number in numbers])

    def notice(self, boot: str, first: int | None, last: int | None, why: str, **more: object) -> None:
        """Keep a gap notice."""
        given = {"since": T0, "until": NOW, "cause": "sensor", "count": 1, "timestamp": NOW, **more}
        fields = {"sensor_id": "air-t", "zone_id": "box", "boot_id": boot, "why": why, **given}
        self.records.keep([GapNotice.from_dict({**fields, "first_sequence": first, "last_sequence": last})])

    def step(self, boot: str, first: int, at: float, step_s: float) -> None:
        """Keep the notice of another cadence."""
        self.notice(boot, first, first, "", since=at, until=at, count=0, cause="cadence", step_s=step_s)

    def report(self, since: float = T0, until: float = NOW, now: float | None = None) -> GapReport:
        """Ask; `now` is by default just after the newest reading."""
        newest = self.storage.last_seen().get("air-t")
        at = newest.timestamp + 1.0 if newest is not None else NOW
        query = GapQuery(sensor_id="air-t", since=since, until=until)
        return self.gaps.report(query, at if now is None else now)


def reading(number: int, boot: str, start: float, **more: object) -> SensorData:
    """Return the reading of a slot."""
    return make_reading(timestamp=start + number * STEP_S, boot_id=boot, sequence=number, **more)


@pytest.fixture
def desk(file: SQLiteFile, db: RecordsDB) -> Desk:
    """Return a store with one sensor."""
    return Desk(file, db)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Return a store for many sensors."""
    folder = tmp_path_factory.mktemp("gaps")
    with closing(SQLiteFile(folder / "store.db")) as file, closing(RecordsDB(f"sqlite:///{folder}/records.db")) as db:
        yield Desk(file, db)


def spans(report: GapReport) -> list[tuple[float, float, int, str]]:
    """Return the intervals, in slots since T0."""
    return [((i.since - T0) / STEP_S, (i.until - T0) / STEP_S, i.lost, i.why) for i in report.intervals]


def test_a_hole_within_a_boot_is_counted_by_its_numbers(desk: Desk) -> None:
    """Three slots without a reading, told why by the notice that covers them."""
    desk.take([0, 1, 2, 6, 7])
    desk.notice("a", 3, 5, "no answer")

    report = desk.report()

    assert (report.expected, report.received, report.lost, report.late) == (8, 5, 3, 0)
    assert spans(report) == [(3.0, 6.0, 3, "no answer")]


def test_a_hole_with_several_reasons_is_told_in_parts(desk: Desk) -> None:
    """What the outbox dropped is not blamed on the sensor; what nobody spoke of is said to be so."""
    desk.take([0, 9])
    desk.notice("a", 1, 3, "no answer")
    desk.notice("a", 5, 7, "the outbox was full", cause="outbox_full")

    assert spans(desk.report()) == [
        (1.0, 4.0, 3, "no answer"),
        (4.0, 5.0, 1, "nobody said why"),
        (5.0, 8.0, 3, "the outbox was full"),
        (8.0, 9.0, 1, "nobody said why"),
    ]


def test_a_growing_gap_replaces_its_own_notice(desk: Desk) -> None:
    """While it lasts it is told again and again, and counts once."""
    desk.take([0, 20])
    desk.notice("a", 1, 5, "no answer", until=T0 + 30)
    desk.notice("a", 1, 19, "still no answer", until=T0 + 100)
    desk.notice("a", 1, 5, "no answer", until=T0 + 30)

    assert spans(desk.report()) == [(1.0, 20.0, 19, "still no answer")]


def test_between_two_boots_the_cadence_says_how_many_were_due(desk: Desk) -> None:
    """The old boot's slots go on until the new boot's first one; that one's own early misses are counted too."""
    desk.take([0, 1, 2])
    desk.take([2, 3], boot="b", start=T0 + 37.0)
    desk.notice("b", None, None, "the collector was killed", cause="killed", since=T0 + 10, until=T0 + 37)

    report = desk.report()

    # Due at 15, 20, 25, 30 and 35 s by the old boot, and the new boot's slots 0 and 1.
    assert (report.received, report.lost) == (5, 7)
    assert [(i.lost, i.why) for i in report.intervals] == [(5, "the collector was killed"), (2, "nobody said why")]


def test_a_quick_restart_loses_nothing(desk: Desk) -> None:
    """A boot that begins when the next reading was due, or a moment later, misses none."""
    desk.take([0, 1, 2])
    desk.take([0, 1], boot="b", start=T0 + 15.3)

    assert desk.report().lost == 0


def test_late_looks_within_their_slots_do_not_move_the_grid(desk: Desk) -> None:
    """A reading that was taken after retries is still its slot's: the earliest show where slots begin."""
    times = {0: 0.0, 1: 5.0, 2: 12.5, 3: 15.0, 4: 23.9}
    desk.storage.insert([make_reading(timestamp=T0 + at, boot_id="a", sequence=number) for number, at in times.items()])
    desk.take([0], boot="b", start=T0 + 40.0)

    assert desk.report().lost == 3  # 25, 30, 35


def test_a_changed_cadence_keeps_its_own_measure(desk: Desk) -> None:
    """Boots with other cadences are measured by theirs; the registry remembers each that there was."""
    desk.registry.patch("air-t", {"read_interval": 60.0}, NOW)
    desk.take(range(20))
    start = T0 + 20 * STEP_S + 50.0
    desk.storage.insert(
        [make_reading(timestamp=start + 60.0 * number, boot_id="b", sequence=number) for number in (0, 1, 4)]
    )

    report = desk.report()

    assert [i.lost for i in report.intervals] == [10, 2]


@pytest.mark.parametrize("after", [1, 10, 60, 600])
def test_a_slower_cadence_within_a_boot_loses_nothing(desk: Desk, after: int) -> None:
    """Numbers go on without a break: the notice alone tells where they are further apart; asked 50 s after the last."""
    desk.step("a", 2000, T0 + 2000.0, 60.0)
    first = [make_reading(timestamp=T0 + n, boot_id="a", sequence=n) for n in range(2000)]
    then = [make_reading(timestamp=T0 + 2000 + 60 * n, boot_id="a", sequence=2000 + n) for n in range(after)]
    desk.storage.insert(first + then)
    last = then[-1].timestamp

    report = desk.report(until=last + 100.0, now=last + 50.0)

    assert (report.expected, report.received, report.lost) == (2000 + after, 2000 + after, 0)


def test_a_faster_cadence_within_a_boot_is_due_at_its_own_step(desk: Desk) -> None:
    """A sensor that dies after the change misses one a second, not one a minute."""
    change = T0 + 100 * 60.0
    desk.step("a", 100, change, 1.0)
    slow = [make_reading(timestamp=T0 + 60 * n, boot_id="a", sequence=n) for n in range(100)]
    desk.storage.insert(slow + [make_reading(timestamp=change + n, boot_id="a", sequence=100 + n) for n in range(50)])

    report = desk.report(until=NOW + 9000.0, now=change + 49.0 + 3600.0)

    assert (report.received, report.lost) == (150, 3600 - 6)


def test_a_cadence_that_changes_while_the_sensor_is_silent_splits_the_hole(desk: Desk) -> None:
    """Six slots of 5 s, then five of 60 s; and the same when nothing comes after it."""
    desk.take(range(10))
    change = T0 + 16 * STEP_S
    desk.step("a", 16, change, 60.0)

    assert [(i.lost, i.since) for i in desk.report(now=change + 5 * 60.0 + 5.0).intervals] == [
        (6, T0 + 50.0),
        (5, change),
    ]
    desk.storage.insert([make_reading(timestamp=change + 5 * 60.0, boot_id="a", sequence=21)])
    assert [(i.lost, i.since) for i in desk.report().intervals] == [(6, T0 + 50.0), (5, change)]


def test_a_sensor_that_never_gave_a_reading_has_lost_them_all(desk: Desk) -> None:
    """Since it was bound; the notices say why for the slots that they name."""
    silent = desk.report(since=NOW - 10.0, until=NOW + 1000.0, now=NOW + 105.0)
    assert (silent.expected, silent.received, silent.lost) == (20, 0, 20)
    assert silent.intervals[0].why == "no reading has ever come"

    desk.notice("a", 0, 9, "unplugged", since=NOW + 20.0, until=NOW + 70.0)
    told = desk.report(since=NOW - 10.0, until=NOW + 1000.0, now=NOW + 105.0)
    assert sorted((i.lost, i.why) for i in told.intervals) == [
        (4, "no reading has ever come"),
        (6, "no reading has ever come"),
        (10, "unplugged"),
    ]


def test_one_number_under_two_times_is_counted_once(desk: Desk) -> None:
    """What stands twice is no second reading, and the runs around it are one again."""
    desk.take(range(2000))
    desk.storage.insert([make_reading(timestamp=T0 + 1000 * STEP_S + 0.5, boot_id="a", sequence=990)])

    runs = desk.storage.runs("air-t", T0, NOW)

    assert [(run.first_sequence, run.last_sequence) for run in runs] == [(0, 1999)]
    assert desk.report().lost == 0


def test_a_range_of_too_many_breaks_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: the limit is named."""
    monkeypatch.setattr("dt.data.database.reading_runs.MOST_RUNS", 50)
    desk.take(range(0, 200, 2))

    with pytest.raises(MessageError, match="more than 50 runs"):
        desk.report()


def test_what_is_not_yet_due_is_not_lost(desk: Desk) -> None:
    """The running slot may still get its reading, and the one before may be on its way."""
    desk.take([0, 1])

    assert desk.report(now=T0 + 14.9).lost == 0
    assert desk.report(now=T0 + 19.9).lost == 0
    silent = desk.report(now=T0 + 35.5)
    assert (silent.lost, silent.intervals[0].why) == (4, "nothing has arrived since")


def test_nothing_is_due_of_a_sensor_that_was_taken_out(desk: Desk) -> None:
    """Neither at the running end nor until it is put back, also by a later boot."""
    desk.take([0, 1])
    desk.notice("a", None, None, "the sensor was taken out of the rig", cause="removed", since=T0 + 11, until=T0 + 11)

    assert desk.report(now=NOW).lost == 1  # the slot at 10 s was due
    desk.take([0], boot="b", start=T0 + 500.0)
    assert desk.report().lost == 1


def test_only_what_begins_within_the_range_is_counted(desk: Desk) -> None:
    """A gap that reaches over both ends of the range is cut to the slot."""
    desk.take([0, 1, 40, 41])

    report = desk.report(since=T0 + 50.0, until=T0 + 100.0)

    assert (report.expected, report.received, report.lost) == (10, 0, 10)
    assert spans(report) == [(10.0, 20.0, 10, "nobody said why")]


def test_files_and_backfills_have_no_gaps(desk: Desk) -> None:
    """Who sends a file sends what there is; the live readings after it are a world of their own."""
    desk.take([3, 9], boot="file", start=T0, origin="backfill")
    desk.take([0, 1], boot="live", start=T0 + 900.0)

    report = desk.report()

    assert (report.expected, report.received, report.lost) == (4, 4, 0)


def test_late_readings_are_received_and_told(desk: Desk) -> None:
    """What came from the outbox after an outage is there, and was late."""
    desk.take([0, 1])
    desk.take([2, 3, 4], late=True)

    report = desk.report()

    assert (report.expected, report.received, report.late, report.lost) == (5, 5, 3, 0)


def test_a_clock_that_was_set_back_tears_no_hole(desk: Desk) -> None:
    """Times that overlap within a boot are put in order by their numbers."""
    desk.take([0, 1, 2])
    desk.take([3, 4, 5], start=T0 - 22.5)

    report = desk.report(since=T0 - 100.0)

    assert (report.received, report.lost) == (6, 0)


def test_a_camera_has_gaps_as_any_sensor(desk: Desk) -> None:
    """Its pictures are numbered too."""
    desk.registry.bind(make_descriptor("lid", "camera_image", kind="camera", read_interval=30.0), NOW)
    desk.records.keep([frame(number) for number in (0, 1, 3)])

    report = desk.gaps.report(GapQuery(sensor_id="lid", since=T0, until=NOW), T0 + 91.0)

    assert (report.expected, report.received, report.lost) == (4, 3, 1)


def test_pictures_that_were_thinned_are_not_lost(desk: Desk) -> None:
    """Of a day long ago one picture an hour is kept; what is gone by intention is no gap."""
    desk.registry.bind(make_descriptor("lid", "camera_image", kind="camera", read_interval=30.0), NOW)
    desk.records.keep([frame(number) for number in (0, 1, 2)])

    with pytest.raises(MessageError, match=r"since: must not be before .*: older pictures were thinned"):
        desk.gaps.report(GapQuery(sensor_id="lid", since=T0, until=NOW), T0 + 2 * 86_400.0)
    assert desk.gaps.report(GapQuery(sensor_id="lid", since=T0, until=NOW), T0 + 86_400.0).received == 3


def frame(number: int) -> CameraFrame:
    """Return the description of a picture."""
    return CameraFrame(
        sensor_id="lid", zone_id="box", timestamp=T0 + 30.0 * number, correlation_id=f"c{number}", width=4, height=3,
        sha256=f"{number:064x}", boot_id="a", sequence=number,
    )  # fmt: skip


@settings(max_examples=60)
@given(
    boots=st.lists(
        st.tuples(
            st.floats(1.0, 60.0),  # how long the collector is off before
            st.lists(st.booleans(), min_size=1, max_size=30).filter(any),  # which slots have a reading
        ),
        min_size=1,
        max_size=4,
    ),
    window=st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)),
)
def test_the_account_is_exact_for_any_history(
    shared: Desk,
    boots: list[tuple[float, list[bool]]],
    window: tuple[float, float],
) -> None:
    """Against an account kept slot by slot: every slot that was due is received or lost, once."""
    due: list[tuple[float, bool]] = []
    taken: list[SensorData] = []
    start, grid_end = T0, T0
    for number, (off_s, slots) in enumerate(boots):
        begin = round(start + off_s, 3)
        while due and grid_end < begin - 0.5:  # the old boot's cadence, until half a second before the new one
            due.append((grid_end, False))
            grid_end += STEP_S
        taken += [reading(n, f"b{number}", begin) for n, is_there in enumerate(slots) if is_there]
        last = max(n for n, is_there in enumerate(slots) if is_there)
        due += [(begin + n * STEP_S, is_there) for n, is_there in enumerate(slots[: last + 1])]
        grid_end = begin + (last + 1) * STEP_S
        start = begin + last * STEP_S
    low, high = sorted(T0 - 1.0 + share * (due[-1][0] + 2.0 - T0) for share in window)
    since, until = round(low, 3), round(high + 1.0, 3)

    sensor_id = f"s{next(_names)}"
    shared.storage.insert([dataclasses.replace(each, sensor_id=sensor_id) for each in taken])
    shared.registry.bind(make_descriptor(sensor_id), NOW)
    query = GapQuery(sensor_id=sensor_id, since=since, until=until)
    report = shared.gaps.report(query, due[-1][0] + 1.0)

    edge = 0.01  # of a slot's begin that lies on an end of the range to the millisecond, either answer is right
    inner = [is_there for at, is_there in due if since + edge <= at < until - edge]
    outer = [is_there for at, is_there in due if since - edge <= at < until + edge]
    assert inner.count(True) <= report.received <= outer.count(True)
    assert inner.count(False) <= report.lost <= outer.count(False)
    assert report.expected == report.received + report.lost == report.received + sum(i.lost for i in report.intervals)


@pytest.mark.parametrize(
    ("since", "until", "field"), [(NOW, NOW, "until"), (NOW, NOW - 1, "until"), (0.0, 400 * 86_400.0, "until")]
)
def test_an_impossible_range_is_refused(since: float, until: float, field: str) -> None:
    """The field is named."""
    with pytest.raises(MessageError) as refusal:
        GapQuery(sensor_id="air-t", since=since, until=until)
    assert refusal.value.field == field


def test_gaps_are_asked_by_rest(client: DatabaseApiClient) -> None:
    """The client gets the contract's fields; nonsense is refused with the field's name."""
    client.bind_sensor(make_descriptor())

    assert client.gaps("air-t") == {
        "expected": 0, "received": 0, "late": 0, "lost": 0, "intervals": [], "more": 0, "note": "",
    }  # fmt: skip
    for query, status, field in (
        ({"sensor_id": "nobody"}, 404, "sensor_id"),
        ({"sensor_id": ""}, 422, "sensor_id"),
        ({"sensor_id": "air-t", "since": 2.0, "until": 1.0}, 422, "until"),
    ):
        with pytest.raises(RefusedRequestError) as refusal:
            client.gaps(**query)  # type: ignore[arg-type]
        assert (refusal.value.status, refusal.value.problem["field"]) == (status, field)


def test_a_notice_is_kept_from_the_log(desk: Desk) -> None:
    """Causes are a closed set; a notice with one number alone is refused."""
    assert {str(cause) for cause in GapCause} >= {"sensor", "outbox_full", "killed", "power_cut", "removed"}
    with pytest.raises(MessageError, match="last_sequence"):
        desk.notice("a", 3, None, "half a range")


@pytest.mark.parametrize("origin", ["backfill", "replay"])
def test_account_says_why_nothing_is_missed_of_a_file(desk: Desk, origin: str) -> None:
    """Its readings had no slots; a live sensor's account has no such word."""
    desk.take([0, 5, 20], origin=origin)

    of_file = desk.report()

    assert (of_file.received, of_file.lost) == (3, 0)
    assert "backfilled or replayed" in of_file.note


def test_account_of_live_readings_has_no_note(desk: Desk) -> None:
    """It tells all."""
    desk.take([0, 1, 4])

    assert (desk.report().lost, desk.report().note) == (2, "")
