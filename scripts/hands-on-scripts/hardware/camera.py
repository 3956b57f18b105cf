#!/usr/bin/env python3
"""Takes pictures and tells their size and brightness.

.venv/bin/python scripts/hands-on-scripts/hardware/camera.py --camera camera0 --output try.jpg
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from workbench import camera, looks, parser, run, workbench


def main() -> int:
    """Take pictures, keep the last one."""
    arguments = parser(__doc__ or "", count=1)
    arguments.add_argument("--camera", type=camera, default="camera0", help="camera0 to camera9 (default: %(default)s)")
    arguments.add_argument("--output", type=Path, help="file that keeps the last picture")
    options = arguments.parse_args()
    with workbench(options) as bench:
        lens = bench.hardware.camera(options.camera)
        for _ in looks(options):
            jpeg = lens.capture()
            print(described(jpeg), flush=True)
            if options.output is not None:
                options.output.write_bytes(jpeg)
    return 0


def described(jpeg: bytes) -> str:
    """Return size and mean brightness of a JPEG."""
    from PIL import Image, ImageStat

    with Image.open(io.BytesIO(jpeg)) as picture:
        [brightness] = ImageStat.Stat(picture.convert("L")).mean
        return (
            f"{picture.width}x{picture.height} pixels, {len(jpeg) / 1000:.0f} kB, brightness {brightness / 2.55:.0f} %"
        )


if __name__ == "__main__":
    sys.exit(run(main))
