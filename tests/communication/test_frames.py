"""Pictures as records: the description in headers, the JPEG as value."""

from __future__ import annotations

import pytest

from dt.communication.frames import frame_from_headers, frame_headers
from dt.utils.dataclasses import CameraFrame
from dt.utils.exceptions import MessageError

FRAME = CameraFrame(
    sensor_id="123",  # a text, though it looks like a number
    zone_id="bøx",
    timestamp=1_800_000_000.123,
    correlation_id="0af76519-16cd-43dd-8448-eb211c80319c",
    width=640,
    height=480,
    flags=("dark", "blurred"),
    canopy_cover=0.25,
    boot_id="b1",
    sequence=7,
    origin="simulated",  # type: ignore[arg-type]
)


def test_description_survives_its_headers() -> None:
    """Texts, numbers and lists come back as they were."""
    assert frame_from_headers(frame_headers(FRAME)) == FRAME


def test_headers_mirror_what_every_record_mirrors() -> None:
    """Whoever reads origin and correlation id of any record reads them here."""
    headers = frame_headers(FRAME)

    assert headers["origin"] == b"simulated"
    assert headers["correlation_id"].decode() == FRAME.correlation_id
    assert headers["traceparent"].startswith(b"00-0af76519")


@pytest.mark.parametrize(
    ("name", "value"),
    [("width", b"wide"), ("height", b"0"), ("flags", b"["), ("zone_id", b"\xff"), ("timestamp", b"x")],
)
def test_spoilt_header_is_refused_by_name(name: str, value: bytes) -> None:
    """The dead letter then says which one."""
    with pytest.raises(MessageError) as refused:
        frame_from_headers({**frame_headers(FRAME), name: value})

    assert refused.value.field == name


def test_missing_header_is_refused_by_name() -> None:
    """A JPEG without description is no picture."""
    with pytest.raises(MessageError, match="sensor_id: is missing"):
        frame_from_headers({})
