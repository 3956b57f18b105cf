"""What a report tells of a plant: its series with verdicts and gaps, its alerts and doses, as pandas tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dt.communication.database_api import DatabaseApiClient
from dt.utils.dataclasses import ActionResult, AlertEvent, AlertState, DBTimestampQuery, Plant, SensorData, Verdict
from dt.utils.exceptions import DTError
from dt.utils.quantities import QUANTITIES, Quantity

if TYPE_CHECKING:
    import pandas as pd

VERDICTS = (*(verdict.value for verdict in Verdict), "unjudged")
SLICE_S = 86_400.0  # readings are fetched a day at a time, so that a long range needs no more memory than its numbers
GAP_TIMES = 5.0  # a gap is this many times as long as the pauses around it,
GAP_AT_LEAST_S = 120.0  # and no shorter than this
_NEIGHBOURS = 25
_MOST_RECORDS = 1000


class ReportError(DTError):
    """There is nothing to report on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One sensor's readings of one quantity: columns `value` and `verdict`, indexed by UTC time."""

    quantity: Quantity
    sensor_id: str
    unit: str
    readings: pd.DataFrame

    @property
    def label(self) -> str:
        """Return the quantity's name for people."""
        return QUANTITIES[self.quantity].label


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSpan:
    """One alert from its opening to its end (None while it lasts), in epoch seconds."""

    event: AlertEvent
    since: float
    until: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """Everything that the report shows."""

    plant: Plant
    since: float
    until: float
    lines: Sequence[Line]
    alerts: Sequence[AlertSpan]
    actions: Sequence[ActionResult]

    @property
    def doses(self) -> list[ActionResult]:
        """Return the commands that water came of."""
        return [result for result in self.actions if result.delivered_ml]


def collect(client: DatabaseApiClient, plant_id: str, since: float, until: float) -> ReportData:
    """Ask the database service for a plant's story from `since` to `until` (UTC epoch seconds).

    Raises ReportError when it knows no such plant or nothing happened, and what the client raises.
    """
    plants = client.plants()
    plant = next((plant for plant in plants if plant.plant_id == plant_id), None)
    if plant is None:
        known = ", ".join(sorted(plant.plant_id for plant in plants)) or "none"
        raise ReportError(f"no plant {plant_id!r} is known; there are: {known}")
    lines = [line for quantity in _charted() for line in _lines(client, plant, quantity, since, until)]
    if not lines:
        raise ReportError(f"{plant_id}: no readings in this time")
    return ReportData(
        plant=plant,
        since=since,
        until=until,
        lines=lines,
        alerts=_alerts(client, plant_id, since, until),
        actions=_actions(client, plant_id, since, until),
    )


def shares(lines: Sequence[Line]) -> pd.DataFrame:
    """Return one row per line: how many readings, and the share of each verdict."""
    import pandas as pd

    rows = []
    for line in lines:
        counts = line.readings["verdict"].value_counts()
        total = len(line.readings)
        share = {name: counts.get(name, 0) / total for name in VERDICTS}
        rows.append({"quantity": line.label, "sensor": line.sensor_id, "readings": total, **share})
    return pd.DataFrame(rows)


def statistics(lines: Sequence[Line]) -> pd.DataFrame:
    """Return one row per line: least, mean and greatest of what is not bad, and the last value."""
    import pandas as pd

    rows = []
    for line in lines:
        values = believable(line)["value"]
        if values.empty:
            continue
        row = {"quantity": line.label, "sensor": line.sensor_id, "unit": line.unit}
        rows.append({**row, "min": values.min(), "mean": values.mean(), "max": values.max(), "last": values.iloc[-1]})
    return pd.DataFrame(rows)


def gaps(lines: Sequence[Line], since: float, until: float) -> pd.DataFrame:
    """Return every stretch without readings, longest first: quantity, sensor, since, until (UTC), seconds."""
    import pandas as pd

    rows = [
        {"quantity": line.label, "sensor": line.sensor_id, "since": begin, "until": end, "seconds": end - begin}
        for line in lines
        for begin, end in _gaps_of(line, since, until)
    ]
    table = pd.DataFrame(rows, columns=["quantity", "sensor", "since", "until", "seconds"])
    return table.sort_values("seconds", ascending=False, ignore_index=True)


def inner_gaps(line: Line) -> Iterator[tuple[float, float]]:
    """Yield the stretches between two readings that are far longer than those around them, in epoch seconds."""
    import pandas as pd

    times = pd.Series(seconds_of(line.readings.index).to_numpy())
    pauses = times.diff()
    usual = pauses.rolling(_NEIGHBOURS, min_periods=1, center=True).median()
    is_gap = (pauses > GAP_TIMES * usual) & (pauses > GAP_AT_LEAST_S)
    for at in times.index[is_gap]:
        yield float(times[at - 1]), float(times[at])


