"""Soil readings in, conditions out: the rule for dry soil over the log, with its memory in the state topic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from dt.ai.models.rule_based.dry_soil import DrySoilModel, SoilWatch, is_usable
from dt.communication.dead_letters import letter_of
from dt.communication.messaging import Outgoing, Record, outgoing
from dt.communication.topics import Topics
from dt.utils.clock import Clock
from dt.utils.dataclasses import AlertCondition, Origin, Plant, SensorData
from dt.utils.exceptions import MessageError
from dt.utils.logger import get_logger

_LIVE = Origin.LIVE.value.encode()

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneState:
    """The rule's memory of one zone, by plant."""

    plants: Mapping[str, SoilWatch]
    schema: int = 1


_state_decoder = msgspec.json.Decoder(ZoneState)


class Plants(Protocol):
    """Where the rule looks plants up."""

    def get(self, plant_id: str) -> Plant | None:
        """Return a plant; may raise a retriable error while the registry cannot be read."""
        ...

    def refresh(self) -> None:
        """Read the registry again; never raises."""
        ...


class SoilRule:
    """`Transformer` from processed soil moisture to conditions; one state record per zone that changed."""

    def __init__(
        self,
        model: Callable[[], DrySoilModel],
        plants: Plants,
        clock: Clock,
        told: Callable[[AlertCondition], None] = lambda _condition: None,
    ) -> None:
        self._model = model
        self._plants = plants
        self._clock = clock
        self._told = told
        self._watches: dict[str, SoilWatch] = {}

    @property
    def active(self) -> list[str]:
        """Return the plants whose soil is dry."""
        return sorted(plant_id for plant_id, watch in list(self._watches.items()) if watch.active is not None)

    def restore(self, state: Sequence[Record]) -> None:
        """Begin from the committed state; what cannot be read of it is left behind with a warning."""
        self._plants.refresh()
        self._watches = {}
        for key, value in {record.key: record.value for record in state}.items():
            for plant_id, watch in _watches_in(key, value).items():
                known = self._watches.get(plant_id)
                # A plant that was moved stands in two zones' records for as long as the old zone is silent.
                if known is None or _last_seen(watch) > _last_seen(known):
                    self._watches[plant_id] = watch

    def transform(self, records: Sequence[Record]) -> Sequence[Outgoing]:
        """Return conditions and changed memory; history and replays pass by undecoded."""
        now, model = self._clock.wall(), self._model()
        conditions: list[Outgoing] = []
        zones: set[str] = set()
        for record in records:
            try:
                reading = _live_reading(record)
            except MessageError as error:  # by itself: an aborted batch would read the whole state again
                conditions.append(letter_of(record, error, now))
                continue
            if reading is not None and is_usable(reading, now):
                conditions += self._take(reading, model, now, zones)
        return [*conditions, *(self._state_of(zone_id) for zone_id in sorted(zones))]

    def _take(self, reading: SensorData, model: DrySoilModel, now: float, zones: set[str]) -> list[Outgoing]:
        plant_id = str(reading.plant_id)
        plant = self._plants.get(plant_id)
        if plant is None:
            return []
        before = self._watches.get(plant_id) or SoilWatch(zone_id=reading.zone_id)
        after, condition = model.step(before, reading, plant, now)
        if after is not before:
            self._watches[plant_id] = after
            zones.update((before.zone_id, after.zone_id))
        if condition is None:
            return []
        self._told(condition)
        return [outgoing(Topics.ALERT_CONDITIONS, condition, key=plant_id)]

    def _state_of(self, zone_id: str) -> Outgoing:
        plants = {plant_id: watch for plant_id, watch in self._watches.items() if watch.zone_id == zone_id}
        return Outgoing(Topics.STATE_AI, msgspec.json.encode(ZoneState(plants=plants)), zone_id)


def _live_reading(record: Record) -> SensorData | None:
    """Decode a record that says it is live, or says nothing; raises MessageError."""
    if record.headers.get("origin", _LIVE) != _LIVE:
        return None
    if record.value is None:
        raise MessageError("$", "must be a reading, and is empty")
    return SensorData.from_json(record.value)


def _watches_in(zone_id: str | None, value: bytes | None) -> Mapping[str, SoilWatch]:
    if value is None:
        return {}
    try:
        return _state_decoder.decode(value).plants
    except (msgspec.DecodeError, RecursionError) as error:
        log.warning("what was known of zone %s cannot be read and begins anew: %s", zone_id, error)
        return {}


def _last_seen(watch: SoilWatch) -> float:
    return max((sample.timestamp for sample in watch.samples), default=0.0)
