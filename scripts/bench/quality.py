"""Measure the quality gates: `make report-quality` writes build/figures/quality.json."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from dt.evaluation.quality_report import box_figures, box_scores, file_figures
from dt.utils.rig import load_rig

_ROOT = Path(__file__).resolve().parents[2]
_FIGURES = _ROOT / "build" / "figures" / "quality.json"
_DAYS, _SEED = 24.0, 2


def main() -> int:
    """Measure, print tables, write the figures, and return the exit code."""
    options = _options()
    began = time.monotonic()
    _say(f"The box of {options.rig.name}, {options.days:g} days, seed {options.seed}, with and without faults:")
    scores, alarms = box_scores(load_rig(options.rig), options.seed, options.days)
    figures = box_figures(scores, alarms, _say)
    if options.data.is_dir():
        _say(f"Files of {options.data}:")
        figures |= file_figures(options.data, _say)
    else:
        _say(f"Skipped: there is no folder {options.data}; say where the measurements are with --data")
    figures["seconds"] = time.monotonic() - began
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(
        json.dumps({name: round(value, 6) for name, value in figures.items()}, indent=1) + "\n", "utf-8"
    )
    _say(f"Written: {options.out}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=_ROOT.parent / "shared" / "data", help="folder of measurements")
    parser.add_argument("--rig", type=Path, default=_ROOT / "rig.toml", help="rig whose box is simulated")
    parser.add_argument("--days", type=float, default=_DAYS, help="of simulated time, at least 8")
    parser.add_argument("--seed", type=int, default=_SEED)
    parser.add_argument("--out", type=Path, default=_FIGURES, help="file of the figures")
    options = parser.parse_args()
    if options.days < 8.0:
        parser.error(f"--days must be at least 8, not {options.days:g}: the first faults begin on the sixth day")
    return options


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
