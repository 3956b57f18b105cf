#!/usr/bin/env python3
"""Runs a pump once, into a measuring jug, and tells its flow for rig.toml; by gpiozero.

Stop the controller before: it owns the pin. A power cut of the Pi alone leaves the board as it was: stay beside it.
.venv/bin/python scripts/hands-on-scripts/hardware/pump.py --pin GPIO17 --seconds 10 --ml 480
"""

from __future__ import annotations

import argparse
import sys

from workbench import confirmed, looks, millilitres, on_seconds, output_options, parser, run, times, workbench


def main() -> int:
    """Run the pump; off at every end."""
    options = _options()
    question = (
        f"The pump on {options.pin} runs {times(options.count)} for {options.seconds:g} s. Is the hose in the jug?"
    )
    if not confirmed(question, options):
        sys.stderr.write("nothing was switched\n")
        return 1
    high = not options.active_low
    with workbench(options) as bench, bench.output(options.pin, active_high=high, wire_path=options.wire) as pump:
        for _ in looks(options):
            pump.on(options.seconds)
            print(f"{options.pin} on", flush=True)
            on_s = pump.wait_off()
            print(f"{options.pin} off after {on_s:.2f} s", flush=True)
            print(_flow(options.ml, on_s), flush=True)
    return 0


def _flow(ml: float | None, on_s: float) -> str:
    if ml is None:
        return f"flow_ml_s = what is in the jug (ml) / {on_s:.2f}"
    return f"flow_ml_s = {ml / on_s:.1f}"


def _options() -> argparse.Namespace:
    arguments = parser(__doc__ or "", count=1)
    arguments.add_argument("--seconds", type=on_seconds, default=10.0, help="how long, at most 30 (default: 10)")
    arguments.add_argument("--ml", type=millilitres, help="what was in the jug after a run like this")
    return output_options(arguments, "pump")


if __name__ == "__main__":
    sys.exit(run(main))
