#!/usr/bin/env python3
"""Shows who answers on the I2C bus, and what it probably is.

.venv/bin/python scripts/hands-on-scripts/hardware/i2c_scan.py
"""

from __future__ import annotations

import sys

from workbench import looks, parser, run, workbench


def main() -> int:
    """Scan the bus; return 1 when nobody answers."""
    from dt.operations.doctor_chips import probable_chips

    options = parser(__doc__ or "", count=1).parse_args()
    found: list[int] = []
    with workbench(options) as bench:
        bus = bench.hardware.i2c()
        for _ in looks(options):
            found = bus.scan()
            for place in found:
                print(f"{place:#04x}  {' or '.join(probable_chips(place)) or 'unknown'}")
            print(f"{len(found)} chips answer")
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(run(main))
