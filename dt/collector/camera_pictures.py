"""Pictures looked at: small enough, and whether they are dark, blurred or blocked."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from PIL import ExifTags, Image, ImageFilter, ImageOps, ImageStat, UnidentifiedImageError

from dt.collector.camera_spec import DARK_BELOW, SHARP_ABOVE, UNIFORM_BELOW, Picture
from dt.utils.exceptions import SensorError

MAX_JPEG_BYTES = 700_000
_JUDGED_SIDE = 320  # px; noise of single pixels is averaged away in larger pictures, and judging costs a few ms
_BRIGHT_SHARE = 0.005  # of the pixels: a black backdrop does not make a picture dark, nor a lamp of a device bright
_QUALITIES = (85, 75, 65, 50)
_SHRINKS_BY = 0.75
_JPEG_BEGINS = b"\xff\xd8"
_UPRIGHT = 1  # of EXIF's orientation
_LAPLACIAN = ImageFilter.Kernel((3, 3), (0, 1, 0, 1, -4, 1, 0, 1, 0), scale=1, offset=128)


def prepared(jpeg: bytes, dark_below: float = DARK_BELOW, sharp_above: float = SHARP_ABOVE) -> Picture:
    """Return a camera's JPEG as a picture of at most 700 kB with its flags; raises `SensorError` when it is none."""
    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as opened:
            opened.load()
            picture: Image.Image = opened
    except Image.DecompressionBombError as error:
        raise SensorError(f"the camera gave a picture that is too large: {error}") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        what = "a JPEG that is truncated or damaged" if jpeg.startswith(_JPEG_BEGINS) else "no JPEG"
        raise SensorError(f"the camera gave {len(jpeg)} bytes that are {what}") from error
    flags = flags_of(picture, dark_below, sharp_above)
    is_turned = picture.getexif().get(ExifTags.Base.Orientation, _UPRIGHT) != _UPRIGHT
    if is_turned or len(jpeg) > MAX_JPEG_BYTES:
        jpeg, picture = _reduced(ImageOps.exif_transpose(picture).convert("RGB"))
    return Picture(jpeg, *picture.size, flags)


def flags_of(picture: Image.Image, dark_below: float = DARK_BELOW, sharp_above: float = SHARP_ABOVE) -> tuple[str, ...]:
    """Return what is wrong with a picture, at most one word: in the dark nothing else can be told."""
    grey = picture.convert("L")
    grey = grey.reduce(max(1, max(grey.size) // _JUDGED_SIDE))
    if bright_level(grey) < dark_below:
        return ("dark",)
    if ImageStat.Stat(grey).stddev[0] < UNIFORM_BELOW:
        return ("blocked",)
    return ("blurred",) if sharpness(grey) < sharp_above else ()


def bright_level(grey: Image.Image) -> float:
    """Return the level (0 to 255) that only the brightest half percent of the pixels exceed."""
    histogram: Sequence[int] = grey.histogram()
    left = _BRIGHT_SHARE * grey.width * grey.height
    for level in range(255, 0, -1):
        left -= histogram[level]
        if left < 0.0:
            return float(level)
    return 0.0


def sharpness(grey: Image.Image) -> float:
    """Return the variance of the Laplacian in parts of the picture's own variance, so that contrast does not count.

    A strip of less than three pixels has no Laplacian, and passes for sharp.
    Variance of the Laplacian as a measure of focus: Pech-Pacheco et al. (2000), Proc. 15th ICPR, 3, 314-317.
    """
    if min(grey.size) <= 2:
        return math.inf
    spread = ImageStat.Stat(grey).var[0]
    edges = grey.filter(_LAPLACIAN).crop((1, 1, grey.width - 1, grey.height - 1))
    return float(ImageStat.Stat(edges).var[0] / spread) if spread > 0.0 else 0.0


def _reduced(picture: Image.Image) -> tuple[bytes, Image.Image]:
    """Lower the quality, then the size, until the picture is small enough."""
    while True:
        for quality in _QUALITIES:
            buffer = io.BytesIO()
            picture.save(buffer, "JPEG", quality=quality)
            if buffer.tell() <= MAX_JPEG_BYTES:
                return buffer.getvalue(), picture
        size = (round(picture.width * _SHRINKS_BY), round(picture.height * _SHRINKS_BY))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
