"""The page at /docs in a real browser: nothing from outside, light, dark, desktop, phone, a request that works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from dt.communication.memory import MemoryMessaging
from dt.data.database.app import create_service
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from tests.data.database.full_store import fill

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SERIES = "#operations-readings-series"


@pytest.fixture
def url(settings: Settings, messaging: MemoryMessaging, eventually: Callable[..., None]) -> Iterator[str]:
    """Return the address of a database service with one of everything."""
    free = settings.model_copy(update={"flask_db_url": "http://127.0.0.1:0"})
    service = create_service(free, messaging, SystemClock())
    service.start()
    fill(service, messaging, eventually)
    yield f"http://127.0.0.1:{service.port}"
    service.stop()


@pytest.mark.e2e
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_endpoints_can_be_read_and_tried(chromium: Browser, url: str, scheme: str, width: int, height: int) -> None:
    """The series of a quantity is asked for and shown; no console error, no foreign request, nothing too wide."""
    context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith((url, "data:")) else wrong.append(asked.url))

    page.goto(f"{url}/docs")
    page.locator(f"{SERIES} .opblock-summary-control").click(timeout=30_000)
    page.locator(f"{SERIES} .try-out__btn").click()
    page.locator(f"{SERIES} tr[data-param-name=data_type] select").select_option("temperature")
    page.locator(f"{SERIES} button.execute").click()
    page.locator(f"{SERIES} .live-responses-table .microlight", has_text="resolution_s").first.wait_for()

    is_dark = page.evaluate("document.documentElement.classList.contains('dark-mode')")
    is_too_wide = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    context.close()
    assert (is_dark, is_too_wide, wrong) == (scheme == "dark", False, [])
