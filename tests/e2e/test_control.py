"""Control from the page in a real browser: `dt demo` with a fan, a lamp and a heater beside its pumps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from dt.operations.plan import SERVICES, free_port
from dt.utils.config import Config
from tests.conftest import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
MORE = """
[[actuators]]
id = "fan"
kind = "fan"
zone = "box"
pin = "GPIO12"
name = "Fan of the box"

[[actuators]]
id = "heater"
kind = "heater"
zone = "box"
pin = "GPIO19"
name = "Heating mat"

[[actuators]]
id = "herb"
kind = "pump"
plant = "lettuce"
pin = "GPIO23"
name = "Small pump"
flow_ml_s = 2.0
supply = "small"
reservoir = "jar"
reservoir_ml = 700.0

[supplies.small]
limit_w = 10.0
"""
PUMP, FAN = "x-actuator[data-actuator=pump]", "x-actuator[data-actuator=fan]"
HERB = "x-actuator[data-actuator=herb]"
SIZES = {"phone": {"width": 360, "height": 740}, "desktop": {"width": 1280, "height": 900}}


class Demo:
    """A demo in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.urls = {spec.url_setting: f"http://127.0.0.1:{free_port('127.0.0.1')}" for spec in SERVICES}
        (folder / "rig.toml").write_text((ROOT / "rig.toml").read_text("utf-8") + MORE, "utf-8")

    @property
    def url(self) -> str:
        """Return where the page is."""
        return self.urls["flask_dashboard_url"]

    @property
    def password(self) -> str:
        """Return what the first run made."""
        [path] = self.folder.rglob("dashboard_password")
        return path.read_text("utf-8").strip()

    @property
    def token(self) -> str:
        """Return the installation's own."""
        [path] = self.folder.rglob("dt_token")
        return path.read_text("utf-8").strip()

    def start(self) -> subprocess.Popen[bytes]:
        """Begin; the page and the controller answer soon after."""
        clean = {name: value for name, value in os.environ.items() if name not in set(Config)}
        places = {"DATA_DIR": self.folder / "data", "LOG_DIR": self.folder / "logs", "PYTHONPATH": ROOT}
        port = self.url.rpartition(":")[2]
        return subprocess.Popen(
            [sys.executable, "-m", "dt.cli.main", "demo", "--days", "0.2", "--port", port],
            cwd=self.folder,
            env=clean
            | {name: str(place) for name, place in places.items()}
            | {name.upper(): url for name, url in self.urls.items()},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def actuator(self, actuator_id: str) -> dict[str, Any]:
        """Return what the controller itself says of an actuator."""
        items = requests.get(f"{self.urls['flask_controller_url']}/actuators", timeout=10).json()["items"]
        return next(item for item in items if item["actuator_id"] == actuator_id)

    def is_ready(self) -> bool:
        """Return whether the controller has read every pin."""
        try:
            return bool(self.actuator("fan")["reported"]) and self.actuator("fan")["reported"]["on"] is False
        except (requests.RequestException, KeyError, ValueError):
            return False


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Return a demo that runs."""
    running = Demo(tmp_path_factory.mktemp("demo"))
    process = running.start()
    wait_until(running.is_ready, "the controller knows its pins", 60.0)
    yield running
    process.send_signal(signal.SIGINT)
    process.wait(20)


def open_page(
    chromium: Browser, demo: Demo, size: str = "phone", *, signed_in: bool = True, scheme: str = "light"
) -> Page:
    """Return the page in a window of its own, after the password where one is given."""
    context = chromium.new_context(viewport=SIZES[size], color_scheme=scheme, locale="en-GB")  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.on("pageerror", lambda error: pytest.fail(f"{error}\n{error.stack}"))
    if signed_in:
        page.goto(f"{demo.url}/login")
        page.fill("#password", demo.password)
        page.click("x-login-form button")
        page.wait_for_url(f"{demo.url}/")
    else:
        page.goto(demo.url)
    page.wait_for_selector(FAN)
    return page


def test_one_press_stops_everything_and_a_person_releases_it(chromium: Browser, demo: Demo) -> None:
    """By keyboard, without a password; every page shows it, and only who signed in lets go."""
    stranger = open_page(chromium, demo, signed_in=False)
    person = open_page(chromium, demo, "desktop")
    person.locator(f"{FAN} button:has-text('Switch on')").click()
    wait_until(lambda: demo.actuator("fan")["reported"]["on"], "the fan turns")

    stranger.locator("x-emergency-stop button").focus()
    stranger.keyboard.press("Enter")
    wait_until(lambda: not demo.actuator("fan")["reported"]["on"], "the fan stands still")
    for page in (stranger, person):
        page.wait_for_selector("x-stop-banner:has-text('pressed by dashboard')")
    person.locator(f"{FAN} .why-not:has-text('S9')").wait_for()

    stranger.click("x-stop-banner button")
    stranger.click("x-confirm-dialog .danger")
    stranger.wait_for_selector("x-stop-banner:has-text('Sign in to release it.')")
    person.click("x-stop-banner button")
    person.keyboard.press("Escape")
    assert person.locator("x-stop-banner").is_visible()
    person.click("x-stop-banner button")
    person.click("x-confirm-dialog .danger")
    for page in (stranger, person):
        page.wait_for_selector("x-stop-banner", state="hidden")
        page.context.close()


def test_who_did_not_sign_in_looks_and_touches_nothing(chromium: Browser, demo: Demo) -> None:
    """State and limits are shown, controls are not to be used."""
    page = open_page(chromium, demo, signed_in=False)

    assert page.locator(f"{PUMP} .state").inner_text().startswith(("Off", "On", "Should"))
    assert page.locator(f"{PUMP} button:has-text('Give…')").is_disabled()
    assert page.locator("x-actuator-controls .note a").get_attribute("href") == "/login"
    page.context.close()


def test_a_fan_is_set_to_a_level_and_its_pin_says_so(chromium: Browser, demo: Demo) -> None:
    """By keyboard: the slider, how long, and off."""
    page = open_page(chromium, demo)
    page.locator(f"{FAN} input[type=range]").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.locator(f"{FAN} button:has-text('Switch on')").press("Enter")

    page.locator(f"{FAN} .state:has-text('On at 40 %')").wait_for()
    assert demo.actuator("fan")["reported"] == {"on": True, "level": 0.4}
    page.locator(f"{FAN} button:has-text('Off')").press("Enter")
    page.locator(f"{FAN} .state:has-text('Off')").wait_for()
    page.context.close()


def test_a_dose_is_asked_for_twice_and_refused_with_its_margin(chromium: Browser, demo: Demo) -> None:
    """Escape gives nothing; above the upper limit the guard or the gate refuses, and the page says by how much."""
    page = open_page(chromium, demo)
    wait_until(lambda: demo.actuator("pump")["why_not"], "something is in the way of a dose", 40.0)
    page.locator(f"{PUMP} .why-not").wait_for()
    page.locator(f"{PUMP} button:has-text('Give…')").click()
    assert "50 ml go to basil" in page.locator("x-confirm-dialog dialog").inner_text()
    page.keyboard.press("Escape")
    page.wait_for_selector("x-confirm-dialog", state="detached")
    assert page.locator(f"{PUMP} .said").inner_text() == ""

    page.locator(f"{PUMP} button:has-text('Give…')").click()
    page.locator("x-confirm-dialog button:has-text('Give it')").click()

    page.locator(f"{PUMP} .said:has-text('Refused.')").wait_for()
    assert "limit" in page.locator(f"{PUMP} .said").inner_text()
    page.locator(f"{PUMP} .why-not summary").click()
    assert "margin \N{MINUS SIGN}" in page.locator(f"{PUMP} .why-not ul").inner_text()
    page.context.close()


def test_mode_and_policy_are_a_persons_choice_and_stay(chromium: Browser, demo: Demo) -> None:
    """Automatic asks first; a wrong number is named; what is saved is there after a reload."""
    page = open_page(chromium, demo, "desktop")
    page.locator(f"{FAN} button:has-text('Change…')").click()
    page.locator(f"{FAN} dialog select").first.select_option("hysteresis")
    page.locator(f"{FAN} dialog [name=quantity]").select_option("temperature")
    page.locator(f"{FAN} dialog [name=on_at]").fill("warm")
    page.locator(f"{FAN} dialog button:has-text('Save')").click()
    page.locator(f"{FAN} dialog .problem:has-text('On at must be a number.')").wait_for()
    page.locator(f"{FAN} dialog [name=on_at]").fill("39")
    page.locator(f"{FAN} dialog [name=off_at]").fill("37")
    page.locator(f"{FAN} dialog button:has-text('Save')").click()
    page.wait_for_selector(f"{FAN} dialog", state="detached")
    page.locator(f"{FAN} .policy:has-text('Hysteresis')").wait_for()
    assert demo.actuator("fan")["policy"]["parameters"]["on_at"] == 39.0

    page.locator(f"{FAN} .mode select").select_option("automatic")
    page.keyboard.press("Escape")
    page.wait_for_selector("x-confirm-dialog", state="detached")
    assert demo.actuator("fan")["mode"]["mode"] == "recommend"
    page.locator(f"{FAN} .mode select").select_option("automatic")
    page.locator("x-confirm-dialog .act").click()
    wait_until(lambda: demo.actuator("fan")["mode"]["mode"] == "automatic", "the fan may act")
    page.reload()
    page.locator(f"{FAN} .badge:has-text('automatic')").wait_for()
    page.locator(f"{FAN} .mode select").select_option("off")
    wait_until(lambda: demo.actuator("fan")["mode"]["mode"] == "off", "the fan is off")
    page.locator(f"{FAN} .mode select").select_option("recommend")
    page.locator(f"{FAN} .badge:has-text('recommend')").wait_for()
    page.context.close()


def test_the_ledger_says_what_was_given_and_what_is_left(chromium: Browser, demo: Demo) -> None:
    """A pump's day as a bar, its reservoir once, and filling it up again."""
    page = open_page(chromium, demo)
    page.locator("x-water-ledger progress").wait_for()

    assert "ml in 24 h" in page.locator("x-water-ledger .budget").first.inner_text()
    page.locator("x-water-ledger button:has-text('It is full again')").click()
    page.locator("x-water-ledger .line:has-text('Reservoir can: 5,000 ml left')").wait_for()
    page.context.close()


def shown_plant(page: Page, plant_id: str) -> None:
    """Choose a plant as a person does."""
    page.locator("x-plant-picker select").select_option(plant_id)


def test_a_pump_is_calibrated_with_a_jug(chromium: Browser, demo: Demo) -> None:
    """Asked for twice; it runs ten seconds; a flow that cannot be is refused with its limits, a right one counts."""
    page = open_page(chromium, demo)
    shown_plant(page, "lettuce")
    routines = page.locator(f"{HERB} x-pump-routines")
    routines.locator("summary").press("Enter")
    routines.locator("button:has-text('Calibrate…')").press("Enter")
    assert "About 20 ml count as given to lettuce" in page.locator("x-confirm-dialog dialog").inner_text()
    page.keyboard.press("Escape")
    page.wait_for_selector("x-confirm-dialog", state="detached")
    assert demo.actuator("herb")["reported"]["on"] is False

    routines.locator("button:has-text('Calibrate…')").press("Enter")
    page.locator("x-confirm-dialog .act").click()
    wait_until(lambda: demo.actuator("herb")["reported"]["on"], "the pump runs")
    routines.locator(".told:has-text('It ran for')").wait_for()
    jug, seconds = routines.locator("input").all()
    assert float(seconds.input_value()) == pytest.approx(10.0, abs=0.5)
    jug.fill("900")
    jug.press("Enter")
    page.locator("x-confirm-dialog .act").click()
    routines.locator(".told[data-bad]:has-text('ml/s: measure again')").wait_for()
    jug.fill("25")
    seconds.fill("10")
    seconds.press("Enter")
    page.locator("x-confirm-dialog .act").click()
    routines.locator(".told:has-text('The flow is 2.5 ml/s now.')").wait_for()
    assert demo.actuator("herb")["limits"]["flow_ml_s"] == 2.5

    routines.locator("button:has-text('Prime…')").press("Enter")
    assert "It would be refused now" in page.locator("x-confirm-dialog dialog").inner_text()
    page.locator("x-confirm-dialog .act").click()
    routines.locator(".told[data-bad]:has-text('Refused. S2')").wait_for()
    assert "margin \N{MINUS SIGN}" in routines.locator(".told").inner_text()
    page.context.close()


def test_a_vacation_says_what_it_plans_and_is_ended(chromium: Browser, demo: Demo) -> None:
    """With its days and reservoirs, by keyboard; nobody who did not sign in begins one."""
    stranger = open_page(chromium, demo, signed_in=False)
    stranger.locator("x-vacation form").wait_for()
    assert stranger.locator("x-vacation button[type=submit]").is_disabled()
    stranger.context.close()
    controller, headers = demo.urls["flask_controller_url"], {"Authorization": f"Bearer {demo.token}"}
    requests.put(f"{controller}/actuators/herb/mode", json={"mode": "off"}, headers=headers, timeout=10)
    page = open_page(chromium, demo)
    card = page.locator("x-vacation")
    card.locator("form").wait_for()
    card.locator("input[type=number]").fill("7")
    card.locator(".plan li:has-text('Reservoir jar holds')").wait_for()
    card.locator("input[value=jar]").press("Space")
    card.locator("input[type=number]").press("Enter")
    words = page.locator("x-confirm-dialog dialog").inner_text()
    assert "Reservoir jar is full: what it holds is shared over 7 days." in words
    assert "Small pump gives nothing by itself: its mode is off." in words
    page.locator("x-confirm-dialog .act").click()

    card.locator(".badge:has-text('on')").wait_for()
    card.locator(".plan li:has-text('Small pump: 100 ml a day')").wait_for()
    card.locator("button:has-text('End it…')").press("Enter")
    page.locator("x-confirm-dialog .act").click()
    card.locator(".badge:has-text('off')").wait_for()
    assert requests.get(f"{controller}/vacation", timeout=10).json()["vacation"] is None
    page.context.close()


def test_the_ledger_of_a_plant_shows_its_own_pump_however_busy_other_outputs_are(chromium: Browser, demo: Demo) -> None:
    """Eight switchings of the fan do not push the lettuce's dose out."""
    act_on(demo, "POST", "herb/commands", {"command": "dose", "dose_ml": 20})
    for _time in range(8):
        act_on(demo, "POST", "fan/commands", {"command": "off"})
    page = open_page(chromium, demo)
    shown_plant(page, "lettuce")

    page.locator("x-water-ledger li:has-text('herb')").first.wait_for()
    page.context.close()


def test_an_off_that_the_policy_takes_back_says_so_and_offers_manual(chromium: Browser, demo: Demo) -> None:
    """Done, and yet it would be on again within seconds: one press more keeps it off."""
    always = {"quantity": "temperature", "on_at": 5.0, "off_at": 3.0}
    url, headers = demo.urls["flask_controller_url"], {"Authorization": f"Bearer {demo.token}"}
    policy = {"policy": "hysteresis", "actuator_id": "fan", "parameters": always, "enabled": True}
    assert requests.put(f"{url}/policies/box", json=policy, headers=headers, timeout=10).status_code == 200
    act_on(demo, "PUT", "fan/mode", {"mode": "automatic"})
    page = open_page(chromium, demo)
    wait_until(lambda: demo.actuator("fan")["reported"]["on"], "the fan turns by its policy")

    page.locator(f"{FAN} .by-hand button:has-text('Off')").click()
    page.locator(f"{FAN} .said:has-text('the policy hysteresis takes it back within seconds')").wait_for()
    page.locator(f"{FAN} .said button").click()

    page.locator(f"{FAN} .said:has-text('it stays off')").wait_for()
    page.locator(f"{FAN} .badge:has-text('manual')").wait_for()
    wait_until(lambda: not demo.actuator("fan")["reported"]["on"], "the fan stands still")
    off = {"enabled": False, "actuator_id": "fan"}
    assert requests.put(f"{url}/policies/box", json=off, headers=headers, timeout=10).status_code == 200
    act_on(demo, "PUT", "fan/mode", {"mode": "recommend"})
    page.context.close()


def act_on(demo: Demo, method: str, path: str, body: dict[str, Any]) -> None:
    """Tell the controller something, as a program with the token does; a refusal is an answer too."""
    headers = {"Authorization": f"Bearer {demo.token}"}
    url = f"{demo.urls['flask_controller_url']}/actuators/{path}"
    assert requests.request(method, url, json=body, headers=headers, timeout=10).status_code in (200, 202, 409)


@pytest.mark.parametrize("size", list(SIZES))
def test_the_stop_is_in_view_at_once_in_every_dialog(chromium: Browser, demo: Demo, size: str) -> None:
    """Also in the longest, that of a policy: above the fold, and at the same place once scrolled to its end."""
    page = open_page(chromium, demo, size)
    page.locator(f"{PUMP} button:has-text('Change…')").click()
    for policy in ("schedule", "hysteresis", "soil_water_deficit"):
        page.locator(f"{PUMP} dialog select").first.select_option(policy)
        for where in ("0", "99999"):
            page.evaluate(f"document.querySelector('{PUMP} dialog').scrollTo(0, {where})")
            box = page.locator(f"{PUMP} dialog .stop-here").bounding_box()
            assert box is not None
            assert 0 <= box["y"] <= box["y"] + box["height"] <= SIZES[size]["height"]
    page.locator(f"{PUMP} dialog [name=largest_ml]").fill("10")
    page.locator(f"{PUMP} dialog button:has-text('Cancel')").click()
    page.context.close()


def test_what_was_said_before_an_emergency_stop_does_not_stay(chromium: Browser, demo: Demo) -> None:
    """'Begun' is no longer so; an empty dose says what is missing."""
    page = open_page(chromium, demo)
    page.locator(f"{PUMP} fieldset > .by-hand > label input").first.fill("")
    page.locator(f"{PUMP} button:has-text('Give…')").click()
    page.locator(f"{PUMP} > .said:has-text('Say how many ml: from 1 to')").wait_for()
    wait_until(lambda: not demo.actuator("fan")["pause_left_s"], "the fan may start")
    page.locator(f"{FAN} button:has-text('Switch on')").click()
    page.locator(f"{FAN} > .said:has-text('begun')").wait_for()

    page.locator("x-emergency-stop button").click()

    page.wait_for_selector("x-stop-banner:has-text('pressed by dashboard')")
    page.wait_for_function(f"document.querySelector('{FAN} > .said').textContent === ''")
    page.click("x-stop-banner button")
    page.click("x-confirm-dialog .danger")
    page.wait_for_selector("x-stop-banner", state="hidden")
    page.context.close()


def test_the_stop_is_in_reach_while_something_is_asked(chromium: Browser, demo: Demo) -> None:
    """A dialog covers the header, so it has a stop of its own: it gives no dose, and everything is off."""
    page = open_page(chromium, demo)
    page.locator(f"{PUMP} button:has-text('Give…')").click()
    page.locator("x-confirm-dialog .stop-here").click()

    page.wait_for_selector("x-confirm-dialog", state="detached")
    page.wait_for_selector("x-stop-banner:has-text('pressed by dashboard')")
    assert page.locator(f"{PUMP} > .said").inner_text() == ""
    page.click("x-stop-banner button")
    page.click("x-confirm-dialog .danger")
    page.wait_for_selector("x-stop-banner", state="hidden")
    page.locator(f"{PUMP} button:has-text('Change…')").click()
    page.locator(f"{PUMP} dialog .stop-here").wait_for()
    page.context.close()


def test_the_login_page_has_the_stop_too(chromium: Browser, demo: Demo) -> None:
    """Where looking needs no password; it is on every page, and pressed without scrolling."""
    context = chromium.new_context(viewport={"width": 360, "height": 640}, locale="en-GB")
    page = context.new_page()
    page.goto(f"{demo.url}/login")
    page.locator("x-emergency-stop button").press("Enter")
    page.locator("x-emergency-stop button:has-text('Stopped')").wait_for()
    page.locator("x-stop-banner:has-text('pressed by dashboard')").wait_for()
    headers = {"Authorization": f"Bearer {demo.token}"}
    url = f"{demo.urls['flask_controller_url']}/emergency_stop"
    assert requests.delete(url, headers=headers, timeout=10).status_code == 200
    page.locator("x-emergency-stop button:has-text('Stop all')").wait_for()
    context.close()


@pytest.mark.parametrize("size", list(SIZES))
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_stop_is_in_reach_wherever_one_has_scrolled_to(
    chromium: Browser, demo: Demo, size: str, scheme: str
) -> None:
    """On a phone and a desktop, light and dark; nothing sticks out, and buttons are as large as a finger needs."""
    page = open_page(chromium, demo, size, scheme=scheme)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")

    box = page.locator("x-emergency-stop button").bounding_box()
    assert box is not None
    assert 0 <= box["y"] <= SIZES[size]["height"] / 4
    assert 0 <= box["x"] <= box["x"] + box["width"] <= SIZES[size]["width"]
    assert box["height"] >= 38
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    low = page.evaluate("[...document.querySelectorAll('x-actuator button')].filter((b) => b.offsetHeight < 38).length")
    assert low == 0
    page.context.close()
