#!/usr/bin/env python3
"""Shows the light that a BH1750 measures, by Adafruit's driver.

.venv/bin/python scripts/hands-on-scripts/hardware/bh1750.py --address 0x23 --count 10
"""

from __future__ import annotations

import sys

from workbench import address, looks, parser, run, workbench


def main() -> int:
    """Print illuminance in lux."""
    arguments = parser(__doc__ or "")
    arguments.add_argument(
        "--address", type=address, default=0x23, help="0x23, or 0x5c when ADDR is high (default: 0x23)"
    )
    options = arguments.parse_args()
    with workbench(options) as bench:
        import adafruit_bh1750

        chip = adafruit_bh1750.BH1750(bench.hardware.i2c(), options.address)
        chip.resolution = adafruit_bh1750.Resolution.MID  # HIGH ends at 27,306 lux, half of a summer day
        for _ in looks(options):
            print(f"{chip.lux:9.1f} lux", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
