"""The page in a real browser: log in memory, database in SQLite, dashboard, chromium."""

from __future__ import annotations

import hashlib
import io
import re
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
import requests
from PIL import Image

from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import Outgoing, outgoing
from dt.communication.topics import Topics
from dt.data.database.app import create_service as create_database
from dt.utils.clock import SystemClock
from dt.utils.config import Settings, load_settings
from dt.utils.dataclasses import (
    ActionCommand,
    ActionResult,
    AlertEvent,
    AlertState,
    CameraFrame,
    Command,
    Origin,
    Outcome,
    Plant,
    Quality,
    Refusal,
    SensorData,
    Severity,
    Verdict,
)
from dt.utils.quantities import QUANTITIES, Quantity
from dt.webapp.app import create_service as create_webapp

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

pytestmark = pytest.mark.e2e

Eventually = Callable[[Callable[[], object], str], None]
SHOWN = (Quantity.TEMPERATURE, Quantity.HUMIDITY, Quantity.SOIL_MOISTURE, Quantity.LIGHT_INTENSITY)
_SERIES = ".scatterlayer .trace path.js-line"


@pytest.fixture
def dashboard_url(settings: Settings, messaging: MemoryMessaging, eventually: Eventually) -> Iterator[str]:
    """Return the address of a dashboard that has two plants, a day of history, an alert, a refusal and a picture."""
    here = {"env_file": None, "data_dir": settings.data_dir, "dt_token": settings.dt_token, "messaging": "memory"}
    clock = SystemClock()
    database = create_database(
        load_settings(**here, rig_file="none", flask_db_url="http://127.0.0.1:0"), messaging, clock
    )
    database.start()
    database_url = f"http://127.0.0.1:{database.port}"
    own = load_settings(**here, flask_dashboard_url="http://127.0.0.1:0", flask_db_url=database_url)
    webapp = create_webapp(own, messaging, clock)
    webapp.start()
    headers = {"Authorization": f"Bearer {settings.dt_token}"}
    plant = Plant(plant_id="basil", zone_id="box", name="Basil").to_dict()
    old = Plant(plant_id="pot-2019", zone_id="pot-2019", name="Pot of 2019", archived=True).to_dict()
    for path, body in (("zones/box", {"zone_id": "box"}), ("plants/basil", plant), ("plants/pot-2019", old)):
        requests.put(f"{database_url}/{path}", json=body, headers=headers, timeout=10).raise_for_status()
    now = time.time()
    messaging.publish_batch([*_history(now), *_records(now)])
    series = f"{database_url}/series?plant_id=basil&data_type=soil_moisture&points=1000"
    eventually(lambda: sum(requests.get(series, timeout=5).json()["n"]) == 288, "the history is stored")
    yield f"http://127.0.0.1:{webapp.port}"
    webapp.stop()
    database.stop()


@pytest.fixture
def page(chromium: Browser, dashboard_url: str) -> Iterator[Page]:
    """Return the dashboard in a phone-wide window; console errors and failed requests fail the test."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, timezone_id="Europe/Rome", locale="en-GB")
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if _is_wrong(message) else None)
    page.on("pageerror", lambda error: wrong.append(f"{error}\n{error.stack}"))
    page.on("request", lambda request: None if request.url.startswith(dashboard_url) else wrong.append(request.url))
    page.goto(dashboard_url)
    yield page
    context.close()
    assert [text for text in wrong if not text.startswith(("ws:", "blob:", "data:"))] == []


def _is_wrong(message: ConsoleMessage) -> bool:
    """Return whether a page should not have said that; no controller and no alerts service run here."""
    absent = ("/api/actuators", "/api/ledger", "/api/notices", "/api/vacation")
    is_absent = message.location["url"].partition("?")[0].endswith(absent)
    return message.type in ("error", "warning") and not (is_absent and "502" in message.text)


def _publish_live(messaging: MemoryMessaging, value: float, quantity: Quantity = Quantity.SOIL_MOISTURE) -> SensorData:
    reading = _reading(quantity, value, time.time(), Origin.LIVE)
    messaging.publish(Topics.of(quantity).processed, reading, key="box")
    return reading


def test_a_live_value_appears_without_reloading(page: Page, messaging: MemoryMessaging) -> None:
    """Value, unit, verdict and age are on the tile within moments."""
    page.wait_for_selector("x-connection-state[data-state=live]")

    _publish_live(messaging, 0.312)

    tile = page.locator("x-reading-tile[quantity=soil_moisture]")
    tile.locator(".value", has_text="0.312").wait_for()
    assert tile.locator(".unit").inner_text() == "m³/m³"
    assert tile.locator(".badge").inner_text() == "good"
    assert "ago" in tile.locator(".age").inner_text() or "just now" in tile.locator(".age").inner_text()


def test_history_alert_refusal_and_picture_are_shown(page: Page, eventually: Eventually) -> None:
    """Each of the four charts has a line; the soil's has the dose and the alert; refusals name their margin."""
    for quantity in SHOWN:
        page.wait_for_selector(f"x-reading-chart[quantity={quantity}] {_SERIES}", state="attached")
    assert page.locator("x-reading-chart[quantity=soil_moisture] path.point").count() == 2
    label = page.locator("x-reading-chart[quantity=soil_moisture] .plot").get_attribute("aria-label") or ""
    assert label.startswith("Soil moisture, last 24 hours: latest 0.2")
    assert page.locator("x-alert-list li").inner_text().startswith("!\nSoil is dry")
    refusal = page.locator("x-action-list .refusal").inner_text()
    assert "S2 · pause between doses" in refusal
    assert "\N{MINUS SIGN}288" in refusal
    page.locator("x-camera-picture img").scroll_into_view_if_needed()
    width = "document.querySelector('x-camera-picture img').naturalWidth"
    eventually(lambda: page.evaluate(width) == 64, "the picture is loaded")
    assert page.locator("x-camera-picture .flag").all_inner_texts() == ["blurred"]
    assert "blurred" in (page.locator("x-camera-picture img").get_attribute("alt") or "")


