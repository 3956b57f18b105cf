"""How many plant-days the physics of the box alone makes in an hour of one core, at a 60 s step."""

from __future__ import annotations

import time

from dt.simulator.box import MAX_STEP_S, Box
from dt.simulator.spec import BoxSpec, PotSpec

_DAY_S = 86_400.0
_START_S = 1_800_000_000.0
_DOSE_ML = 60.0


def measure_physics(days: int = 20, pots: int = 1, rounds: int = 3) -> float:
    """Return plant-days per core-hour: the best of some rounds, each pot watered once a day, CPU time alone."""
    return max(_round(days, pots) for _ in range(rounds))


def _round(days: int, pots: int) -> float:
    spec = BoxSpec(pots=tuple(PotSpec(plant_id=f"plant-{index}") for index in range(pots)), pumps=())
    box = Box(spec, _START_S)
    began = time.process_time()
    for day in range(days):
        for plant_id in box.pots:
            box.pour(plant_id, box.now_s, _DOSE_ML)
        box.advance(_START_S + (day + 1) * _DAY_S)
    return days * pots * 3600.0 / (time.process_time() - began)


def main() -> int:
    """Print what one pot and what three pots reach."""
    for pots in (1, 3):
        rate = measure_physics(pots=pots)
        print(f"{pots} pot(s): {rate:,.0f} plant-days per core-hour at a {MAX_STEP_S:g} s step")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
