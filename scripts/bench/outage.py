"""A day without a broker: the collector is killed at random, its power is cut, and every reading is accounted for.

Ten sensors at 5 s, above the drivers by an injected clock; the real SensorManager and Outbox in a process of its own.
Then the broker comes back, real processing and database store what arrives, and `GET /gaps` is compared, sensor by
sensor and hour by hour, with an account that this program keeps by itself. Writes build/figures/outage.json.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from outage_account import Account, Journal
from outage_child import NAME, descriptors
from outage_house import House, kafka_house, memory_house
from stage import say, wait_for

from dt.collector.outbox import Outbox
from dt.utils.clock import SystemClock
from dt.utils.logger import configure_logging

FIGURES = Path("build/figures/outage.json")
_CHILD = Path(__file__).with_name("outage_child.py")
_MUST_BE_NONE = ("lost", "twice", "invented", "gap_report_errors", "out_of_order")
_DOWN_S = (0.2, 60.0)  # how long the collector is off after each end


@dataclass
class Outage:
    """What happened while the broker was away."""

    folder: Path
    hours: float
    ends: list[tuple[float, str]]
    random: random.Random
    begin: float = field(default_factory=lambda: round(time.time()) - 86_400.0 * 2)

    def live_through(self) -> None:
        """Run the collector from end to end, each run a process."""
        now = self.begin
        for at, how in sorted(self.ends):
            now = max(now, self._run(now, max(at, now + 1.0), how)) + self.random.uniform(*_DOWN_S)
        self._run(now, max(self.begin + self.hours * 3600.0, now + 60.0), "stop")

    def _run(self, start: float, until: float, how: str) -> float:
        """Return when, by its own clock, the run ended."""
        far = until + 3600.0 if how == "kill" else until
        command = [sys.executable, str(_CHILD), str(self.folder), "--start", f"{start:.3f}", "--until", f"{far:.3f}"]
        process = subprocess.Popen([*command, "--cut"] if how == "cut" else command)
        if how == "kill":
            journal = Journal(self.folder)
            wait_for(
                lambda: journal.last_time("<") >= until or process.poll() is not None, "the child stands still", 600.0
            )
            time.sleep(self.random.uniform(0.0, 0.01))  # any instruction of it
            process.kill()
        code = process.wait()
        if code != {"kill": -9, "cut": 9, "stop": 0}[how]:
            raise RuntimeError(f"the collector ended with {code} instead of by {how}")
        # A reading in hand at the end may have reached the disk: time must not go back behind it at the next boot.
        return max(start, Journal(self.folder).last_time(">"))


def run_outage(outage: Outage, house: House) -> dict[str, float]:
    """Live through an outage, let the broker come back, and return what became of every reading."""
    say(f"{outage.hours:g} h without a broker, {len(outage.ends)} sudden ends ...")
    began = time.monotonic()
    outage.live_through()
    lived_s = time.monotonic() - began
    waiting_mb = sum(path.stat().st_size for path in outage.folder.glob(f"{NAME}.db*")) / 1e6
    say("the broker is back ...")
    house.bind(descriptors())
    sent, per_s = _catch_up(outage.folder, house)
    account = Account(Journal(outage.folder), house.wait_for_readings(), house.arrivals())
    return {
        "hours": outage.hours,
        "kills": sum(how == "kill" for _, how in outage.ends),
        "power_cuts": sum(how == "cut" for _, how in outage.ends),
        **account.figures(),
        **account.compare_gaps(house.gaps),
        "sent": sent,
        "catch_up_per_s": per_s,
        "outbox_mb": waiting_mb,
        "lived_through_s": lived_s,
    }


def _catch_up(folder: Path, house: House) -> tuple[int, float]:
    """Publish what waits, and return how many records that were and how fast they went to the log."""
    outbox = Outbox(house.messaging, SystemClock(), folder, name=NAME)
    began = time.monotonic()
    outbox.start()
    wait_for(lambda: outbox.is_drained, "the outbox does not drain", 1800.0)
    took_s = time.monotonic() - began
    published = outbox.published
    outbox.stop()
    return published, published / took_s


@contextmanager
def outage_of(hours: float, kills: int, cuts: int, seed: int) -> Iterator[Outage]:
    """Give an outage with ends at random times, in a folder of its own."""
    chance = random.Random(seed)  # noqa: S311 - a bench must be repeatable
    with tempfile.TemporaryDirectory(prefix="plant-twin-outage-") as folder:
        outage = Outage(Path(folder), hours, [], chance)
        hows = ["kill"] * kills + ["cut"] * cuts
        outage.ends = [(outage.begin + chance.uniform(60.0, hours * 3600.0), how) for how in hows]
        yield outage


def main() -> int:
    """Run the day with kills, and again with power cuts."""
    arguments = _parser().parse_args()
    configure_logging(Path("build/logs"), "ERROR")
    house_of = kafka_house if arguments.kafka else memory_house
    with outage_of(arguments.hours, arguments.kills, 0, arguments.seed) as outage, house_of() as house:
        figures = run_outage(outage, house)
    if arguments.cuts:
        with outage_of(arguments.hours / 4, 0, arguments.cuts, arguments.seed + 1) as outage, house_of() as house:
            cut = run_outage(outage, house)
        kept = ("power_cuts", "lost", "lost_oldest_s", "twice", "gap_report_errors", "out_of_order")
        figures |= {name if name == "power_cuts" else f"cut_{name}": cut[name] for name in kept}
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps({name: round(value, 3) for name, value in figures.items()}, indent=1) + "\n")
    for name, value in figures.items():
        print(f"{name:24}{value:14,.2f}")
    return 1 if any(figures[name] for name in _MUST_BE_NONE) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=24.0, help="of outage")
    parser.add_argument("--kills", type=int, default=20, help="by SIGKILL, at random")
    parser.add_argument("--cuts", type=int, default=10, help="of power, in a second outage of a quarter of the time")
    parser.add_argument("--kafka", action="store_true", help="on a genuine broker instead of the log in memory")
    parser.add_argument("--seed", type=int, default=1)
    return parser


if __name__ == "__main__":
    sys.exit(main())
