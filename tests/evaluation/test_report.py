"""The report on a plant, from a running database service to the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from dt.communication.database_api import DatabaseApiClient
from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import outgoing
from dt.communication.topics import Topics
from dt.data.database.app import DatabaseService
from dt.data.database.app import create_service as create_database
from dt.evaluation.report import ReportError, make_report
from dt.evaluation.report_charts import MOST_POINTS, thinned
from dt.evaluation.report_data import Line, ReportData, collect, gaps, seconds_of, shares, statistics
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from dt.utils.dataclasses import (
    ActionCommand,
    ActionResult,
    AlertEvent,
    AlertState,
    Command,
    DBTimestampQuery,
    Outcome,
    Plant,
    Quality,
    SensorData,
    Severity,
    Verdict,
)
from dt.utils.quantities import Quantity, Unit
from dt.utils.rig import Zone

NOON = 1_800_000_000.0
UNTIL = NOON + 7200.0
FERN = Plant(plant_id="fern", zone_id="shelf", name="<b>Fern</b>", pot_volume_l=2.0)


def soil(at: float, value: float, verdict: Verdict = Verdict.GOOD) -> SensorData:
    """Return a reading of the fern's soil, `at` seconds after noon."""
    return SensorData(
        sensor_id="fern-soil",
        data_type=Quantity.SOIL_MOISTURE,
        value=value,
        unit=Unit.VWC,
        timestamp=NOON + at,
        correlation_id=f"soil@{at:g}",
        zone_id="shelf",
        plant_id="fern",
        quality=Quality(verdict=verdict),
    )


def air(at: float, value: float, zone_id: str) -> SensorData:
    """Return a reading of a zone's air."""
    return SensorData(
        sensor_id=f"{zone_id}-air",
        data_type=Quantity.TEMPERATURE,
        value=value,
        unit=Unit.DEGREE_CELSIUS,
        timestamp=NOON + at,
        correlation_id=f"{zone_id}@{at:g}",
        zone_id=zone_id,
        quality=Quality(verdict=Verdict.GOOD),
    )


def alert(at: float, state: AlertState) -> AlertEvent:
    """Return one step of the fern's alert."""
    return AlertEvent(
        alert_id="alert-1",
        key="soil_dry:fern",
        plant_id="fern",
        severity=Severity.WARNING,
        description="The soil of Fern is dry.",
        active=state is AlertState.OPEN,
        state=state,
        by="alerts",
        timestamp=NOON + at,
        correlation_id=f"soil@{at:g}",
        caused_by=() if state is AlertState.OPEN else ("soil@1200",),
    )


def dose(at: float) -> ActionResult:
    """Return 120 ml that were given."""
    command = ActionCommand(
        action_id="dose-1",
        actuator_id="fern-pump",
        plant_id="fern",
        command=Command.DOSE,
        dose_ml=120.0,
        issuer="ada",
        reason="dry",
        timestamp=NOON + at,
        correlation_id="soil@1200",
    )
    return ActionResult(
        action_id="dose-1",
        actuator_id="fern-pump",
        plant_id="fern",
        outcome=Outcome.DONE,
        delivered_ml=120.0,
        timestamp=NOON + at,
        correlation_id="soil@1200",
        command=command,
    )


def story() -> list[SensorData]:
    """Return a reading a minute for two hours, with half an hour missing, two suspect and one wild."""
    readings = [soil(at, 0.30 - at / 1e5) for at in range(0, 7200, 60) if not 3000 < at < 4800]
    readings += [soil(61, 0.5, Verdict.SUSPECT), soil(62, 0.5, Verdict.SUSPECT), soil(63, 65535.0, Verdict.BAD)]
    return readings + [air(at, 21.0, zone) for zone in ("shelf", "cellar") for at in range(0, 7200, 60)]


@pytest.fixture
def client(
    settings: Settings, messaging: MemoryMessaging, eventually: Callable[..., None]
) -> Iterator[DatabaseApiClient]:
    """Return a client of a genuine database service that has recorded the story."""
    service = create_database(
        settings.model_copy(update={"flask_db_url": "http://127.0.0.1:0"}), messaging, SystemClock()
    )
    service.start()
    with DatabaseApiClient(f"http://127.0.0.1:{service.port}", "test-token") as api:
        api.put_zone(Zone(zone_id="shelf"))
        api.put_plant(FERN)
        _publish(messaging)
        eventually(lambda: _is_recorded(service, api), "the story is recorded")
        yield api
    service.stop()


@pytest.fixture
def data(client: DatabaseApiClient) -> ReportData:
    """Return what the report tells."""
    return collect(client, "fern", NOON, UNTIL)


def test_report_tells_of_the_plant_and_its_zone_alone(data: ReportData) -> None:
    """The soil stands on top; the air of another zone is none of its business."""
    assert [line.sensor_id for line in data.lines] == ["fern-soil", "shelf-air"]


def test_shares_count_every_verdict(data: ReportData) -> None:
    """Two suspect and one bad reading among all of the soil's."""
    [row, _] = shares(data.lines).to_dict("records")

    assert row["readings"] == len([r for r in story() if r.sensor_id == "fern-soil"])
    assert row["suspect"] == pytest.approx(2 / row["readings"])
    assert row["bad"] == pytest.approx(1 / row["readings"])
    assert sum(row[name] for name in ("good", "suspect", "bad", "unjudged")) == pytest.approx(1.0)


