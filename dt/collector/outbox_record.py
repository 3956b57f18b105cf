"""A record with its number, and the row of the outbox's file that it is."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from dt.communication.messaging import Outgoing

COLUMNS = "id, size, bulky, mark, topic, key, headers, value"
Row = tuple[int, int, int, str | None, str, str | None, bytes, bytes | None]


@dataclass(slots=True)
class Kept:
    """A record with its number; `mark` is its owner's remark, by which it may be rewritten."""

    id: int
    record: Outgoing
    size: int
    bulky: bool = False
    mark: str | None = None


def size_of(record: Outgoing) -> int:
    """Return what a record counts for: its bytes, and about what a row costs beside them."""
    headers = sum(len(name) + len(value) for name, value in record.headers.items())
    return len(record.value or b"") + len(record.topic) + len(record.key or "") + headers + 40


def row_of(kept: Kept) -> tuple[object, ...]:
    """Return the COLUMNS of a record."""
    record = kept.record
    headers = msgspec.msgpack.encode(dict(record.headers))
    return kept.id, kept.size, int(kept.bulky), kept.mark, record.topic, record.key, headers, record.value


def kept_of(row: Row) -> Kept:
    """Return the record of a row."""
    number, size, bulky, mark, topic, key, headers, value = row
    record = Outgoing(topic, value, key, msgspec.msgpack.decode(headers, type=dict[str, bytes]))
    return Kept(number, record, size, bool(bulky), mark)
