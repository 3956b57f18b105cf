"""A million messages, valid, mutated and hostile, thrown at every consumer of the product.

All services in one process on the log in memory. No service may end or fail in a way that it does not know, each
message that nobody can read must be a dead letter, memory must stay bounded, and afterwards every service answers
without a 5xx, also when it begins anew over what it kept. Writes build/figures/fuzz.json, says on stderr what is wrong.

`--broker` throws them through a genuine Apache Kafka instead, by the client library that `--client` names.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import psutil
from fuzz_house import TOKEN, House, house, house_on_broker
from fuzz_messages import Messages
from stage import say, wait_for

from dt.communication.messaging import Outgoing
from dt.communication.opening import has_confluent
from dt.utils.exceptions import MessagingError
from dt.utils.logger import configure_logging
from dt.utils.quantities import QUANTITIES

FIGURES = Path("build/figures/fuzz.json")
_AT_ONCE = 500
_MUST_BE_NONE = ("failed", "unburied", "bad_answers", "troubles")
_SETTLES_WITHIN_S = 600.0
_TOLD_EVERY_S = 10.0
_TRIES = 10  # of half a minute
_GROWTH_AT_MOST_MB = 100.0
_SHOWN = 20
_FASTEST = "confluent" if has_confluent() else "kafka-python"


def run_fuzz(built: House, number: int, seed: int) -> tuple[dict[str, float], list[str]]:
    """Throw so many messages; return figures, and examples of whatever is wrong."""
    messages = Messages(seed, TOKEN, time.time)
    process = psutil.Process()
    began = time.monotonic()
    growth = _Growth(process)
    for done in range(0, number, _AT_ONCE):
        publish(built, [built.passing(messages.next()) for _ in range(min(_AT_ONCE, number - done))])
        growth.look(done / number)
        if done % (number // 10 // _AT_ONCE * _AT_ONCE or number) == 0:
            say(f"{done:9,d} messages, {time.monotonic() - began:4.0f} s, RSS {growth.now:4.0f} MB")
    settle(built)
    took_s = time.monotonic() - began
    growth.look(1.0)
    troubles = built.troubles()
    asked, bad = ask_all(built)
    say(f"{asked} questions asked; every service begins anew ...")
    built.stop()
    built.start()
    settle(built)
    wait_for(lambda: not built.troubles(), f"after a new beginning: {built.troubles()}", 60.0, every_s=0.2)
    asked_again, bad_again = ask_all(built)
    unburied, reasons = built.witness.unburied(), built.witness.reasons
    wrong = [*troubles, *bad, *bad_again, *(f"no dead letter: {one}" for one in unburied), *built.witness.failures]
    figures = {
        "messages": number,
        "seconds": took_s,
        "per_s": number / took_s,
        "unreadable": built.witness.unreadable(),
        "unburied": len(unburied),
        "failed": reasons["failed"],
        "refused": reasons["refused"],
        "letters": reasons.total(),
        "troubles": len(troubles),
        "answers": asked + asked_again,
        "bad_answers": len(bad) + len(bad_again),
        "rss_mb": growth.now,
        "rss_growth_mb": growth.mb,
    }
    return figures, wrong


def publish(built: House, batch: Sequence[Outgoing]) -> None:
    """Publish as outboxes do: where readers are too far behind, again."""
    for _ in range(_TRIES):
        try:
            return built.messaging.publish_batch(batch)
        except MessagingError as error:
            say(f"again: {error}; {built.lags()}")
    raise TimeoutError(f"the log takes nothing: {built.lags()}")


def settle(built: House) -> None:
    """Return when every group has read everything, at two looks: one writes what another reads; raises TimeoutError."""
    began, told_at = time.monotonic(), time.monotonic()
    while lags := built.lags() or built.lags():
        now = time.monotonic()
        if now - began > _SETTLES_WITHIN_S:
            raise TimeoutError(f"not read: {lags}")
        if now - told_at > _TOLD_EVERY_S:
            told_at = now
            say(f"to be read: {lags}")
        time.sleep(0.05)


def ask_all(built: House) -> tuple[int, list[str]]:
    """Ask all that a person could ask of what is stored."""
    since, until = time.time() - 86_400.0, time.time() + 60.0
    hostile = [quote(name, safe="") for name in ("fuzz1", "../../etc/passwd", "a|b|c", "\x00", "x" * 500, "'; --")]
    span = f"since={since:.0f}&until={until:.0f}"
    common = ("/health", "/ready", "/metrics")
    database = [
        *common,
        *(f"/{name}" for name in ("plants", "sensors", "alerts", "actions", "predictions", "dead_letters", "frames")),
        *(f"/series?data_type={quantity}&{span}&points=500" for quantity in QUANTITIES),
        *(f"/series?data_type={quantity}&since=0&until=9e9&points=100" for quantity in QUANTITIES),
        *(f"/gaps?sensor_id={name}&{span}" for name in hostile),
        *(f"/trace/{name}" for name in hostile),
        *(f"/export.csv?data_type={quantity}&{span}" for quantity in QUANTITIES),
    ]
    paths = {
        "flask_db_url": database,
        "flask_dashboard_url": [*common, "/", "/api/live"],
        "flask_processing_url": common,
        "flask_alerts_url": common,
        "flask_ai_url": [*common, "/models"],
        "flask_controller_url": [*common, "/actuators", "/ledger"],
    }
    count, bad = built.ask(paths)
    for quantity in QUANTITIES:
        bad += built.post("/data/timestamp", {"data_type": quantity, "since": since, "until": until})
        bad += built.post("/data/timestamp", {"data_type": quantity, "since": 0, "until": 253_402_300_799})
        bad += built.post("/data/id", {"sensor_id": "fuzz1", "data_type": quantity, "limit": 1000})
    return count + 3 * len(QUANTITIES), bad


class _Growth:
    """How much memory the process gains from half of the way on, when what is bounded is full."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._first: float | None = None
        self.now = 0.0

    @property
    def mb(self) -> float:
        """Return the growth so far."""
        return 0.0 if self._first is None else max(0.0, self.now - self._first)

    def look(self, share: float) -> None:
        """Measure."""
        if share == 1.0:
            gc.collect()
        self.now = self._process.memory_info().rss / 1e6
        if share >= 0.5 and self._first is None:
            self._first = self.now


def main() -> int:
    """Throw, write the figures, and return 1 when anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--broker", action="store_true", help="through a genuine broker")
    parser.add_argument("--client", choices=("kafka-python", "confluent"), default=_FASTEST)
    arguments = parser.parse_args()
    configure_logging(Path("build/logs"), "CRITICAL")
    with house_on_broker(arguments.client) if arguments.broker else house() as built:
        figures, wrong = run_fuzz(built, arguments.messages, arguments.seed)
    for line in wrong[:_SHOWN]:
        say(line)
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps({name: round(value, 3) for name, value in figures.items()}, indent=1) + "\n")
    for name, value in figures.items():
        print(f"{name:16}{value:14,.1f}")
    is_bounded = figures["rss_growth_mb"] <= _GROWTH_AT_MOST_MB
    return 1 if any(figures[name] for name in _MUST_BE_NONE) or not is_bounded else 0


if __name__ == "__main__":
    sys.exit(main())
