"""Sensors that fell silent, and sensors whose readings cannot be believed for long: conditions with patience."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from dt.communication.messaging import MessagingService
from dt.communication.topics import Topics
from dt.utils.clock import Clock
from dt.utils.dataclasses import AlertCondition, Origin, Quality, SensorData, SensorDescriptor, Severity, Verdict
from dt.utils.exceptions import DTError
from dt.utils.ids import derived_id
from dt.utils.logger import get_logger
from dt.utils.quantities import Quantity
from dt.utils.rounds import Rounds

SILENT_AFTER = 10.0  # pauses; a DHT22 misses a third of its looks
SILENT_AT_LEAST_S = 60.0
DOUBTED_FOR_S = 600.0  # before anybody is told, and of good readings before all is well
TOLD_EVERY_S = 60.0  # who starts later hears of what is still so
GONE_FOR_S = 600.0  # not in the registry, before what an earlier run has told of it ends
TICK_S = 5.0
MOST_WATCHED = 20_000  # of more, those that were silent longest are forgotten
_OVER = 10.0  # readings
_MOSTLY, _HARDLY = 0.5, 0.1
_AHEAD_AT_MOST_S = 300.0
_GONE = "{} is no longer registered."

log = get_logger(__name__)


@dataclass(slots=True)
class _Told:
    """One condition of one sensor: since when it is so, or no longer, and what was said of it last."""

    changed_at: float | None = None
    active: bool | None = None
    at: float = 0.0


@dataclass(slots=True)
class _Watched:
    sensor_id: str
    zone_id: str
    plant_id: str | None
    at: float
    cadence_s: float
    began_at: float = 0.0  # when this process took it over
    doubt: float = 0.0  # share of the last readings
    readings: int = 0
    is_heard: bool = False  # since then, and since it was found silent
    quality: Quality | None = None
    silent: _Told = field(default_factory=_Told)
    doubted: _Told = field(default_factory=_Told)

    def believe(self, now: float) -> None:
        """Forget instants that are far ahead: the clock was set back since, and readings go on from here."""
        if self.at > now + _AHEAD_AT_MOST_S:
            self.at = now
        self.began_at = min(self.began_at, now)


class LastHeard(NamedTuple):
    """The last reading of a sensor and its usual pause, as the committed state knows them."""

    sensor_id: str
    data_type: Quantity
    zone_id: str
    timestamp: float
    cadence_s: float


class SensorWatch:
    """Hears every live reading and says, by the clock, what is wrong with sensors; history says nothing."""

    def __init__(self, find: Callable[[str], SensorDescriptor | None]) -> None:
        self._find = find
        self._lock = threading.Lock()
        self._watched: dict[tuple[str, Quantity], _Watched] = {}

    def begin(self, known: Iterable[LastHeard], now: float) -> None:
        """Watch these sensors from now on, and no others; silence counts from now on for those that are new here."""
        with self._lock:
            before = self._watched
            self._watched = {
                (last.sensor_id, last.data_type): before.get((last.sensor_id, last.data_type))
                or _Watched(last.sensor_id, last.zone_id, None, last.timestamp, last.cadence_s, began_at=now)
                for last in known
            }

    def hear(self, reading: SensorData, cadence_s: float) -> None:
        """Take a judged reading that is newer than the sensor's last."""
        if reading.origin is not Origin.LIVE:
            return
        key = (reading.sensor_id, reading.data_type)
        with self._lock:
            watched = self._watched.get(key)
            if watched is None:
                self._make_room()
                watched = _Watched(reading.sensor_id, reading.zone_id, reading.plant_id, -1.0, cadence_s)
                self._watched[key] = watched
            elif reading.timestamp <= watched.at:
                return
            watched.at, watched.cadence_s, watched.quality = reading.timestamp, cadence_s, reading.quality
            watched.is_heard = watched.is_heard or reading.timestamp >= watched.began_at
            watched.plant_id = reading.plant_id
            if not reading.late:
                is_doubted = reading.quality is not None and reading.quality.verdict is not Verdict.GOOD
                watched.readings += 1
                watched.doubt += (is_doubted - watched.doubt) / min(watched.readings, _OVER)

    def _make_room(self) -> None:
        if len(self._watched) >= MOST_WATCHED:
            ranked = sorted(self._watched, key=lambda key: self._watched[key].at)
            for key in ranked[: MOST_WATCHED // 4]:
                del self._watched[key]

    def conditions(self, now: float) -> list[AlertCondition]:
        """Return what is to be said now: what begins, what ends, and every minute what lasts."""
        with self._lock:
            watched = list(self._watched.values())
            for one in watched:
                one.believe(now)
        found = []
        for one in watched:
            descriptor = self._find(one.sensor_id)
            silent = self._silence(one, descriptor, now)
            found += [silent] if silent is not None else []
            doubt = self._doubt(one, descriptor, now)
            found += [doubt] if doubt is not None else []
        return found

    def _silence(self, one: _Watched, descriptor: SensorDescriptor | None, now: float) -> AlertCondition | None:
        pause_s = max(one.cadence_s, 0.0 if descriptor is None else descriptor.read_interval)
        silent_s = now - max(one.at, one.began_at)
        is_silent = silent_s > max(SILENT_AFTER * pause_s, SILENT_AT_LEAST_S) and descriptor is not None
        if not (is_silent or one.is_heard) and descriptor is not None:  # nothing shows that it is well
            one.silent.changed_at = None
            return None
        patience_s = 0.0 if is_silent else 3.0 * pause_s if one.is_heard else GONE_FOR_S
        one.is_heard = one.is_heard and not is_silent
        if not _is_due(one.silent, now, holds=is_silent, patience_s=patience_s):
            return None
        name = _name(one, descriptor)
        words = f"{name} is silent for {_span(silent_s)}; a reading every {_span(pause_s)} is expected."
        advice = "Look at its cable and power, and whether the collector runs: dt doctor finds the usual causes."
        well = f"{name} gives readings again." if one.is_heard else _GONE.format(name)
        return _condition("sensor_silent", one, now, words if is_silent else well, advice, is_silent)

    def _doubt(self, one: _Watched, descriptor: SensorDescriptor | None, now: float) -> AlertCondition | None:
        told = one.doubted
        is_enough = one.readings >= _OVER
        holds = one.doubt > (_HARDLY if told.active else _MOSTLY) and is_enough
        # What an earlier run may have told ends by the same share as what this one has told.
        is_shown = told.active is not None or holds or (is_enough and one.doubt <= _HARDLY)
        if not is_shown and (descriptor is not None or one.readings > 0):
            told.changed_at = None
            return None
        if not _is_due(told, now, holds=holds, patience_s=DOUBTED_FOR_S):
            return None
        name, quality = _name(one, descriptor), one.quality
        why = f": {quality.check}, {quality.why}" if quality is not None and quality.why else ""
        words = f"The readings of {name} cannot be believed for {_span(DOUBTED_FOR_S)}{why}."
        advice = "Compare it with another instrument; a probe that was moved or replaced wants a new calibration."
        well = f"{name} can be believed again." if is_shown else _GONE.format(name)
        return _condition("sensor_doubtful", one, now, words if holds else well, advice, holds)


class WatchRounds(Rounds):
    """Lets a `SensorWatch` speak every few seconds, while `is_current` says the log is read."""

    def __init__(
        self, watch: SensorWatch, messaging: MessagingService, clock: Clock, is_current: Callable[[], bool]
    ) -> None:
        super().__init__("sensor watch", self._look_if_current, clock, TICK_S)
        self._watch = watch
        self._messaging = messaging
        self._is_current = is_current

    def _look_if_current(self) -> None:
        if self._is_current():
            self._speak()

    def _speak(self) -> None:
        try:
            for condition in self._watch.conditions(self._clock.wall()):
                key = condition.plant_id or condition.zone_id
                self._messaging.publish(Topics.ALERT_CONDITIONS, condition, key=key)
        except DTError as error:
            log.warning("the state of sensors was not published: %s", error)


def _is_due(told: _Told, now: float, *, holds: bool, patience_s: float) -> bool:
    """Return whether something is to be said: a change that has lasted, or again what lasts.

    The first word of a sensor that is well ends what an earlier run may have said: it takes readings of this one.
    """
    if told.changed_at is not None and now < told.changed_at - _AHEAD_AT_MOST_S:
        told.changed_at = now  # the clock was set back
    if holds == told.active:
        told.changed_at = None
        is_again = holds and not 0.0 <= now - told.at < TOLD_EVERY_S
    else:
        told.changed_at = now if told.changed_at is None else told.changed_at
        is_again = now - told.changed_at >= patience_s
    if is_again:
        told.active, told.at, told.changed_at = holds, now, None
    return is_again


def _condition(
    kind: str,
    one: _Watched,
    now: float,
    description: str,
    advice: str,
    active: bool,  # noqa: FBT001 - the field's name
) -> AlertCondition:
    key = f"{kind}:{one.sensor_id}"
    return AlertCondition(
        key=key,
        plant_id=one.plant_id,
        zone_id=one.zone_id,
        severity=Severity.WARNING,
        description=description,
        advice=advice if active else "",
        active=active,
        timestamp=now,
        correlation_id=derived_id(key, now, at=now),
    )


def _name(one: _Watched, descriptor: SensorDescriptor | None) -> str:
    return f"{descriptor.name} ({one.sensor_id})" if descriptor is not None and descriptor.name else one.sensor_id


def _span(seconds: float) -> str:
    """Return a time for people.

    >>> _span(1.0), _span(600.0), _span(10_800.0)
    ('1 s', '10 min', '3.0 h')
    """
    if seconds < 120.0:
        return f"{seconds:.0f} s"
    return f"{seconds / 60.0:.0f} min" if seconds < 7200.0 else f"{seconds / 3600.0:.1f} h"
