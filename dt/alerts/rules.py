"""What people decide of alerts: patience by kind of condition, quiet hours, notices, escalation; one file holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dt.utils.codec import Message
from dt.utils.exceptions import MessageError
from dt.utils.vocabulary import Severity

_DAY_S = 86_400.0
_WEEK_S = 7 * _DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRule(Message):
    """The patience with conditions whose keys begin alike, in seconds; `group`: what their notices are bundled by."""

    opens_after_s: float = 0.0  # it has to hold so long; what is critical opens at once
    resolves_after_s: float = 0.0  # it has to be over so long
    cool_down_s: float = 900.0  # after its end the same alert is reopened, and no new one made
    stale_after_s: float = 900.0  # without a word of its source; 0: never
    group: str = ""

    def ensure_consistent(self) -> None:
        """Refuse times that are negative or longer than a week, and patience that outlasts the source's word."""
        for name in ("opens_after_s", "resolves_after_s", "cool_down_s", "stale_after_s"):
            _require_within(self, name, 0.0, _WEEK_S)
        if 0.0 < self.stale_after_s <= self.opens_after_s:
            raise MessageError(
                "opens_after_s", f"must be below stale_after_s ({self.stale_after_s:g}), not {self.opens_after_s:g}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class FlapRule(Message):
    """An alert that opens or ends more than `changes` times in `within_s` flaps, until it is quiet for `quiet_s`."""

    changes: int = 6
    within_s: float = 3600.0
    quiet_s: float = 1800.0

    def ensure_consistent(self) -> None:
        """Refuse numbers by which every alert would flap, or none."""
        _require_within(self, "changes", 3, 1000)
        _require_within(self, "within_s", 60.0, _DAY_S)
        _require_within(self, "quiet_s", 60.0, _DAY_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours(Message):
    """Local times of day between which only what is critical is told; none while both are equal."""

    begins: str = ""
    ends: str = ""
    timezone: str = ""  # the setting TIMEZONE unless it is given

    def ensure_consistent(self) -> None:
        """Refuse what is no time of day, and zones that nobody knows."""
        for name in ("begins", "ends"):
            if getattr(self, name):
                _time_of_day(name, getattr(self, name))
        if bool(self.begins) != bool(self.ends):
            raise MessageError("ends" if self.begins else "begins", "is missing; quiet hours begin and end")
        if self.timezone:
            try:
                ZoneInfo(self.timezone)
            except (ZoneInfoNotFoundError, ValueError, OSError) as error:
                raise MessageError(
                    "timezone", f"must be an IANA zone such as Europe/Rome, not {self.timezone!r}"
                ) from error

    def ends_at(self, now: float, zone_name: str = "UTC") -> float | None:
        """Return when the quiet hours end that `now` lies in (epoch seconds), or None outside of them.

        >>> QuietHours(begins="22:00", ends="07:00").ends_at(1_800_000_000.0)  # 08:00 UTC
        >>> QuietHours(begins="22:00", ends="09:00").ends_at(1_800_000_000.0) - 1_800_000_000.0
        3600.0
        """
        if self.begins == self.ends:
            return None
        zone = ZoneInfo(self.timezone or zone_name)
        local = datetime.fromtimestamp(now, zone)
        begins, ends = _time_of_day("begins", self.begins), _time_of_day("ends", self.ends)
        present = local.time().replace(fold=0)
        is_over_night = begins > ends
        is_quiet = (present >= begins or present < ends) if is_over_night else begins <= present < ends
        if not is_quiet:
            return None
        day = local.date() + timedelta(days=1 if is_over_night and present >= begins else 0)
        end = datetime.combine(day, ends, zone)
        # In autumn an hour comes twice: within its second run the end is that of the second run.
        return end.timestamp() if end.timestamp() > now else end.replace(fold=1).timestamp()


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRule(Message):
    """What is told to people, and how often; times in seconds."""

    least_severity: Severity = Severity.WARNING
    on_resolved: bool = True
    group_wait_s: float = 20.0  # for more of the same cause; what is critical waits a quarter of it
    group_every_s: float = 300.0  # between two notices of one cause; what is critical is told at once
    per_hour: int = 20  # to one address; what is critical may come to three times as many
    give_up_after_s: float = _DAY_S

    def ensure_consistent(self) -> None:
        """Refuse waits and rates that would drown or silence people."""
        _require_within(self, "group_wait_s", 0.0, 3600.0)
        _require_within(self, "group_every_s", 0.0, _DAY_S)
        _require_within(self, "per_hour", 1, 1000)
        _require_within(self, "give_up_after_s", 60.0, _WEEK_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation(Message):
    """A critical alert that nobody acknowledges is told again, to the second list too, `after_s` and then again."""

    after_s: float = 1800.0  # 0: never
    every_s: float = 3600.0
    times: int = 6

    def ensure_consistent(self) -> None:
        """Refuse repetitions that nobody could bear."""
        if self.after_s:
            _require_within(self, "after_s", 60.0, _WEEK_S)
        _require_within(self, "every_s", 60.0, _WEEK_S)
        _require_within(self, "times", 1, 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRules:
    """All of it as one file says."""

    keys: Mapping[str, KeyRule] = field(default_factory=lambda: dict(KEY_RULES))
    default: KeyRule = field(default_factory=KeyRule)
    flapping: FlapRule = field(default_factory=FlapRule)
    quiet_hours: QuietHours = field(default_factory=QuietHours)
    notices: NoticeRule = field(default_factory=NoticeRule)
    escalation: Escalation = field(default_factory=Escalation)

    def of(self, key: str) -> KeyRule:
        """Return the rule for a condition's key, by what stands before its colon."""
        return self.keys.get(kind_of(key), self.default)


def kind_of(key: str) -> str:
    """Return what a condition's key begins with.

    >>> kind_of("soil_dry:basil"), kind_of("storage_full")
    ('soil_dry', 'storage_full')
    """
    return key.partition(":")[0]


def _time_of_day(name: str, text: str) -> time:
    try:
        return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 - a time of day has no zone
    except ValueError as error:
        raise MessageError(name, f"must be a time of day such as 22:00, not {text!r}") from error


def _require_within(message: Message, name: str, low: float, high: float) -> None:
    if not low <= getattr(message, name) <= high:
        raise MessageError(name, f"must be from {low:g} to {high:g}, not {getattr(message, name):g}")


# What each source has waited for already opens at once: sensors by their own patience (sensor_watch.py), dry soil by a
# median with hysteresis (dry_soil.py), outputs by two seconds (output_watch.py).
KEY_RULES: Mapping[str, KeyRule] = {
    "soil_dry": KeyRule(cool_down_s=1800.0, group="soil"),
    "sensor_silent": KeyRule(resolves_after_s=30.0, group="sensors"),
    "sensor_doubtful": KeyRule(cool_down_s=3600.0, group="sensors"),
    "locked_out": KeyRule(group="outputs"),
    "dose_excess": KeyRule(stale_after_s=2 * _DAY_S, group="outputs"),  # judged after each dose
    "dose_weak": KeyRule(stale_after_s=2 * _DAY_S, group="outputs"),
    "output_on": KeyRule(resolves_after_s=10.0, group="outputs"),
    "budget_used": KeyRule(cool_down_s=3600.0, group="outputs"),
    "storage_full": KeyRule(resolves_after_s=60.0, group="storage"),
    "service_silent": KeyRule(group="services"),
    "alert_rules_wrong": KeyRule(group="services"),
    "storage_damaged": KeyRule(stale_after_s=2 * _DAY_S, group="storage"),
}
