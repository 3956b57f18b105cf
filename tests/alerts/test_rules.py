"""The file of rules: what it changes, what it refuses, and where quiet hours end."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dt.alerts.rules import KEY_RULES, QuietHours
from dt.alerts.rules_file import RulesFile, load_rules, parse_rules
from dt.alerts.rules_watch import RulesWatch
from dt.utils.exceptions import ConfigError
from dt.utils.vocabulary import Severity

EXAMPLE = """
[default]
opens_after_s = 30

[keys.soil_dry]
cool_down_s = 60

[keys."my_own"]
group = "mine"

[flapping]
changes = 4

[quiet_hours]
begins = "22:30"
ends = "07:00"
timezone = "Europe/Rome"

[notices]
least_severity = "critical"

[escalation]
after_s = 600
"""


def test_the_file_changes_what_it_names_and_nothing_else() -> None:
    """A kind of its own begins with the file's default."""
    rules = parse_rules(EXAMPLE)

    assert (rules.of("soil_dry:basil").cool_down_s, rules.of("soil_dry:basil").group) == (60.0, "soil")
    assert (rules.of("my_own:x").opens_after_s, rules.of("my_own:x").group) == (30.0, "mine")
    assert rules.of("sensor_silent:a") == KEY_RULES["sensor_silent"]
    assert rules.of("nobody knows").opens_after_s == 30.0
    assert rules.flapping.changes == 4
    assert rules.notices.least_severity is Severity.CRITICAL
    assert rules.escalation.after_s == 600.0


def test_without_the_file_the_defaults_hold(tmp_path: Path) -> None:
    """Nothing has to be written to begin with."""
    assert load_rules(tmp_path / "alerts.toml").keys == KEY_RULES


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[flapping]\nchanges = 1", "alerts.toml:2: flapping.changes: must be from 3 to 1000, not 1"),
        ("[keys.soil_dry]\n\nopens_after_s = 'long'", "alerts.toml:3: keys.soil_dry.opens_after_s:"),
        ("[keys.x]\nopens_after_s = 900", "alerts.toml:2: keys.x.opens_after_s: must be below stale_after_s (900)"),
        ("[quiet_hours]\nbegins = '22:00'", "alerts.toml:1: quiet_hours.ends: is missing"),
        ("[quiet_hours]\nbegins = '25:00'\nends = '07:00'", "alerts.toml:2: quiet_hours.begins: must be a time of day"),
        ("[quiet_hours]\ntimezone = 'Rome'", "alerts.toml:2: quiet_hours.timezone: must be an IANA zone"),
        ("[notices]\nper_hour = 5\nper_day = 5", "alerts.toml:3: notices.per_day: is not known; there are"),
        ("\n[silence]\n", "alerts.toml:2: silence: is not known"),
        ("keys = 3", "alerts.toml:1: keys: must be a table"),
        ("[[", "alerts.toml: "),
    ],
)
def test_a_wrong_entry_is_refused_with_its_line_and_field(text: str, says: str) -> None:
    """So that it can be found."""
    with pytest.raises(ConfigError) as refused:
        parse_rules(text)

    assert str(refused.value).startswith(says)


def test_a_changed_file_is_read_again_and_a_wrong_one_changes_nothing(tmp_path: Path) -> None:
    """What is wrong is said until it is right."""
    path = tmp_path / "alerts.toml"
    file = RulesFile(path)
    path.write_text("[flapping]\nchanges = 9")
    assert file.look().flapping.changes == 9

    path.write_text("[flapping]\nchanges = 1")
    os.utime(path, (1, 1))
    assert file.look().flapping.changes == 9
    assert "alerts.toml:2" in file.why

    path.unlink()
    assert file.look().flapping.changes == 6
    assert file.why == ""


