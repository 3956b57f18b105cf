"""Measure `GET /series` over HTTP while readings come in by a genuine broker, with a long history in place.

Prints a table and writes build/figures/query.json. `--seconds` is how long each store is asked, `--history` how many
raw readings the line has, a year's at equal steps; then ten times that, of ten years, for `growth_ratio`. The service
reads by the client that `dt up` gives it, unless `--client` says otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from contestants import InfluxServer
from query_feed import PLACE, stored_readings
from query_history import make_history
from query_history_influx import make_influx_history
from stage import Stage, percentile, say, wait_for

from dt.communication.opening import has_confluent

FIGURES = Path("build/figures/query.json")
_RANGES_S = {"1h": 3600.0, "24h": 86_400.0, "7d": 7 * 86_400.0, "30d": 30 * 86_400.0, "1y": 365 * 86_400.0}
_POINTS = 700
_PAUSE_S = 0.01
_TEN_TIMES = 10
_GOALS = {"sqlite": 15.0, "influx": 100.0}
_MOST_GROWTH = 1.5


@contextlib.contextmanager
def sqlite(stage: Stage, history: int) -> Iterator[None]:
    """Keep the history in a SQLite file."""
    make_history(stage, history, time.time())
    yield


@contextlib.contextmanager
def influx(stage: Stage, history: int) -> Iterator[None]:
    """Keep the history in a bucket of a genuine InfluxDB, which runs meanwhile."""
    with InfluxServer(stage.settings.data_dir / "influx", wanted=True) as server:
        given = {name.lower(): value for name, value in server.settings.items()}
        given |= {"storage": "influx", "influx_bucket": server.new_bucket("query")}
        stage.settings = stage.settings.model_copy(update=given)
        make_influx_history(stage, history, time.time())
        yield


Kept = Callable[[Stage, int], AbstractContextManager[None]]
STORES: Mapping[str, Kept] = {"sqlite": sqlite, "influx": influx}


def main() -> int:
    """Ask each store in turn."""
    arguments = _parser().parse_args()
    figures: dict[str, float] = {}
    ratios: dict[str, float] = {}
    for store in arguments.stores.split(","):
        figures |= measure(store, arguments.history, arguments)
        if arguments.growth:
            grown = measure(store, _TEN_TIMES * arguments.history, arguments)
            names = [f"{store}_{which}_p99_ms" for which in _RANGES_S]
            ratios[f"{store}_growth_ratio"] = max(grown[name] / figures[name] for name in names)
            figures |= {f"{name}_ten_times": value for name, value in grown.items()}
    if ratios:
        figures |= {**ratios, "growth_ratio": max(ratios.values())}
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps({name: round(value, 3) for name, value in figures.items()}, indent=1) + "\n")
    for name, value in figures.items():
        print(f"{name:40}{value:14,.2f}   {_goal(name)}")
    return 0


def measure(store: str, history: int, arguments: argparse.Namespace) -> dict[str, float]:
    """Return the p50 and p99 of each range in one store, and how many readings a second came in meanwhile."""
    seconds, rate = arguments.seconds, arguments.rate
    with tempfile.TemporaryDirectory(prefix="plant-twin-bench-") as folder, contextlib.ExitStack() as running:
        stage = Stage(Path(folder), kafka_client=arguments.client)
        stage.settings = stage.settings.model_copy(update={"retention_raw_days": 0.0})
        say(f"{store}: making {history:,} readings ...")
        running.enter_context(STORES[store](stage, history))
        running.enter_context(stage.broker())
        running.enter_context(stage.process("-m", "dt.data.database.app"))
        wait_for(lambda: _is_ready(stage), "the database service is not ready", 120.0)
        running.enter_context(stage.process(str(Path(__file__).with_name("query_feed.py")), str(rate)))
        wait_for(lambda: stored_readings(stage), "nothing comes in")
        _ask(stage, arguments.warm_up)  # a broker that has just started spends more on compiling itself than on records
        before = stored_readings(stage)
        began = time.monotonic()
        say(f"{store}: asking for {seconds:g} s while {rate:,.0f} readings/s come in ...")
        took_ms = _ask(stage, seconds)
        came_in = (stored_readings(stage) - before) / (time.monotonic() - began)
    figures = {f"{store}_{which}_p99_ms": percentile(took, 0.99) for which, took in took_ms.items()}
    figures |= {f"{store}_{which}_p50_ms": percentile(took, 0.50) for which, took in took_ms.items()}
    return {**figures, f"{store}_came_in_per_s": came_in, f"{store}_requests": sum(map(len, took_ms.values()))}


def _ask(stage: Stage, seconds: float) -> dict[str, list[float]]:
    """Ask for the ranges in turn over one connection, and return how long each answer took in ms."""
    took_ms: dict[str, list[float]] = {which: [] for which in _RANGES_S}
    connection = _connection(stage)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for which, span_s in _RANGES_S.items():
            began = time.perf_counter()
            answer = _series(connection, span_s)
            took_ms[which].append((time.perf_counter() - began) * 1000.0)
            if not 0 < len(answer["t"]) <= _POINTS:
                msg = f"{which}: {len(answer['t'])} buckets"
                raise ValueError(msg)
            time.sleep(_PAUSE_S)
    connection.close()
    return took_ms


def _series(connection: HTTPConnection, span_s: float) -> dict[str, list[float]]:
    now = time.time()
    query = {**PLACE, "since": now - span_s, "until": now, "points": _POINTS}
    connection.request("GET", f"/series?{urlencode(query)}")
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        msg = f"{response.status}: {body[:200]!r}"
        raise ValueError(msg)
    found: dict[str, list[float]] = json.loads(body)
    return found


def _is_ready(stage: Stage) -> bool:
    with contextlib.suppress(OSError), contextlib.closing(_connection(stage)) as connection:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    return False


def _connection(stage: Stage) -> HTTPConnection:
    place = urlsplit(stage.settings.flask_db_url)
    return HTTPConnection(place.hostname or "127.0.0.1", place.port, timeout=30.0)


def _goal(name: str) -> str:
    if name.endswith("growth_ratio"):
        return f"at most {_MOST_GROWTH:g}"
    store = name.partition("_")[0]
    return f"at most {_GOALS[store]:g}" if name.endswith("_p99_ms") and store in _GOALS else ""


def _stores(text: str) -> str:
    unknown = [name for name in text.split(",") if name not in STORES]
    if unknown:
        msg = f"no store {unknown[0]!r}: it is one or more of {', '.join(STORES)}, with commas"
        raise argparse.ArgumentTypeError(msg)
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each store is asked")
    parser.add_argument("--warm-up", type=float, default=20.0, help="seconds of the same that do not count")
    parser.add_argument("--history", type=int, default=2_000_000, help="raw readings of the line")
    parser.add_argument("--rate", type=float, default=10_000.0, help="readings a second that come in meanwhile")
    fastest = "confluent" if has_confluent() else "kafka-python"
    parser.add_argument("--client", choices=("kafka-python", "confluent"), default=fastest)
    parser.add_argument("--stores", default=",".join(STORES), type=_stores, help=f"which of {', '.join(STORES)}")
    parser.add_argument("--no-growth", dest="growth", action="store_false", help="leave ten times the history out")
    return parser


if __name__ == "__main__":
    sys.exit(main())