def test_bad_readings_move_no_statistics(data: ReportData) -> None:
    """65535 m3/m3 was never in the pot."""
    [row, _] = statistics(data.lines).to_dict("records")

    assert row["max"] == 0.5


def test_missing_half_hour_is_the_one_gap(data: ReportData) -> None:
    """From the last reading before to the first one after."""
    [gap] = gaps(data.lines, NOON, UNTIL).to_dict("records")

    assert (gap["sensor"], gap["since"], gap["until"]) == ("fern-soil", NOON + 3000, NOON + 4800)


def test_silence_at_the_edges_is_a_gap_too(client: DatabaseApiClient) -> None:
    """A sensor that came late or died leaves no hole between readings."""
    longer = collect(client, "fern", NOON - 3600, UNTIL + 3600)

    found = gaps(longer.lines, NOON - 3600, UNTIL + 3600)
    assert len(found) == 5


def test_no_line_is_drawn_through_a_gap(data: ReportData) -> None:
    """Where nothing was measured the chart shows nothing."""
    drawn = thinned(data.lines[0])["mean"]

    [hole] = seconds_of(drawn.index[drawn.isna()])
    assert NOON + 3000 < hole < NOON + 4800


def test_long_line_is_thinned_and_keeps_its_extremes() -> None:
    """A dense hour beside a sparse fortnight stays connected, and no spike is averaged away."""
    times = [*range(0, 1_209_600, 3600), *range(1_209_600, 1_213_200)]
    index = pd.to_datetime([NOON + at for at in times], unit="s", utc=True)
    readings = pd.DataFrame({"value": 0.3, "verdict": "good"}, index=index)
    readings.iloc[-5, 0] = 0.9
    line = Line(quantity=Quantity.SOIL_MOISTURE, sensor_id="s", unit="m3/m3", readings=readings)

    drawn = thinned(line)

    assert len(drawn) <= MOST_POINTS
    assert drawn["max"].max() == 0.9
    assert not drawn["mean"].isna().any()


def test_alert_lasts_from_its_opening_to_its_end(data: ReportData) -> None:
    """The records show an alert as it stands now; its trace tells when it began."""
    [span] = data.alerts

    assert (span.since, span.until) == (NOON + 1200, NOON + 2400)


def test_page_needs_no_network(client: DatabaseApiClient, tmp_path: Path) -> None:
    """plotly.js is in the page; no script, style or picture comes from elsewhere."""
    html = make_report(client, "fern", NOON, UNTIL, tmp_path / "new" / "fern.html").read_text("utf-8")

    assert "Plotly.newPlot" in html
    assert re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)\s*=\s*[\"']?(?:https?:)?//", html) == []
    for text in ("Soil moisture", "1 gap, 30 min", "1 dose, 120 ml", "The soil of Fern is dry.", "ada"):
        assert text in html


def test_names_are_text_on_the_page(client: DatabaseApiClient, tmp_path: Path) -> None:
    """A plant's name cannot bring markup of its own."""
    html = make_report(client, "fern", NOON, UNTIL, tmp_path / "fern.html").read_text("utf-8")

    assert "<b>Fern" not in html
    assert "&lt;b&gt;Fern" in html


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")])
def test_picture_is_written_in_the_kind_that_its_name_says(
    client: DatabaseApiClient, tmp_path: Path, name: str, start: bytes
) -> None:
    """By Matplotlib, without a display."""
    assert make_report(client, "fern", NOON, UNTIL, tmp_path / name).read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("plant_id", "until", "name", "why"),
    [
        ("rose", UNTIL, "a.html", "no plant 'rose' is known; there are: .*fern"),
        ("fern", UNTIL, "a.docx", r"a report is one of \.html"),
        ("fern", NOON, "a.html", "must end after it begins"),
    ],
)
def test_what_cannot_be_reported_is_said(
    client: DatabaseApiClient, tmp_path: Path, plant_id: str, until: float, name: str, why: str
) -> None:
    """One line, and no file."""
    with pytest.raises(ReportError, match=why):
        make_report(client, plant_id, NOON, until, tmp_path / name)

    assert list(tmp_path.glob("a.*")) == []


def test_empty_time_is_no_report(client: DatabaseApiClient, tmp_path: Path) -> None:
    """A page of nothing would look like a plant that is well."""
    with pytest.raises(ReportError, match="no readings"):
        make_report(client, "fern", NOON - 7200, NOON - 3600, tmp_path / "a.html")


def _publish(messaging: MemoryMessaging) -> None:
    messaging.publish_batch(
        [outgoing(Topics.of(reading.data_type).processed, reading, key=reading.zone_id) for reading in story()]
    )
    for step in (alert(1200, AlertState.OPEN), alert(2400, AlertState.RESOLVED)):
        messaging.publish(Topics.ALERTS, step, key="fern")
    messaging.publish(Topics.ACTION_RESULTS, dose(1260), key="fern-pump")


def _is_recorded(service: DatabaseService, api: DatabaseApiClient) -> bool:
    alerts = api.alerts(plant_id="fern")
    if service.ready() is not None or not alerts or alerts[0].state != AlertState.RESOLVED:
        return False
    kept = sum(
        len(api.query_timestamp(DBTimestampQuery(data_type=quantity, since=NOON, until=UNTIL)))
        for quantity in (Quantity.SOIL_MOISTURE, Quantity.TEMPERATURE)
    )
    return bool(api.actions(plant_id="fern")) and kept == len(story())