def believable(line: Line) -> pd.DataFrame:
    """Return the readings that no gate called bad."""
    return line.readings[line.readings["verdict"] != Verdict.BAD.value]


def seconds_of(index: pd.Index[Any]) -> pd.Index[float]:
    """Return the epoch seconds of a UTC index.

    >>> import pandas as pd
    >>> seconds_of(pd.DatetimeIndex(["1970-01-01T00:00:01.5Z"])).tolist()
    [1.5]
    """
    import pandas as pd

    return pd.DatetimeIndex(index).as_unit("ms").astype("int64") / 1000.0


def _charted() -> list[Quantity]:
    first = (Quantity.SOIL_MOISTURE,)  # what the plant lives on stands on top
    same = (Quantity.TEMPERATURE_1H, Quantity.SOIL_MOISTURE_1H)  # as the readings that they are the mean of
    return [*first, *(q for q in QUANTITIES if q not in (*first, *same, Quantity.CAMERA_IMAGE))]


def _lines(client: DatabaseApiClient, plant: Plant, quantity: Quantity, since: float, until: float) -> Iterator[Line]:
    """Yield the plant's own sensors of a quantity; where it has none, those of its zone's air and light."""
    import pandas as pd

    found = _columns(client, quantity, since, until, plant) or _columns(
        client, quantity, since, until, plant, shared=True
    )
    for (sensor_id, unit), (times, values, verdicts) in sorted(found.items()):
        index = pd.to_datetime(times, unit="s", utc=True)
        readings = pd.DataFrame({"value": values, "verdict": pd.Categorical(verdicts, VERDICTS)}, index=index)
        yield Line(quantity=quantity, sensor_id=sensor_id, unit=unit, readings=readings.sort_index())


_Columns = dict[tuple[str, str], tuple[list[float], list[float], list[str]]]


def _columns(
    client: DatabaseApiClient, quantity: Quantity, since: float, until: float, plant: Plant, *, shared: bool = False
) -> _Columns:
    columns: _Columns = {}
    plant_id = None if shared else plant.plant_id
    for begin, end in _slices(since, until):
        query = DBTimestampQuery(data_type=quantity, since=begin, until=end, plant_id=plant_id)
        for reading in client.query_timestamp(query):
            if not shared or (reading.zone_id == plant.zone_id and reading.plant_id is None):
                times, values, verdicts = columns.setdefault((reading.sensor_id, reading.unit), ([], [], []))
                times.append(reading.timestamp)
                values.append(reading.value)
                verdicts.append(_verdict_of(reading))
    return columns


def _slices(since: float, until: float) -> Iterator[tuple[float, float]]:
    while since < until:
        yield since, min(since + SLICE_S, until)
        since += SLICE_S


def _verdict_of(reading: SensorData) -> str:
    return "unjudged" if reading.quality is None else reading.quality.verdict.value


def _gaps_of(line: Line, since: float, until: float) -> Iterator[tuple[float, float]]:
    yield from inner_gaps(line)
    times = seconds_of(line.readings.index)
    ordinary = float((times[1:] - times[:-1]).to_series().median()) if len(times) > 1 else 0.0
    least = max(GAP_TIMES * ordinary, GAP_AT_LEAST_S)
    edges = [(since, float(times[0])), (float(times[-1]), until)]
    yield from ((begin, end) for begin, end in edges if end - begin > least)


def _alerts(client: DatabaseApiClient, plant_id: str, since: float, until: float) -> list[AlertSpan]:
    spans = []
    for event in client.alerts(plant_id=plant_id, limit=_MOST_RECORDS):
        is_over = event.state is AlertState.RESOLVED
        begin = _opened_at(client, event)
        if begin < until and not (is_over and event.timestamp < since):
            spans.append(AlertSpan(event=event, since=begin, until=event.timestamp if is_over else None))
    return sorted(spans, key=lambda span: span.since)


def _opened_at(client: DatabaseApiClient, event: AlertEvent) -> float:
    """Return when an alert was opened; the records show each as it stands now, its trace tells the steps."""
    if event.state is AlertState.OPEN:
        return event.timestamp
    steps: list[dict[str, Any]] = [step["body"] for step in client.trace(event.correlation_id)]
    return min(
        (float(step["timestamp"]) for step in steps if step.get("alert_id") == event.alert_id), default=event.timestamp
    )


def _actions(client: DatabaseApiClient, plant_id: str, since: float, until: float) -> list[ActionResult]:
    items = client.actions(plant_id=plant_id, since=since, until=until, limit=_MOST_RECORDS)
    return sorted(items, key=lambda result: result.timestamp)