def test_the_slider_goes_back_through_the_days_pictures(
    page: Page, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """Hours ago there was a dark one, before that none; a live picture does not take the chosen one away."""
    messaging.publish_batch(_picture(time.time() - 5 * 3600, "frame-dark", (32, 24), flags=("dark",)))
    slider = page.locator("x-camera-picture input")
    slider.wait_for()
    width = "document.querySelector('x-camera-picture img').naturalWidth"
    choose = "(slider, steps) => { slider.value = 96 - steps; slider.dispatchEvent(new Event('input')); }"

    def shows_the_dark_one() -> bool:
        slider.evaluate(choose, 20)
        return page.locator("x-camera-picture .flag").all_inner_texts() == ["dark"] and page.evaluate(width) == 32

    eventually(shows_the_dark_one, "the picture of five hours ago is shown")
    messaging.publish_batch(_picture(time.time(), "frame-live", (80, 60)))
    assert page.evaluate(width) == 32
    slider.evaluate(choose, 40)
    page.locator("x-camera-picture .note", has_text="No picture of that time").wait_for()
    slider.evaluate(choose, 0)
    eventually(lambda: page.evaluate(width) == 80, "the live picture is shown again")


def test_a_search_that_fails_once_hides_no_picture_for_good(
    page: Page, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """The same picture is fetched anew after it; the slider says its time and can be hit by a finger."""
    slider = page.locator("x-camera-picture input")
    slider.wait_for()
    image = page.locator("x-camera-picture img")
    width = "document.querySelector('x-camera-picture img').naturalWidth"
    choose = "(slider, steps) => { slider.value = 96 - steps; slider.dispatchEvent(new Event('input')); }"
    eventually(lambda: page.evaluate(width) > 0, "the latest picture is shown")
    assert slider.get_attribute("aria-valuetext") == "the latest picture"
    assert (slider.bounding_box() or {"height": 0})["height"] >= 24

    frames = re.compile(r"/frames\?")
    page.route(frames, lambda route: route.fulfill(body="cut off", content_type="application/json"))
    slider.evaluate(choose, 20)
    page.locator("x-camera-picture .note:not([hidden])").wait_for()
    assert image.get_attribute("alt") == ""
    assert slider.get_attribute("aria-valuetext") != "the latest picture"
    page.unroute(frames)
    slider.evaluate(choose, 0)

    image.wait_for(state="visible")
    assert slider.get_attribute("aria-valuetext") == "the latest picture"


def test_why_shows_the_chain_of_causes(page: Page) -> None:
    """Reading, alert, command and result, in that order."""
    page.locator("x-action-list li", has_text="done").locator(".why").click()

    page.wait_for_selector("x-trace-dialog .chain li:nth-child(4)")
    kinds = page.locator("x-trace-dialog .kind").all_inner_texts()
    assert [kind.split("\n")[0] for kind in kinds] == ["Reading", "Alert", "Command", "Result"]
    page.keyboard.press("Escape")
    assert not page.locator("x-trace-dialog dialog").is_visible()


def test_theme_and_range_are_reached_by_keyboard_and_nothing_overflows(page: Page) -> None:
    """The page is usable without a mouse and fits a phone."""
    page.wait_for_selector("x-connection-state[data-state=live]")
    page.locator("input[value='24h']").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("input[value='7d']").is_checked()
    page.locator("x-theme-toggle button").focus()

    page.keyboard.press("Enter")

    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_an_archived_plant_can_be_chosen(page: Page) -> None:
    """It has a range of its own and no live values."""
    page.locator("#plant option").nth(1).wait_for(state="attached")

    page.select_option("#plant", "pot-2019")

    page.locator("x-range-picker label", has_text="All").wait_for()
    assert page.locator("x-reading-tile[quantity=soil_moisture] .value").inner_text() == "\N{EN DASH}"


def _history(now: float) -> list[Outgoing]:
    return [
        outgoing(
            Topics.of(quantity).processed,
            _reading(quantity, level + step / 10_000, now - 86_000 + 295 * step, Origin.BACKFILL),
            "box",
        )
        for quantity, level in zip(SHOWN, (21.0, 55.0, 0.2, 900.0), strict=True)
        for step in range(288)
    ]


def _reading(quantity: Quantity, value: float, timestamp: float, origin: Origin) -> SensorData:
    return SensorData(
        sensor_id=f"sensor-{quantity}",
        data_type=quantity,
        value=value,
        unit=QUANTITIES[quantity].unit,
        timestamp=timestamp,
        correlation_id=f"{quantity}-{timestamp:.3f}",
        zone_id="box",
        plant_id="basil" if quantity is Quantity.SOIL_MOISTURE else None,
        quality=Quality(verdict=Verdict.GOOD),
        origin=origin,
    )


def _records(now: float) -> list[Outgoing]:
    cause = _reading(Quantity.SOIL_MOISTURE, 0.2, now - 86_000, Origin.BACKFILL).correlation_id
    alert = AlertEvent(
        alert_id="dry-1",
        key="dry/basil",
        severity=Severity.WARNING,
        description="Soil is dry",
        active=True,
        state=AlertState.OPEN,
        by="alerts",
        timestamp=now - 3600,
        correlation_id="alert-1",
        plant_id="basil",
        zone_id="box",
        caused_by=(cause,),
    )
    done = _result("a-1", Outcome.DONE, now - 3000, delivered_ml=58.0, on_s=11.6)
    refusal = Refusal(invariant="S2", value=312.0, limit=600.0, margin=-288.0, why="it rests for 10 min")
    refused = _result("a-2", Outcome.REFUSED, now - 2700, refusal=refusal)
    return [
        outgoing(Topics.ALERTS, alert, "basil"),
        outgoing(Topics.ACTION_RESULTS, done, "pump"),
        outgoing(Topics.ACTION_RESULTS, refused, "pump"),
        *_picture(now - 60, "frame-1", (64, 48), flags=("blurred",)),
    ]


def _picture(
    at: float, correlation_id: str, size: tuple[int, int], flags: tuple[str, ...] = ()
) -> tuple[Outgoing, Outgoing]:
    picture = io.BytesIO()
    Image.new("RGB", size, (40, 120, 60)).save(picture, "JPEG")
    digest = hashlib.sha256(picture.getvalue()).hexdigest()
    frame = CameraFrame(
        sensor_id="camera",
        zone_id="box",
        timestamp=at,
        correlation_id=correlation_id,
        width=size[0],
        height=size[1],
        flags=flags,
        url=f"/frames/{digest}.jpg",
        sha256=digest,
    )
    return (
        Outgoing(Topics.CAMERA_IMAGE.raw, picture.getvalue(), "box", {}),
        outgoing(Topics.CAMERA_IMAGE.processed, frame, "box"),
    )


def _result(action_id: str, outcome: Outcome, timestamp: float, **more: object) -> ActionResult:
    command = ActionCommand(
        action_id=action_id,
        actuator_id="pump",
        plant_id="basil",
        command=Command.DOSE,
        dose_ml=60.0,
        issuer="policy",
        reason="Soil is dry",
        timestamp=timestamp - 10,
        correlation_id=f"command-{action_id}",
        caused_by=("alert-1",),
    )
    fields: dict[str, object] = {
        "action_id": action_id,
        "actuator_id": "pump",
        "outcome": outcome,
        "timestamp": timestamp,
        "correlation_id": command.correlation_id,
        "plant_id": "basil",
        "command": command,
        **more,
    }
    return ActionResult(**fields)  # type: ignore[arg-type]
