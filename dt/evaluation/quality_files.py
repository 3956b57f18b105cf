"""The quality gates on measurements that nobody made for them: `../shared/data`, read as `dt replay` reads files."""

from __future__ import annotations

import csv
import itertools
import json
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from dt.evaluation.mapping import parse_mappings
from dt.evaluation.measurements import MeasurementFile, Tally, TimeColumn, cells_of, read_file
from dt.evaluation.quality_run import Judgement, Key, doubted_spans, judgements
from dt.evaluation.replay import ReplayRequest, descriptors_of, readings_of
from dt.plant.air import absolute_humidity_g_m3, humidity_ratio, saturation_vapour_pressure_kpa
from dt.plant.evapotranspiration import DayWeather, Site, reference_evapotranspiration_mm
from dt.utils.dataclasses import SensorData

MONTH_S = 30.4375 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedFile:
    """A file's readings with the last word on each, and what could not be read of it."""

    found: dict[Key, Judgement]
    readings: Sequence[SensorData]
    tally: Tally

    @property
    def spans(self) -> list[tuple[str, float, float, str]]:
        """Return the stretches of doubt."""
        times = sorted({reading.timestamp for reading in self.readings})
        pause_s = statistics.median(after - before for before, after in itertools.pairwise(times))
        return doubted_spans(self.found.values(), max(3600.0, 3.0 * pause_s))

    @property
    def sensor_months(self) -> float:
        """Return how long all sensors together were watched."""
        ends: dict[str, list[float]] = {}
        for reading in self.readings:
            ends.setdefault(reading.sensor_id, []).append(reading.timestamp)
        return sum((max(times) - min(times)) / MONTH_S for times in ends.values())


def judged_file(path: Path, time: TimeColumn, *mappings: str) -> JudgedFile:
    """Send a file's readings through the processor."""
    return judged_table(read_file(path), time, *mappings)


def judged_table(file: MeasurementFile, time: TimeColumn, *mappings: str) -> JudgedFile:
    """Send a table's readings through the processor."""
    request = ReplayRequest(file=file, time=time, mappings=parse_mappings(mappings), plant_id="archive")
    tally = Tally()
    cells = list(cells_of(file, time, request.mappings, tally))
    readings = list(readings_of(request, cells))
    return JudgedFile(found=judgements(readings, descriptors_of(request, cells)), readings=readings, tally=tally)


def park(data: Path) -> JudgedFile:
    """Ten probes of soil moisture, hourly; day and hour stand in two columns."""
    path = data / "park_vwc" / "vwc_hourly.csv"
    probes = [name for name in read_file(path).names if name.startswith("SENS")]
    return judged_file(path, TimeColumn(name="day+hour"), *(f"{probe}=soil_moisture:%" for probe in probes))


def greenhouse(data: Path) -> JudgedFile:
    """Two pairs of sensors of one air, every five minutes."""
    path = data / "greenhouse_climate" / "Koala_GreenhouseClimate.csv"
    columns = ("Tair=temperature", "Tair_sigrow=temperature", "Rhair=humidity", "Rhair_sigrow=humidity")
    return judged_file(path, TimeColumn(name="Date"), *columns, "PARin=light_intensity:umol/m2/s")


def office(data: Path) -> JudgedFile:
    """Temperature, humidity and light of an office, every minute."""
    columns = ("Temperature=temperature", "Humidity=humidity", "Light=light_intensity")
    return judged_file(data / "indoor_climate" / "datatest.txt", TimeColumn(name="date"), *columns)


def pot(data: Path) -> JudgedFile:
    """One pot with a capacitive probe."""
    path = data / "watering_pot" / "moisture.csv"
    return judged_file(path, TimeColumn(name="local_time"), "fraction=soil_moisture:fraction")


