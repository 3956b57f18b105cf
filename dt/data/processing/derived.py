"""Readings that follow from others: vapour pressure deficit, per zone and origin, and the state that this takes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from dt.communication.messaging import Outgoing, Record
from dt.communication.topics import Topics
from dt.data.processing.air_pairs import AirPairs, Half
from dt.plant.air import vapour_pressure_deficit_kpa
from dt.utils.dataclasses import Quality, SensorData, Verdict
from dt.utils.ids import derived_id
from dt.utils.logger import get_logger
from dt.utils.quantities import Quantity, Unit

AIR = frozenset({Quantity.TEMPERATURE, Quantity.HUMIDITY})

_RANK: dict[str, int] = {Verdict.GOOD: 0, Verdict.SUSPECT: 1, Verdict.BAD: 2}
_GOOD = Quality(verdict=Verdict.GOOD)
_encoder = msgspec.json.Encoder()

log = get_logger(__name__)


class _Air(msgspec.Struct):
    """One air: readings of different plants or origins are never mixed."""

    plant_id: str | None
    origin: str
    pairs: AirPairs


class DerivedAir:
    """Vapour pressure deficit for every zone; `changed` gives the state to commit with the outputs."""

    def __init__(self) -> None:
        self._airs: dict[str, dict[tuple[str | None, str], AirPairs]] = {}
        self._dirty: set[str] = set()

    def restore(self, state: Sequence[Record]) -> None:
        """Begin from the state topic's records."""
        self._airs.clear()
        self._dirty.clear()
        for record in state:
            if record.key is not None:
                self._airs[record.key] = _decoded(record)

    def accept(self, reading: SensorData, most: int) -> list[SensorData]:
        """Take a judged reading and return what it completes; a bad one completes nothing."""
        quality = reading.quality or _GOOD
        if quality.verdict is Verdict.BAD or reading.data_type not in AIR:
            return []
        half = Half(
            reading.timestamp,
            reading.correlation_id,
            reading.value,
            quality.verdict,
            quality.check,
            quality.why,
            reading.late,
        )
        pairs = self._pairs_of(reading).accept(reading.data_type, half, most)
        if pairs is None:
            return []
        self._dirty.add(reading.zone_id)
        return [_vpd(reading, *pair) for pair in pairs]

    def changed(self) -> list[Outgoing]:
        """Return the state of the zones that changed since the last call."""
        records = [Outgoing(Topics.STATE_PROCESSING, self._encoded(zone), zone) for zone in sorted(self._dirty)]
        self._dirty.clear()
        return records

    def _pairs_of(self, reading: SensorData) -> AirPairs:
        airs = self._airs.setdefault(reading.zone_id, {})
        key = (reading.plant_id, reading.origin.value)
        pairs = airs.get(key)
        if pairs is None:
            pairs = airs[key] = AirPairs()
        return pairs

    def _encoded(self, zone_id: str) -> bytes:
        airs = self._airs[zone_id].items()
        return _encoder.encode([_Air(plant_id, origin, pairs) for (plant_id, origin), pairs in airs])


def _decoded(record: Record) -> dict[tuple[str | None, str], AirPairs]:
    if record.value is None:
        return {}
    try:
        airs = msgspec.json.decode(record.value, type=list[_Air])
    except (msgspec.DecodeError, RecursionError) as error:
        log.warning("the state of zone %s cannot be read and begins anew: %s", record.key, error)
        return {}
    return {(air.plant_id, air.origin): air.pairs for air in airs}


def _vpd(reading: SensorData, temperature: Half, humidity: Half) -> SensorData:
    """Return the deficit at the later of the two instants, as good as the worse of the two readings."""
    return SensorData(
        sensor_id=f"{reading.plant_id or reading.zone_id}/{Quantity.VPD}",
        data_type=Quantity.VPD,
        value=vapour_pressure_deficit_kpa(temperature.value, humidity.value),
        unit=Unit.KILOPASCAL,
        timestamp=max(temperature.timestamp, humidity.timestamp),
        correlation_id=derived_id("vpd", temperature.correlation_id, humidity.correlation_id),
        zone_id=reading.zone_id,
        plant_id=reading.plant_id,
        quality=_worse(temperature, humidity),
        caused_by=(temperature.correlation_id, humidity.correlation_id),
        late=temperature.late or humidity.late,
        origin=reading.origin,
    )


def _worse(*halves: Half) -> Quality:
    worst = halves[0] if _RANK[halves[0].verdict] >= _RANK[halves[1].verdict] else halves[1]
    if worst.verdict == Verdict.GOOD:
        return _GOOD
    return Quality(verdict=Verdict(worst.verdict), check=worst.check, why=worst.why)
