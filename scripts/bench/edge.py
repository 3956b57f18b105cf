"""Measure the edge: the collector's memory, CPU, import and catch-up, and how fast the box's physics runs.

The collector runs as a process of its own, `python -m dt.collector.main`, with ten sensors at 5 s on a simulated box
behind the wire socket, against a genuine Kafka. Writes build/figures/edge.json.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from edge_loop import measure_closed_loop, measure_sensing
from physics import measure_physics
from stage import Stage, say, wait_for

from dt.collector.outbox import Outbox
from dt.communication.kafka import KafkaMessaging
from dt.communication.messaging import Outgoing, outgoing
from dt.communication.topics import Topics
from dt.utils.clock import ManualClock, SystemClock
from dt.utils.dataclasses import SensorData
from dt.utils.ids import new_correlation_id
from dt.utils.logger import configure_logging
from dt.utils.quantities import Quantity, Unit

FIGURES = Path("build/figures/edge.json")
_GOALS = {
    "rss_mb": ("at most", 60.0),
    "cpu_share": ("at most", 0.03),
    "import_s": ("at most", 1.0),
    "catch_up_per_s": ("at least", 5000.0),
    "plant_days_per_hour": ("at least", 150_000.0),
}
_SECOND_LIGHT = """
[[sensors]]
id = "bh1750-light-2"
kind = "bh1750"
quantity = "light_intensity"
zone = "box"
address = 0x5C
every_s = 5
"""
_SENSORS = 10


def ten_sensors(rig: str) -> str:
    """Return the repository's rig with ten sensors, all at 5 s: without the camera, with a second light sensor."""
    blocks = [block for block in re.split(r"(?m)^(?=\[)", rig) if 'kind = "camera"' not in block]
    return re.sub(r"(?m)^every_s = .*$", "every_s = 5", "".join(blocks)) + _SECOND_LIGHT


def measure_process(stage: Stage, seconds: float) -> dict[str, float]:
    """Run the collector, let it settle, and return its memory and its share of a core."""
    say(f"the collector runs for {seconds:g} s ...")
    with stage.process("-m", "dt.simulator.main"), stage.process("-m", "dt.collector.main") as popen:
        wait_for(lambda: len(_heard(stage)) == _SENSORS, "not every sensor was heard", 60.0)
        process = psutil.Process(popen.pid)
        time.sleep(seconds / 4)
        before, began = process.cpu_times(), time.monotonic()
        rss: list[int] = []
        while time.monotonic() - began < seconds:
            time.sleep(min(5.0, seconds / 8))
            rss.append(process.memory_info().rss)
        after, took_s = process.cpu_times(), time.monotonic() - began
        rollup = _rollup(popen.pid)
        threads = process.num_threads()
    return {
        "rss_mb": max(rss) / 1e6,
        "pss_mb": rollup["Pss"] / 1e6,
        "private_mb": (rollup["Private_Clean"] + rollup["Private_Dirty"]) / 1e6,
        "threads": threads,
        "cpu_share": (after.user + after.system - before.user - before.system) / took_s,
        "rss_growth_mb": (rss[-1] - rss[0]) / 1e6,
    }


def measure_import(rounds: int = 5) -> dict[str, float]:
    """Return how long a fresh Python takes to import the collector, beyond its own start (median)."""

    def run(code: str) -> float:
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.monotonic() - began

    run("import dt.collector.main")
    bare = statistics.median(run("pass") for _ in range(rounds))
    return {"import_s": statistics.median(run("import dt.collector.main") for _ in range(rounds)) - bare}


def measure_catch_up(stage: Stage, records: int) -> dict[str, float]:
    """Fill an outbox while no broker is there, and return how fast it then reaches a genuine one, durably."""
    say(f"an outbox of {records} readings catches up ...")
    folder = stage.settings.data_dir / "catch-up"
    away = KafkaMessaging(stage.settings.model_copy(update={"kafka_url": "127.0.0.1:1"}), "bench-away", SystemClock())
    outbox = Outbox(away, ManualClock(), folder)
    outbox.start()
    for first in range(0, records, 500):
        outbox.put_batch([_reading(number) for number in range(first, min(records, first + 500))])
    outbox.stop()
    away.close()
    messaging = KafkaMessaging(stage.settings, "bench", SystemClock())
    outbox = Outbox(messaging, SystemClock(), folder)
    began = time.monotonic()
    outbox.start()
    wait_for(lambda: outbox.is_drained, "the outbox does not drain", 300.0)
    took_s = time.monotonic() - began
    sent = outbox.published
    outbox.stop()
    messaging.close()
    return {"catch_up_per_s": sent / took_s, "catch_up_records": sent}


def _reading(number: int) -> Outgoing:
    at = 1_750_000_000.0 + number // _SENSORS * 5.0
    reading = SensorData(
        sensor_id=f"t{number % _SENSORS}",
        data_type=Quantity.TEMPERATURE,
        value=20.0 + number % 7 / 10,
        unit=Unit.DEGREE_CELSIUS,
        timestamp=at,
        correlation_id=new_correlation_id(at),
        zone_id=f"zone{number % 3}",
        boot_id="bench",
        sequence=number // _SENSORS,
    )
    return outgoing(Topics.TEMPERATURE.raw, reading, reading.zone_id)


def _heard(stage: Stage) -> set[str]:
    """Return the sensors of which the log has a reading."""
    messaging = KafkaMessaging(stage.settings, "bench", SystemClock())
    topics = (
        Topics.TEMPERATURE,
        Topics.HUMIDITY,
        Topics.SOIL_MOISTURE,
        Topics.SOIL_TEMPERATURE,
        Topics.LIGHT_INTENSITY,
    )
    try:
        records = [record for topic in topics for record in messaging.read_all(topic.raw)]
    finally:
        messaging.close()
    return {SensorData.from_json(record.value or b"").sensor_id for record in records}


def _rollup(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}


def main() -> int:
    """Measure one after the other."""
    arguments = _parser().parse_args()
    configure_logging(Path("build/logs"), "ERROR")
    os.environ["PYTHONUNBUFFERED"] = "1"
    figures = measure_import()
    with tempfile.TemporaryDirectory(prefix="plant-twin-edge-") as folder:
        stage = Stage(Path(folder))
        rig = Path(folder) / "rig.toml"
        rig.write_text(ten_sensors(stage.settings.rig_file.read_text("utf-8")), "utf-8")
        stage.settings = stage.settings.model_copy(update={"rig_file": rig})
        with stage.broker():
            figures |= measure_process(stage, arguments.seconds)
            figures |= measure_catch_up(stage, arguments.records)
    say("the box lives through its days ...")
    figures["plant_days_per_hour"] = measure_physics()
    figures |= measure_sensing(arguments.loop_hours)
    say("the whole loop lives through some days in lockstep ...")
    figures |= measure_closed_loop()
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps({name: round(value, 4) for name, value in figures.items()}, indent=1) + "\n")
    for name, value in figures.items():
        word, goal = _GOALS.get(name, ("", 0.0))
        print(f"{name:32}{value:14,.3f}   {f'{word} {goal:,g}' if word else ''}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=180.0, help="how long the collector is watched")
    parser.add_argument("--records", type=int, default=100_000, help="readings to catch up with")
    parser.add_argument("--loop-hours", type=float, default=2.0, help="simulated hours through the drivers")
    return parser


if __name__ == "__main__":
    sys.exit(main())
