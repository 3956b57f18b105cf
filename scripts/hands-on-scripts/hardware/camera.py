#!/usr/bin/env python3
"""Takes pictures and tells their size, and whether they are dark or blurred.

.venv/bin/python scripts/hands-on-scripts/hardware/camera.py --camera camera0 --output try.jpg
"""

from __future__ import annotations

import sys

from workbench import camera, looks, new_file, parser, run, workbench


def main() -> int:
    """Take pictures, keep the last one."""
    arguments = parser(__doc__ or "", count=1)
    arguments.add_argument(
        "--camera", type=camera, default="camera0", help="camera0, usb0 and so on (default: camera0)"
    )
    arguments.add_argument("--output", type=new_file, help="file that keeps the last picture")
    options = arguments.parse_args()
    with workbench(options) as bench:
        lens = bench.hardware.camera(options.camera)
        for _ in looks(options):
            picture = lens.capture()
            flags = "".join(f", {flag}" for flag in picture.flags)
            print(f"{picture.width}x{picture.height} pixels, {len(picture.jpeg) / 1000:.0f} kB{flags}", flush=True)
            if options.output is not None:
                options.output.write_bytes(picture.jpeg)
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
