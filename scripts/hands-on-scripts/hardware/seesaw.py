#!/usr/bin/env python3
"""Shows the counts and the temperature of a STEMMA soil probe (seesaw), by Adafruit's driver.

About 300 counts in air, near 1000 in wet soil; hold the probe, and both go up.
.venv/bin/python scripts/hands-on-scripts/hardware/seesaw.py --address 0x36 --count 10
"""

from __future__ import annotations

import sys

from workbench import address, looks, parser, run, workbench


def main() -> int:
    """Print counts and degC."""
    arguments = parser(__doc__ or "")
    arguments.add_argument("--address", type=address, default=0x36, help="0x36 to 0x39 by its jumpers (default: 0x36)")
    options = arguments.parse_args()
    with workbench(options) as bench:
        from adafruit_seesaw.seesaw import Seesaw

        chip = Seesaw(bench.hardware.i2c(), addr=options.address)
        for _ in looks(options):
            print(f"{chip.moisture_read():5d} counts {chip.get_temp():6.1f} degC", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
