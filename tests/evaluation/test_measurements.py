"""Files of measurements: delimiters, encodings, times, bad cells, mappings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dt.evaluation.mapping import parse_mapping, parse_mappings
from dt.evaluation.measurements import Cell, Tally, TimeColumn, cells_of, read_file
from dt.utils.exceptions import MessageError
from dt.utils.quantities import Quantity, Unit

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a writer of files in the test's own folder."""

    def write_file(text: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "file.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write_file


def cells(
    path: Path, time: str = "time", mapping: str = "t=temperature", tally: Tally | None = None, **more: str
) -> list[Cell]:
    """Return what can be used of a file."""
    column = TimeColumn(name=time, **more)
    return list(cells_of(read_file(path), column, [parse_mapping(mapping)], tally or Tally()))


def test_each_row_gives_one_number(write: Write) -> None:
    """Line, time and number are the file's own."""
    [first, second] = cells(write("time,t\n2024-01-01 00:00:00,1.5\n2024-01-01T01:00:00Z,2\n"))

    assert (first.line, first.timestamp, first.measured) == (2, 1_704_067_200.0, 1.5)
    assert (second.line, second.timestamp, second.measured) == (3, 1_704_070_800.0, 2.0)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out(write: Write, delimiter: str) -> None:
    """Spreadsheets of half the world write semicolons."""
    text = "time,t,u\n2024-01-01,1,2\n2024-01-02,3,4\n".replace(",", delimiter)

    assert [cell.measured for cell in cells(write(text))] == [1.0, 3.0]


def test_a_latin_1_header_is_read(write: Write) -> None:
    """Loggers write the degree sign in their own encoding."""
    found = cells(write("time\tt °C\n04/13/14 12:00 PM\t-7.1\n", "latin-1"), mapping="t °C=temperature")

    assert [cell.measured for cell in found] == [-7.1]


def test_row_names_without_a_header_are_passed_over(write: Write) -> None:
    """R writes one cell more than names."""
    found = cells(write('"time","t"\n"1","2024-01-01",5\n"2","2024-01-02",6\n'))

    assert [cell.measured for cell in found] == [5.0, 6.0]


def test_bad_cells_are_counted_with_their_place_and_empty_ones_apart(write: Write) -> None:
    """Nothing is dropped silently."""
    tally = Tally()

    found = cells(write("time,t\n2024-01-01,1\n2024-01-02,* * *\n2024-01-03,\n2024-01-04,nan\nlater,4\n"), tally=tally)

    assert [cell.measured for cell in found] == [1.0]
    assert (tally.rows, tally.cells, tally.empty, tally.refused) == (5, 1, 1, 3)
    assert tally.problems[0] == "line 3, column t: '* * *' is no number"
    assert tally.problems[1] == "line 5, column t: nan is no finite number"
    assert tally.problems[2] == "line 6, column time: 'later' is no time"


@pytest.mark.parametrize(
    ("written", "epoch"),
    [
        ("2/13/2022 0:04", 1_644_710_640.0),
        ("13/2/2022 0:04", 1_644_710_640.0),
        ("13.02.2022 00:04", 1_644_710_640.0),
        ("02/13/22 12:04 AM", 1_644_710_640.0),
        ("1644710640", 1_644_710_640.0),
        ("1644710640.25", 1_644_710_640.25),
        ("2022-02-13T01:04:00+01:00", 1_644_710_640.0),
    ],
)
def test_times_are_read_as_people_and_loggers_write_them(write: Write, written: str, epoch: float) -> None:
    """Month first or day first is decided by what fits."""
    [cell] = cells(write(f"time;t\n{written};1\n"))

    assert cell.timestamp == epoch


def test_month_or_day_first_is_decided_by_the_whole_column(write: Write) -> None:
    """Only one of both readings runs forward."""
    found = cells(write("time;t\n1/2/2022 0:00;1\n2/2/2022 0:00;2\n3/2/2022 0:00;3\n28/2/2022 0:00;4\n"))

    assert [round((cell.timestamp - found[0].timestamp) / 86_400) for cell in found] == [0, 1, 2, 27]


def test_times_without_a_zone_are_in_the_given_one(write: Write) -> None:
    """Rome is two hours ahead in summer."""
    [cell] = cells(write("time,t\n2020-07-21 13:24:00.107515,1\n"), timezone="Europe/Rome")

    assert cell.timestamp == 1_595_330_640.108


def test_the_hour_that_comes_twice_runs_forward(write: Write) -> None:
    """When clocks are set back the second 2:30 is an hour after the first."""
    text = "time,t\n2023-10-29 02:30:00,1\n2023-10-29 02:45:00,2\n2023-10-29 02:15:00,3\n2023-10-29 02:40:00,4\n"
    found = cells(write(text), timezone="Europe/Rome")

    assert [round(cell.timestamp - found[0].timestamp) / 60 for cell in found] == [0, 15, 45, 70]


def test_date_and_hour_in_two_columns_are_joined(write: Write) -> None:
    """`--time day+hour` reads what stands in both."""
    found = cells(write("day,hour,t\n2022-11-15,0,1\n2022-11-15,13,2\n"), time="day+hour")

    assert found[1].timestamp - found[0].timestamp == 13 * 3600


def test_a_time_format_of_ones_own_wins(write: Write) -> None:
    """What no guess reads can be said."""
    [cell] = cells(write("time,t\n20220213 0004,1\n"), time_format="%Y%m%d %H%M")

    assert cell.timestamp == 1_644_710_640.0


@pytest.mark.parametrize(
    ("text", "time", "mapping", "why"),
    [
        ("time,t\n2024-01-01,1\n", "when", "t=temperature", "'when' is not in file.csv; there are time, t"),
        ("time,t\n2024-01-01,1\n", "time", "x=temperature", "'x' is not in file.csv"),
        ("time,t\nsoon,1\n", "time", "t=temperature", "'soon' is no time that can be read"),
        ("time,t\n", "time", "t=temperature", "no rows below a header"),
    ],
)
def test_what_cannot_be_read_is_named(write: Write, text: str, time: str, mapping: str, why: str) -> None:
    """The message names the column and what there is instead."""
    with pytest.raises(MessageError, match=why):
        cells(write(text), time, mapping)


def test_an_unknown_zone_is_refused(write: Write) -> None:
    """The message shows what a zone looks like."""
    with pytest.raises(MessageError, match="Europe/Rome"):
        cells(write("time,t\n2024-01-01,1\n"), timezone="Rome")


def test_a_mapping_has_the_quantitys_own_unit_unless_told() -> None:
    """Temperature is in degC, soil moisture in m3/m3."""
    assert parse_mapping("a=temperature").unit is Unit.DEGREE_CELSIUS
    assert parse_mapping("a=soil_moisture:%").unit is Unit.PERCENT
    assert parse_mapping("a=b=soil_moisture").column == "a=b"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a", "COL=QUANTITY"),
        ("=temperature", "COL=QUANTITY"),
        ("a=wetness", "'wetness' is no quantity; there are temperature"),
        ("a=vpd", "'vpd' is no quantity"),
        ("a=temperature:K", "'K' is no unit"),
        ("a=temperature:lux", "lux is no unit of temperature"),
        ("a=soil_moisture:%:upside-down", "can only be 'inverted'"),
        ("a=temperature:degC:inverted", "only soil_moisture"),
    ],
)
def test_a_wrong_mapping_says_what_is_wrong(text: str, why: str) -> None:
    """Quantity, unit and third part are checked before the file is read."""
    with pytest.raises(MessageError, match=why):
        parse_mapping(text)


def test_a_column_can_be_mapped_once() -> None:
    """Two meanings of one column are a mistake."""
    with pytest.raises(MessageError, match="mapped twice"):
        parse_mappings(["a=temperature", "a=humidity"])


def test_an_inverted_fraction_is_turned_round_and_a_count_is_not() -> None:
    """Only a calibration knows both ends of a count's scale."""
    assert parse_mapping("a=soil_moisture:fraction:inverted").value_of(0.25) == 0.75
    assert parse_mapping("a=soil_moisture:%:inverted").value_of(25.0) == 75.0
    assert parse_mapping("a=soil_moisture:count:inverted").value_of(545.0) == 545.0
    assert parse_mapping("a=soil_moisture:count").quantity is Quantity.SOIL_MOISTURE
