#!/usr/bin/env python3
"""Switches a relay or driver board on and off, by gpiozero. Unplug the supply of what hangs on it first.

Stop the controller before: it owns the pin.
.venv/bin/python scripts/hands-on-scripts/hardware/relay.py --pin GPIO17 --seconds 1 --count 3
"""

from __future__ import annotations

import sys

from workbench import confirmed, looks, on_seconds, output_options, parser, run, times, workbench


def main() -> int:
    """Switch as often as asked for; off at every end."""
    arguments = parser(__doc__ or "", count=3)
    arguments.add_argument("--seconds", type=on_seconds, default=1.0, help="on each time, at most 30 (default: 1)")
    options = output_options(arguments)
    question = f"{options.pin} switches on {times(options.count)} for {options.seconds:g} s. Is the supply unplugged?"
    if not confirmed(question, options):
        sys.stderr.write("nothing was switched\n")
        return 1
    high = not options.active_low
    with workbench(options) as bench, bench.output(options.pin, active_high=high, wire_path=options.wire) as relay:
        for _ in looks(options):
            relay.on(options.seconds)
            print(f"{options.pin} on", flush=True)
            relay.wait_off()
            print(f"{options.pin} off", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
