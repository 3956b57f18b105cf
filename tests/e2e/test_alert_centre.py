"""Alerts and notices on the page in a real browser, with the alerts service and a webhook behind it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
import requests

from dt.alerts.app import create_service as create_alerts
from dt.communication.memory import MemoryMessaging
from dt.communication.topics import Topics
from dt.data.database.app import create_service as create_database
from dt.utils.clock import SystemClock
from dt.utils.config import Settings, load_settings
from dt.utils.dataclasses import AlertCondition, AlertEvent, AlertState, Plant, Severity
from dt.webapp.app import create_service as create_webapp
from tests.alerts.servers import Webhook

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.e2e

Eventually = Callable[[Callable[[], object], str], None]


@pytest.fixture
def hook() -> Iterator[Webhook]:
    """Return a webhook that serves."""
    with Webhook().serving() as served:
        yield served


@pytest.fixture
def page(chromium: Browser, settings: Settings, messaging: MemoryMessaging, hook: Webhook) -> Iterator[Page]:
    """Return the page of who signed in, on a phone."""
    here = {"env_file": None, "data_dir": settings.data_dir, "dt_token": settings.dt_token, "messaging": "memory"}
    clock = SystemClock()
    own = {"flask_alerts_url": "http://127.0.0.1:0", "notice_urls": f"json://127.0.0.1:{hook.port}/s3cret"}
    alerts = create_alerts(load_settings(**here, **own), messaging, clock)
    alerts.start()
    urls = {"flask_alerts_url": f"http://127.0.0.1:{alerts.port}"}
    database = create_database(
        load_settings(**here, **urls, rig_file="none", flask_db_url="http://127.0.0.1:0"), messaging, clock
    )
    database.start()
    urls["flask_db_url"] = f"http://127.0.0.1:{database.port}"
    webapp = create_webapp(load_settings(**here, **urls, flask_dashboard_url="http://127.0.0.1:0"), messaging, clock)
    webapp.start()
    url = f"http://127.0.0.1:{webapp.port}"
    headers = {"Authorization": f"Bearer {settings.dt_token}"}
    plant = Plant(plant_id="basil", zone_id="box", name="Basil").to_dict()
    for path, body in (("zones/box", {"zone_id": "box"}), ("plants/basil", plant)):
        requests.put(f"{urls['flask_db_url']}/{path}", json=body, headers=headers, timeout=10).raise_for_status()
    context = chromium.new_context(viewport={"width": 390, "height": 844}, locale="en-GB")
    page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(f"{error}\n{error.stack}"))
    page.goto(f"{url}/login")
    page.fill("#password", (settings.data_dir / "dashboard_password").read_text("utf-8").strip())
    page.click("x-login-form button")
    page.wait_for_url(f"{url}/")
    yield page
    context.close()
    for service in (webapp, database, alerts):
        service.stop()


def test_an_alert_is_acknowledged_and_resolved_by_a_person(
    page: Page, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """It says what to do; each step is an event by the dashboard, and the list follows."""
    page.wait_for_selector("x-connection-state[data-state=live]")
    condition = AlertCondition(
        key="soil_dry:basil",
        plant_id="basil",
        zone_id="box",
        severity=Severity.CRITICAL,
        description="The soil of Basil is dry: 0.1 m³/m³, and its lower limit is 0.25.",
        advice="Give about 300 ml of water.",
        active=True,
        timestamp=time.time(),
        correlation_id="reading-1",
    )
    messaging.publish(Topics.ALERT_CONDITIONS, condition, key="basil")
    item = page.locator("x-alert-list li", has_text="The soil of Basil is dry")
    item.locator("p:has-text('Give about 300 ml of water.')").wait_for()

    item.locator("button:has-text('I look after it')").press("Enter")
    item.locator(".foot:has-text('acknowledged by dashboard')").wait_for()
    assert item.locator("button:has-text('I look after it')").count() == 0
    item.locator("button:has-text('It is over')").click()
    page.locator("x-alert-list .empty:has-text('Nothing needs attention.')").wait_for()

    steps = [AlertEvent.from_json(record.value or b"") for record in messaging.read_all(Topics.ALERTS)]
    assert [(step.state, step.by) for step in steps] == [
        (AlertState.OPEN, "alerts"), (AlertState.ACKNOWLEDGED, "dashboard"), (AlertState.RESOLVED, "dashboard")
    ]  # fmt: skip


def test_the_test_button_sends_a_notice_and_says_that_it_was_taken(page: Page, hook: Webhook) -> None:
    """Addresses are shown without their secrets, with what became of the last message."""
    page.locator("x-notice-list strong:has-text('json, NOTICE_URLS 1')").wait_for()
    page.locator("x-notice-list button").click()
    page.locator("x-notice-list .empty:has-text('The test was taken by every address.')").wait_for()
    assert [message["title"] for message in hook.taken] == ["Plant Twin: test"]

    hook.status = 500
    page.locator("x-notice-list button").click()
    page.locator("x-notice-list li[data-well=false] p:has-text('failed')").wait_for()
    assert "s3cret" not in page.content()
