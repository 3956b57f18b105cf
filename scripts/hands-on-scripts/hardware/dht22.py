#!/usr/bin/env python3
"""Shows temperature and humidity of a DHT22, by Adafruit's driver; some reads fail, and that is how this sensor is.

.venv/bin/python scripts/hands-on-scripts/hardware/dht22.py --pin GPIO4 --count 10
"""

from __future__ import annotations

import sys

from workbench import looks, parser, pin, run, workbench


def main() -> int:
    """Print degC and % for each read that works; return 1 when none did."""
    arguments = parser(__doc__ or "", every_s=2.5)
    arguments.add_argument("--pin", type=pin, default="GPIO4", help="its data pin, BCM name (default: %(default)s)")
    options = arguments.parse_args()
    good = 0
    with workbench(options) as bench:
        import adafruit_dht

        chip = adafruit_dht.DHT22(bench.hardware.pin(options.pin))
        try:
            for _ in looks(options):
                good += show(chip)
        finally:
            chip.exit()
    return 0 if good else 1


def show(chip: object) -> bool:
    """Print one read, or why there is none; within 2 s the chip only repeats itself."""
    try:
        chip.measure()  # type: ignore[attr-defined]
    except RuntimeError as error:
        print(f"no reading: {error}", flush=True)
        return False
    print(f"{chip.temperature:6.1f} degC {chip.humidity:6.1f} %", flush=True)  # type: ignore[attr-defined]
    return True


if __name__ == "__main__":
    sys.exit(run(main))
