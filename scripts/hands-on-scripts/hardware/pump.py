#!/usr/bin/env python3
"""Runs a pump once, into a measuring jug, and tells its flow for rig.toml; by gpiozero.

Stop the controller before: it owns the pin. SIGKILL and a power cut leave a Pi's pin as it was: stay beside it.
.venv/bin/python scripts/hands-on-scripts/hardware/pump.py --pin GPIO17 --seconds 10 --ml 480
"""

from __future__ import annotations

import argparse
import sys
import time

from workbench import confirmed, hold, looks, on_seconds, parser, pin, run, workbench


def main() -> int:
    """Run the pump; off at every end."""
    options = _options()
    if not confirmed(f"The pump on {options.pin} runs for {options.seconds:g} s. Is the hose in the jug?", options):
        sys.stderr.write("nothing was switched\n")
        return 1
    with workbench(options) as bench, bench.output(options.pin, active_high=not options.active_low) as pump:
        for _ in looks(options):
            began = time.monotonic()
            pump.on()
            print(f"{options.pin} on", flush=True)
            hold(options.seconds)
            pump.off()
            on_s = time.monotonic() - began
            print(f"{options.pin} off after {on_s:.2f} s", flush=True)
            print(_flow(options.ml, on_s), flush=True)
    return 0


def _flow(ml: float | None, on_s: float) -> str:
    if ml is None:
        return f"flow_ml_s = what is in the jug (ml) / {on_s:.2f}"
    return f"flow_ml_s = {ml / on_s:.1f}"


def _options() -> argparse.Namespace:
    arguments = parser(__doc__ or "", count=1)
    arguments.add_argument("--pin", type=pin, default="GPIO17", help="BCM name (default: %(default)s)")
    arguments.add_argument("--seconds", type=on_seconds, default=10.0, help="how long, at most 30 (default: 10)")
    arguments.add_argument("--ml", type=float, help="what was in the jug after a run like this")
    arguments.add_argument("--active-low", action="store_true", help="the board is on when its input is low")
    arguments.add_argument("--yes", action="store_true", help="do not ask")
    return arguments.parse_args()


if __name__ == "__main__":
    sys.exit(run(main))