def logger(data: Path) -> JudgedFile:
    """A field logger whose clock fell back to 2000 and forward to 2049; empty ports say `* * *`."""
    path = data / "logger_faults" / "EM20068_2015.txt"
    table = read_file(path)
    columns = []
    names = []
    for number, name in enumerate(table.names):
        short = f"p{number}" if number else "time"
        names.append(short)
        if number:
            columns.append(f"{short}=soil_moisture" if "VWC" in name else f"{short}={_warmth(name)}")
    return judged_table(replace(table, names=tuple(names)), TimeColumn(name="time"), *columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How many of the wrong readings (or windows) were doubted, and how much of the doubt was right."""

    wrong: int
    caught: int
    doubted: int
    right: int

    @property
    def recall(self) -> float:
        """Return the share of what was wrong that was doubted."""
        return self.caught / self.wrong if self.wrong else 1.0

    @property
    def precision(self) -> float:
        """Return the share of the doubt that was right."""
        return self.right / self.doubted if self.doubted else 1.0


def logger_score(data: Path) -> dict[str, Score]:
    """Return for each fault of the logger how much of it was caught; `* * *` counts when it is refused by its cell."""
    judged = logger(data)
    years = {2000: "year_2000", 2049: "year_2049"}
    names = {"year_2000": [0, 0], "year_2049": [0, 0], "negative": [0, 0]}
    for one in judged.found.values():
        name = years.get(datetime.fromtimestamp(one.timestamp, UTC).year)
        if name is None and one.value < 0.0 and _is_moisture(one.sensor_id):
            name = "negative"
        if name is not None:
            names[name][0] += 1
            names[name][1] += one.is_doubted
    starred = sum(cell.strip().startswith("*") for _line, row in read_file(_logger_path(data)).rows for cell in row)
    scores = {name: Score(wrong=n, caught=c, doubted=c, right=c) for name, (n, c) in names.items()}
    refused = judged.tally.refused
    return {
        **scores,
        "stars": Score(wrong=starred, caught=min(starred, refused), doubted=refused, right=min(starred, refused)),
    }


def labelled_score(data: Path) -> Score:
    """Return windows found, and how many stretches of doubt touch one, on the labelled room temperature."""
    folder = data / "labelled_anomalies"
    name = "ambient_temperature_system_failure.csv"
    labels = json.loads((folder / "windows.json").read_text("utf-8"))[f"realKnownCause/{name}"]
    windows = [
        tuple(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() for text in window) for window in labels
    ]
    spans = judged_file(folder / name, TimeColumn(name="timestamp"), "value=temperature:degF").spans
    caught = sum(any(first <= until and last >= since for _, first, last, _ in spans) for since, until in windows)
    right = sum(any(first <= until and last >= since for since, until in windows) for _, first, last, _ in spans)
    return Score(wrong=len(windows), caught=caught, doubted=len(spans), right=right)


def humidity_rmse_g_m3(data: Path) -> float:
    """Return how far our humidity deficit is from the greenhouse computer's."""
    errors = []
    for row in _rows(data / "greenhouse_climate" / "Koala_GreenhouseClimate.csv"):
        values = [_number(row[name]) for name in ("Tair", "Rhair", "HumDef")]
        if None not in values:
            warmth, humidity, deficit = (value or 0.0 for value in values)
            ours = absolute_humidity_g_m3(warmth, 100.0) - absolute_humidity_g_m3(warmth, humidity)
            errors.append(ours - deficit)
    return _rmse(errors)


def humidity_ratio_rmse(data: Path) -> float:
    """Return how far our humidity ratio is from the office's."""
    file = read_file(data / "indoor_climate" / "datatest.txt")
    places = [file.column(name) for name in ("Temperature", "Humidity", "HumidityRatio")]
    rows = [[float(row[place]) for place in places] for _line, row in file.rows]
    return _rmse([humidity_ratio(warmth, humidity) - ratio for warmth, humidity, ratio in rows])


def eto_rmse_mm_d(data: Path) -> float:
    """Return how far our reference evapotranspiration is from the Ref-ET program's."""
    site = Site(latitude_deg=33.069, elevation_m=361.0, wind_height_m=3.0)
    errors = []
    for row in _rows(data / "eto_reference" / "RefET.csv"):
        weather = DayWeather(
            day_of_year=int(row["DOY"]),
            low_c=float(row["Tmin"]),
            high_c=float(row["Tmax"]),
            solar_mj_m2=float(row["Srad"]),
            wind_m_s=float(row["Wndsp"]),
            vapour_pressure_kpa=saturation_vapour_pressure_kpa(float(row["Tdew"])),
        )
        errors.append(reference_evapotranspiration_mm(weather, site) - float(row["ETref"]))
    return _rmse(errors)


def _logger_path(data: Path) -> Path:
    return data / "logger_faults" / "EM20068_2015.txt"


def _warmth(name: str) -> str:
    return "temperature" if "ECT" in name else "soil_temperature"  # the ECT hangs in the air


def _is_moisture(sensor_id: str) -> bool:
    return sensor_id in _MOISTURE


_MOISTURE = frozenset({"archive-p2", "archive-p4", "archive-p6", "archive-p8"})


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _rmse(errors: Sequence[float]) -> float:
    return math.sqrt(sum(error * error for error in errors) / len(errors))
