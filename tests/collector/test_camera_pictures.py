"""Pictures judged and reduced: what is dark, blurred or blocked, and that none is larger than a record may be."""

from __future__ import annotations

import io
import random
from collections.abc import Callable

import pytest
from PIL import Image, ImageFilter

from dt.collector.camera_pictures import MAX_JPEG_BYTES, bright_level, flags_of, prepared, sharpness
from dt.communication.frames import is_jpeg
from dt.simulator.board import BoxWire
from dt.simulator.from_rig import timer_lamp_id
from dt.utils.exceptions import SensorError

Change = Callable[[Image.Image], Image.Image]


def jpeg_of(picture: Image.Image, quality: int = 90) -> bytes:
    """Return a picture as a camera gives it."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


@pytest.fixture
def by_day(board: BoxWire) -> Image.Image:
    """Return what the box's camera sees under its lamp."""
    board.box.drive(timer_lamp_id("box"), 1.0)
    return Image.open(io.BytesIO(board.capture(0)))


@pytest.mark.parametrize(
    ("change", "flags"),
    [
        (lambda picture: picture, ()),
        (lambda picture: picture.filter(ImageFilter.GaussianBlur(2.5)), ("blurred",)),
        (lambda picture: picture.filter(ImageFilter.GaussianBlur(8.0)), ("blurred",)),
        (lambda picture: picture.point(lambda level: level // 12), ("dark",)),
        (lambda picture: Image.new("RGB", picture.size, (120, 90, 70)), ("blocked",)),
    ],
    ids=["sharp", "a little blurred", "blurred", "dark", "a hand before the lens"],
)
def test_what_is_wrong_with_a_picture_is_said(by_day: Image.Image, change: Change, flags: tuple[str, ...]) -> None:
    """One word at most; a good picture has none."""
    assert prepared(jpeg_of(change(by_day))).flags == flags


def test_a_black_backdrop_is_not_darkness(by_day: Image.Image) -> None:
    """A plant on black velvet has a low mean; what counts is whether anything is bright."""
    backdrop = Image.new("RGB", (640, 480))
    backdrop.paste(by_day.crop((250, 180, 390, 300)), (250, 180))

    assert flags_of(backdrop) == ()


def test_the_limits_are_settable(by_day: Image.Image) -> None:
    """Another lens, another scene."""
    assert flags_of(by_day, sharp_above=5.0) == ("blurred",)
    assert flags_of(by_day, dark_below=255.0) == ("dark",)


def test_sharpness_does_not_depend_on_contrast(by_day: Image.Image) -> None:
    """Half the contrast is as sharp, but for the rounding of levels."""
    grey = by_day.convert("L").reduce(2)
    pale = grey.point(lambda level: 64 + level // 2)

    assert sharpness(pale) == pytest.approx(sharpness(grey), rel=0.05)
    assert sharpness(Image.new("L", (64, 64), 9)) == 0.0


def test_the_bright_level_passes_over_a_few_bright_pixels() -> None:
    """A LED in a dark box is no daylight."""
    night = Image.new("L", (200, 100), 8)
    night.paste(255, (0, 0, 9, 9))

    assert bright_level(night) == 8.0
    night.paste(255, (0, 0, 20, 20))
    assert bright_level(night) == 255.0


def test_a_large_picture_loses_quality_first_and_then_size() -> None:
    """Noise of 12 megapixels fits into a record only when it is made smaller."""
    grain = Image.frombytes("L", (2000, 1500), random.Random("grain").randbytes(3_000_000)).convert("RGB")

    fine = prepared(jpeg_of(grain.filter(ImageFilter.GaussianBlur(1.0)), 95))
    coarse = prepared(jpeg_of(grain, 95))

    for picture in (fine, coarse):
        assert len(picture.jpeg) <= MAX_JPEG_BYTES
        assert is_jpeg(picture.jpeg)
        assert Image.open(io.BytesIO(picture.jpeg)).size == (picture.width, picture.height)
    assert (fine.width, fine.height) == (2000, 1500)
    assert coarse.width < 2000


def test_a_small_picture_is_passed_on_as_it_is(by_day: Image.Image) -> None:
    """Nothing is lost by encoding twice."""
    jpeg = jpeg_of(by_day)

    assert prepared(jpeg).jpeg is jpeg


@pytest.mark.parametrize("cut", [10, 2000])
def test_a_truncated_picture_is_refused_as_such(by_day: Image.Image, cut: int) -> None:
    """A picture that is not whole is none."""
    with pytest.raises(SensorError, match=f"{cut} bytes that are a JPEG that is truncated or damaged"):
        prepared(jpeg_of(by_day)[:cut])


@pytest.mark.parametrize("other", [b"", b"GIF89a and more"])
def test_what_is_no_jpeg_is_refused(other: bytes) -> None:
    """Nothing else is looked at."""
    with pytest.raises(SensorError, match=f"{len(other)} bytes that are no JPEG"):
        prepared(other)


@pytest.mark.parametrize("size", [(4096, 2), (2, 4096), (1, 1)])
def test_a_strip_has_no_sharpness_and_is_a_picture(size: tuple[int, int]) -> None:
    """Whoever crops a picture to a line gets it."""
    strip = Image.linear_gradient("L").resize(size)

    picture = prepared(jpeg_of(strip))

    assert (picture.width, picture.height) == size
    assert "blurred" not in picture.flags


def test_a_camera_that_hangs_upside_down_is_turned_as_it_says(by_day: Image.Image) -> None:
    """EXIF's orientation is applied, since nobody later reads it."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    buffer = io.BytesIO()
    by_day.save(buffer, "JPEG", quality=90, exif=exif)

    picture = prepared(buffer.getvalue())

    assert (picture.width, picture.height) == (by_day.height, by_day.width)
    turned = Image.open(io.BytesIO(picture.jpeg))
    assert turned.size == (picture.width, picture.height)
    assert turned.getexif().get(0x0112, 1) == 1
