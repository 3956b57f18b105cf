#!/usr/bin/env python3
"""Switches a relay or driver board on and off, by gpiozero. Unplug the supply of what hangs on it first.

Stop the controller before: it owns the pin.
.venv/bin/python scripts/hands-on-scripts/hardware/relay.py --pin GPIO17 --seconds 1 --count 3
"""

from __future__ import annotations

import sys

from workbench import confirmed, hold, looks, on_seconds, parser, pin, run, workbench


def main() -> int:
    """Switch as often as asked for; off at every end."""
    arguments = parser(__doc__ or "", count=3)
    arguments.add_argument("--pin", type=pin, default="GPIO17", help="BCM name (default: %(default)s)")
    arguments.add_argument("--seconds", type=on_seconds, default=1.0, help="on each time, at most 30 (default: 1)")
    arguments.add_argument("--active-low", action="store_true", help="the board is on when its input is low")
    arguments.add_argument("--yes", action="store_true", help="do not ask")
    options = arguments.parse_args()
    if not confirmed(f"{options.pin} switches on for {options.seconds:g} s. Is the pump's supply unplugged?", options):
        sys.stderr.write("nothing was switched\n")
        return 1
    with workbench(options) as bench, bench.output(options.pin, active_high=not options.active_low) as relay:
        for _ in looks(options):
            relay.on()
            print(f"{options.pin} on", flush=True)
            hold(options.seconds)
            relay.off()
            print(f"{options.pin} off", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