@pytest.mark.parametrize("text", ["[flapping]\nchanges = 1", "[[", "\x00"])
def test_a_file_that_is_wrong_from_the_start_leaves_the_last_good_rules_or_the_defaults(
    tmp_path: Path, text: str
) -> None:
    """A copy of what was good last is kept; one that is damaged, and no copy at all, mean the defaults."""
    path, kept = tmp_path / "alerts.toml", tmp_path / "alerts" / "kept.toml"
    path.write_text(text)
    first = RulesFile(path, kept)
    assert (first.rules.flapping.changes, first.instead) == (6, "the defaults")
    assert "alerts.toml" in first.why

    path.write_text("[flapping]\nchanges = 9")
    os.utime(path, (1, 1))
    assert first.look().flapping.changes == 9
    path.write_text(text)
    again = RulesFile(path, kept)
    assert (again.rules.flapping.changes, again.instead) == (9, "the last good rules")

    kept.write_text("[")
    assert RulesFile(path, kept).rules.flapping.changes == 6
    path.unlink()
    assert (RulesFile(path, kept).why, kept.exists()) == ("", False)


@pytest.mark.parametrize("place", ["folder", "bytes"])
def test_what_is_no_file_of_text_is_said_and_stops_nothing(tmp_path: Path, place: str) -> None:
    """A folder of that name, or what is not UTF-8."""
    path = tmp_path / "alerts.toml"
    path.mkdir() if place == "folder" else path.write_bytes(b"\xff\xfe")

    file = RulesFile(path)

    assert file.why.startswith("ALERTS_FILE: ")
    assert file.look().flapping.changes == 6


def test_another_mistake_ends_the_alert_of_the_one_before_and_opens_it_anew(tmp_path: Path) -> None:
    """So that an open alert always names the line that is wrong now; what lasts is said every minute."""
    path = tmp_path / "alerts.toml"
    path.write_text("[flapping]\nchanges = 1")
    file = RulesFile(path)
    watch = RulesWatch(file)
    said = [(one.active, one.description) for second in range(61) for one in watch.conditions(1000.0 + second)]
    assert [active for active, _words in said] == [True, True]
    assert "the defaults hold" in said[0][1]

    path.write_text("[notices]\nper_hour = 0")
    os.utime(path, (1, 1))
    file.look()
    later = [one for second in range(70) for one in watch.conditions(1061.0 + second)]

    assert [one.active for one in later] == [False, True, True]
    assert "notices.per_hour: must be from 1 to 1000, not 0" in later[1].description


def at(text: str) -> float:
    """Return the epoch seconds of a time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("now", "ends"),
    [
        ("2031-03-29T21:29:00", None),  # 22:29 in winter time
        ("2031-03-29T21:30:00", "2031-03-30T05:00:00"),  # the night in which the clocks go forward is an hour short
        ("2031-03-30T04:59:59", "2031-03-30T05:00:00"),
        ("2031-03-30T05:00:00", None),
        ("2031-10-25T20:30:00", "2031-10-26T06:00:00"),  # and the night in which they go back an hour long
        ("2031-10-26T00:30:00", "2031-10-26T06:00:00"),
        ("2031-10-26T06:00:00", None),
    ],
)
def test_quiet_hours_follow_the_local_clock_over_summer_time(now: str, ends: str | None) -> None:
    """They begin at 22:30 and end at 07:00 in Rome, whatever that is in UTC."""
    quiet = QuietHours(begins="22:30", ends="07:00", timezone="Europe/Rome")

    assert quiet.ends_at(at(now)) == (at(ends) if ends else None)


@pytest.mark.parametrize(
    ("now", "ends"),
    [
        ("2031-10-26T00:10:00", "2031-10-26T00:30:00"),  # 02:10, the first time
        ("2031-10-26T01:10:00", "2031-10-26T01:30:00"),  # 02:10, the second time
        ("2031-03-30T00:30:00", "2031-03-30T01:30:00"),  # 02:30 does not come: 03:30 stands for it
    ],
)
def test_quiet_hours_that_end_within_the_change_of_clocks_do_end(now: str, ends: str) -> None:
    """Neither an hour that comes twice nor one that does not come leaves people without notices."""
    assert QuietHours(begins="01:00", ends="02:30", timezone="Europe/Rome").ends_at(at(now)) == at(ends)


def test_quiet_hours_of_one_day_do_not_reach_over_night() -> None:
    """A siesta ends in the afternoon."""
    siesta = QuietHours(begins="13:00", ends="15:00")

    assert siesta.ends_at(at("2031-05-01T14:00:00")) == at("2031-05-01T15:00:00")
    assert siesta.ends_at(at("2031-05-01T23:00:00")) is None
    assert siesta.ends_at(at("2031-05-01T12:00:00"), "Europe/Rome") == at("2031-05-01T13:00:00")
