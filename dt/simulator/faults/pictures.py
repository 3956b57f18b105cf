"""Faults of cameras (F18): what becomes of a picture."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence

from PIL import Image, ImageFilter

from dt.communication.wire_calls import WireRefusedError
from dt.simulator.faults.order import Fault

_QUALITY = 86
_DARKNESS = 0.04
_BLUR_RADIUS = 14.0
_LEAF_ON_THE_LENS = (34, 46, 26)
_LEAF_SHARE = 0.96


def faulty_picture(jpeg: bytes, faults: Sequence[Fault], camera: int) -> bytes:
    """Return the picture under the faults of its camera; raises `WireRefusedError` when the camera is gone."""
    modes = [fault.word("mode") for fault in faults if fault.fault == "F18"]
    if "gone" in modes:
        msg = f"camera {camera} does not answer"
        raise WireRefusedError(msg)
    if not modes:
        return jpeg
    with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as opened:
        picture = opened.convert("RGB")
    for mode in modes:
        picture = _CHANGES[mode](picture)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def _dark(picture: Image.Image) -> Image.Image:
    return picture.point([round(level * _DARKNESS) for level in range(256)] * len(picture.getbands()))


def _blurred(picture: Image.Image) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(_BLUR_RADIUS))


def _blocked(picture: Image.Image) -> Image.Image:
    return Image.blend(_blurred(picture), Image.new("RGB", picture.size, _LEAF_ON_THE_LENS), _LEAF_SHARE)


_CHANGES: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "dark": _dark,
    "blurred": _blurred,
    "blocked": _blocked,
}
