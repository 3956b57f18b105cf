"""How a picture travels: the record's value is the JPEG, its headers are the fields of `CameraFrame`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import msgspec

from dt.communication.messaging import headers_of
from dt.utils.dataclasses import CameraFrame
from dt.utils.exceptions import MessageError

_JPEG_BEGIN = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"
_STRUCTURED = frozenset({"flags"})


def frame_headers(frame: CameraFrame) -> dict[str, bytes]:
    """Return one header per field that is set: texts as they are, lists and numbers as JSON.

    `origin`, `schema` and `correlation_id` so read as in every other record; `traceparent` is added.
    """
    texts = {name: _bytes_of(value) for name, value in frame.to_dict().items() if value is not None}
    return {**headers_of(frame), **texts}


def frame_from_headers(headers: Mapping[str, bytes]) -> CameraFrame:
    """Return the picture's description; raises MessageError with the header's name."""
    names = [field.name for field in fields(CameraFrame) if field.name in headers]
    return CameraFrame.from_dict({name: _value_of(name, headers[name]) for name in names})


def is_jpeg(value: bytes) -> bool:
    """Return whether bytes begin and end as a JPEG does; cameras may pad with zeros.

    >>> is_jpeg(b"GIF89a"), is_jpeg(bytes.fromhex("ffd8ffe0 0000 ffd9 0000"))
    (False, True)
    """
    return value.startswith(_JPEG_BEGIN) and value.rstrip(b"\0").endswith(_JPEG_END)


def frame_url(sha256: str) -> str:
    """Return the path at which the database serves a picture."""
    return f"/frames/{sha256}.jpg"


def _bytes_of(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else msgspec.json.encode(value)


def _value_of(name: str, text: bytes) -> Any:
    try:
        return msgspec.json.decode(text) if name in _STRUCTURED else text.decode()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MessageError(name, f"is no readable header: {error}") from error
