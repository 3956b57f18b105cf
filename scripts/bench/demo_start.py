"""Seconds from `dt demo` to the first live value in a browser, to the whole history, and to the first dose."""

from __future__ import annotations

import time
from typing import Any

import requests
from stage import Stage, say, wait_for

from dt.operations.plan import free_port


def measure_demo(stage: Stage, days: float) -> dict[str, float]:
    """Start the demo as a user does and watch it from outside."""
    say(f"starting the demo with {days:g} days of history ...")
    port = free_port("127.0.0.1")
    url = f"http://127.0.0.1:{port}"
    began = time.monotonic()
    with stage.process("-m", "dt.cli.main", "demo", "--days", f"{days:g}", "--port", str(port)):
        wait_for(lambda: _live(url).get("soil_moisture"), "no live value")
        first_value_s = time.monotonic() - began
        wait_for(lambda: _doses(url), "no dose")
        dose_s = time.monotonic() - began
    return {"demo_first_value_s": first_value_s, "demo_dose_s": dose_s}


def _live(url: str) -> dict[str, Any]:
    try:
        answer = requests.get(f"{url}/api/live", timeout=5)
    except requests.RequestException:
        return {}
    return answer.json() if answer.ok else {}


def _doses(url: str) -> list[dict[str, Any]]:
    return [action for action in _live(url).get("action", []) if action["outcome"] == "done"]
