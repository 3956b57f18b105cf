"""Processing and database are killed at random under load: nothing may be lost, counted twice or summed up wrongly.

A genuine broker, real services as processes, a load with an account of its own. Between the kills the broker is
restarted, and a second processing comes and goes. At the end the store is compared with an undisturbed run over the
log's own raw records. Writes build/figures/crash.json, and says on stderr what is wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from crash_account import Undisturbed, compare, stored_of, undisturbed
from crash_crew import Crew
from crash_load import Load
from stage import Stage, say, wait_for

from dt.communication.announcement import wait_until_announced
from dt.communication.database_api import DatabaseApiClient
from dt.communication.kafka import KafkaMessaging
from dt.data.database.rollups import verify_rollups
from dt.utils.clock import SystemClock
from dt.utils.dataclasses import SensorData
from dt.utils.exceptions import RemoteServiceError
from dt.utils.logger import configure_logging
from dt.utils.quantities import QUANTITIES, Quantity

FIGURES = Path("build/figures/crash.json")
_MUST_BE_NONE = (
    *("lost", "twice", "rollup_mismatches", "derived_lost", "log_lost", "log_twice", "invented", "changed"),
    *("not_as_undisturbed", "dead_letters"),
)
_WITHOUT_PROGRESS_S = 30.0  # the database has what it will ever have
_TOKEN = "bench"  # noqa: S105 - of a stack that lives for some minutes


def run_crash(arguments: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Live through the kills, and return what became of every reading."""
    stage = Stage(folder, kafka_client=arguments.client, storage=arguments.storage)
    began = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(stage.broker())
        messaging = stack.enter_context(closing(KafkaMessaging(stage.settings, "crash", SystemClock())))
        crew = Crew(stage, folder, seed=arguments.seed, seconds_between=arguments.seconds_between)
        stack.callback(crew.let_go)
        load = Load(messaging, folder, per_s=arguments.rate, seed=arguments.seed)
        crew.start_database()
        client = stack.enter_context(DatabaseApiClient(crew.database_url, _TOKEN, 60.0))
        _bind(client, messaging, load)
        crew.start_processing()
        load.start()
        crew.misfortune(arguments.kills)
        load.stop()
        crew.settle()
        lived_s = time.monotonic() - began
        say(f"{arguments.kills} kills in {lived_s:.0f} s; waiting until everything is stored ...")
        expected = undisturbed(messaging, stage.settings.zone_name)
        stored = _wait_for_store(client, expected)
        figures, wrong = compare(load.published(), expected, stored, messaging)
        crew.stop()
        mismatches = verify_rollups(stage.settings.database_file)
        for line in [*wrong, *(str(one) for one in mismatches[:5])]:
            say(line)
        return {
            "kills": sum(count for name, count in crew.kills.items() if name != "early"),
            **figures,
            "rollup_mismatches": len(mismatches),
            "kills_database": crew.kills["database"],
            "kills_processing": crew.kills["processing"],
            "kills_early": crew.kills["early"],
            "broker_restarts": crew.broker_restarts,
            "rebalances": crew.rebalances,
            "seconds": time.monotonic() - began,
        }


def _bind(client: DatabaseApiClient, messaging: KafkaMessaging, load: Load) -> None:
    """Make sensors known before their first reading: one of an unknown sensor is judged otherwise."""
    sensors = load.sensors()
    for sensor in sensors:
        client.bind_sensor(sensor)
    if not wait_until_announced(messaging, (sensor.sensor_id for sensor in sensors), SystemClock(), 60.0):
        raise TimeoutError("the registry does not tell of the sensors")


def _wait_for_store(client: DatabaseApiClient, expected: Undisturbed) -> list[SensorData]:
    """Return what is stored, when everything is there or no more comes."""
    state: dict[str, Any] = {"count": -1, "since": time.monotonic(), "stored": []}

    def is_settled() -> bool:
        stored = _all_stored(client)
        if len(stored) != state["count"]:
            state.update(count=len(stored), since=time.monotonic())
        state["stored"] = stored
        kept = {(one.sensor_id, one.data_type, one.timestamp): one.revision for one in stored}
        is_whole = all(kept.get(place, -1) >= reading.revision for place, reading in expected.kept.items())
        return is_whole or time.monotonic() - state["since"] > _WITHOUT_PROGRESS_S

    wait_for(is_settled, "readings go on arriving", 900.0, every_s=1.0)
    found: list[SensorData] = state["stored"]
    return found


def _all_stored(client: DatabaseApiClient) -> list[SensorData]:
    quantities = [quantity for quantity in QUANTITIES if quantity is not Quantity.CAMERA_IMAGE]
    try:
        return [reading for quantity in quantities for reading in stored_of(client, quantity)]
    except RemoteServiceError:
        return []


def main() -> int:
    """Run, write the figures, and return 1 when anything is lost, twice or wrong."""
    arguments = _parser().parse_args()
    configure_logging(Path("build/logs"), "ERROR")
    with tempfile.TemporaryDirectory(prefix="plant-twin-crash-") as folder:
        figures = run_crash(arguments, Path(folder))
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps({name: round(value, 3) for name, value in figures.items()}, indent=1) + "\n")
    for name, value in figures.items():
        print(f"{name:24}{value:14,.0f}")
    return 1 if any(figures[name] for name in _MUST_BE_NONE) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="by SIGKILL, of processing and database together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds-between", type=float, default=2.0, help="mean time between ready and killed")
    parser.add_argument("--rate", type=float, default=400.0, help="raw readings a second")
    parser.add_argument("--client", choices=("kafka-python", "confluent"), default="kafka-python")
    parser.add_argument("--storage", choices=("sqlite", "influx"), default="sqlite")
    return parser


if __name__ == "__main__":
    sys.exit(main())
