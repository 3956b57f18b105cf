"""Weather from a file: joined by lines, repeated by whole days or ended clearly, and refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from dt.simulator.box import Box
from dt.simulator.replay import Replay, load_weather
from dt.simulator.spec import ZONE, BoxSpec, SiteSpec, ZoneSpec
from dt.simulator.weather import Weather
from dt.utils.exceptions import ConfigError

FIRST = 1_800_057_600.0  # 2027-01-16 00:00 UTC
DAY = 86_400.0
HEADER = "time,temperature_degc,humidity_pct,radiation_w_m2\n"


def written(path: Path, rows: str, header: str = HEADER) -> Path:
    """Write a weather file."""
    (path / "weather.csv").write_text(header + rows, "utf-8")
    return path / "weather.csv"


def hourly(path: Path, hours: int = 49) -> Path:
    """Write hours of weather, each hour 1 K warmer, counted from midnight."""
    return written(path, "".join(f"{FIRST + 3600 * h},{h % 24},50,{10 * (h % 24)}\n" for h in range(hours)))


def test_box_lives_in_the_weather_of_a_file(tmp_path: Path) -> None:
    """Air outside is the file's; light is the file's sun through the window."""
    zone = ZoneSpec(weather=load_weather(hourly(tmp_path)))
    box = Box(BoxSpec(zones=(zone,), lamps=(), pots=(), pumps=(), reservoirs=()), FIRST)

    box.advance(FIRST + 12.5 * 3600)

    assert box.zones[ZONE].daylight_lux == pytest.approx(125.0 * 0.14 * 110.0, rel=0.01)
    assert 10.0 < box.zones[ZONE].air_degc < 14.5


def test_values_between_rows_lie_on_the_line(tmp_path: Path) -> None:
    """A quarter past three is a quarter of the way from three to four."""
    sun, degc, vapour = Weather(SiteSpec(), load_weather(hourly(tmp_path)), 1).at(FIRST + 3.25 * 3600)

    assert (sun, degc) == (pytest.approx(32.5), pytest.approx(3.25))
    assert vapour == pytest.approx(3.0, abs=0.1)  # half of 6.0 g/m3, saturation at 3.25 degC


def test_record_repeats_itself_by_whole_days(tmp_path: Path) -> None:
    """After its end and before its beginning noon stays noon."""
    record = load_weather(hourly(tmp_path, hours=56))  # two days and seven hours

    at_noon = record.at(FIRST + 36 * 3600)
    assert record.at(FIRST + 12 * 3600 + 4 * DAY) == record.at(FIRST + 12 * 3600)
    assert record.at(FIRST + 36 * 3600 - 2 * DAY) == at_noon
    assert record.at(FIRST + 60 * 3600 + DAY) == record.at(FIRST + 36 * 3600)


def test_seventy_two_hourly_rows_are_three_days(tmp_path: Path) -> None:
    """The last row has its hour as well: it leads to the first row, and the third day is not lost."""
    rows = "".join(f"{FIRST + 3600 * h},{h / 4},50,{10 * h}\n" for h in range(72))
    record = load_weather(written(tmp_path, rows))

    assert record.span_s == 3 * DAY
    assert record.at(FIRST + 3 * DAY + 60 * 3600) == record.at(FIRST + 60 * 3600)
    assert record.at(FIRST - 3600) == record.at(FIRST + 71 * 3600)
    assert record.at(FIRST + 3 * DAY)[0] == 0.0
    assert record.at(FIRST + 71.5 * 3600)[0] == pytest.approx(355.0)  # half-way from 710 back to 0


def test_twenty_four_hourly_rows_are_a_day(tmp_path: Path) -> None:
    """A day that ends at 23 h repeats itself; one of 23 rows is too short."""
    record = load_weather(hourly(tmp_path, hours=24))

    assert record.at(FIRST + 5 * DAY + 7.25 * 3600) == record.at(FIRST + 7.25 * 3600)
    with pytest.raises(ConfigError, match="shorter than a day"):
        load_weather(hourly(tmp_path, hours=23))


def test_record_that_does_not_repeat_ends_clearly(tmp_path: Path) -> None:
    """The error says what is covered and what was asked for."""
    record = load_weather(hourly(tmp_path), wraps=False)

    with pytest.raises(ValueError, match=r"covers 2027-01-16T00:00\+00:00 to 2027-01-18T00:00\+00:00, not 2027-01-20"):
        record.at(FIRST + 4 * DAY)


def test_own_column_names_and_iso_times_are_understood(tmp_path: Path) -> None:
    """A person's file may call its columns as it likes."""
    path = written(
        tmp_path, "2027-01-16T00:00:00,1,50,0\n2027-01-17T01:00:00+01:00,2,60,5\n", "when,T,RH,G\n",
    )  # fmt: skip
    names = {"time": "when", "temperature_degc": "T", "humidity_pct": "RH", "radiation_w_m2": "G"}

    assert load_weather(path, names).times_s == (FIRST, FIRST + DAY)


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        ("1,2,3\n", r"weather.csv:2: radiation_w_m2: None is no number"),
        ("1,2,3,4\nsoon,2,3,4\n", r"weather.csv:3: time: 'soon' is no number"),
        ("1,2,101,4\n", r"weather.csv:2: humidity_pct: must be from 0 to 100, not 101"),
        ("1,nan,50,4\n", r"weather.csv:2: temperature_degc: 'nan' is not finite"),
        ("1,2,3,4\n", "at least two times"),
        ("5,2,3,4\n1,2,3,4\n", "ascending"),
        ("1,2,3,4\n5,2,3,4\n", "shorter than a day"),
    ],
)
def test_unusable_file_is_refused_with_its_line(tmp_path: Path, rows: str, match: str) -> None:
    """The error names line, column and limit."""
    with pytest.raises(ConfigError, match=match):
        load_weather(written(tmp_path, rows))


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (
            (HEADER + "1,2,3,4\n").replace("time,", "zeit-ü,").encode("latin-1"),
            "weather.csv: must be a CSV file in UTF-8",
        ),
        ((HEADER + "1,2,3,4\n").encode("utf-16"), "weather.csv: must be a CSV file in UTF-8"),
        (f"{HEADER}1,2,3,{'4' * 131_073}\n".encode(), r"weather.csv: must be a CSV file in UTF-8: field larger than"),
        (HEADER.replace("time,", "").strip().encode() + b",time\n20,50,0\n", r"weather.csv:2: time: None is no number"),
        (b"", "column 'humidity_pct' is missing"),
    ],
    ids=["latin-1", "utf-16", "long field", "short row", "empty"],
)
def test_file_that_is_no_table_in_utf8_is_refused(tmp_path: Path, content: bytes, match: str) -> None:
    """One line that says what a file must be."""
    (tmp_path / "weather.csv").write_bytes(content)

    with pytest.raises(ConfigError, match=match) as refusal:
        load_weather(tmp_path / "weather.csv")

    assert "\n" not in str(refusal.value)


def test_file_saved_by_a_spreadsheet_is_read(tmp_path: Path) -> None:
    """UTF-8 with a byte order mark."""
    path = hourly(tmp_path)
    path.write_text(path.read_text("utf-8"), "utf-8-sig")

    assert load_weather(path).times_s[0] == FIRST


def test_missing_column_and_missing_file_are_named(tmp_path: Path) -> None:
    """What is wrong stands in the message."""
    with pytest.raises(ConfigError, match="column 'humidity_pct' is missing; there are: time, T"):
        load_weather(written(tmp_path, "", "time,T\n"))
    with pytest.raises(ConfigError, match="No such file"):
        load_weather(tmp_path / "none.csv")


def test_record_of_one_instant_is_refused() -> None:
    """Nothing can be joined to nothing."""
    with pytest.raises(ValueError, match="at least two times"):
        Replay(times_s=(1.0,), temperature_degc=(1.0,), vapour_g_m3=(1.0,), sun_w_m2=(1.0,))
