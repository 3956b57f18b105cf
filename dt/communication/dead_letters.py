"""Records that nobody could use, kept with their reason."""

from __future__ import annotations

import base64
import hashlib

from dt.communication.messaging import Outgoing, Record, outgoing
from dt.communication.topics import Topics
from dt.utils.dataclasses import DeadLetter
from dt.utils.exceptions import DTError, MessageError

HEAD_BYTES = 4096


def letter_of(record: Record, error: Exception, now: float) -> Outgoing:
    """Return the dead letter of a record: reason, place, first 4 KiB and SHA-256, keyed by its topic."""
    value = record.value or b""
    letter = DeadLetter(
        reason=reason_of(error),
        why=str(error)[:2000],
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=None if record.key is None else record.key[:200],
        size_bytes=len(value),
        head_base64=base64.b64encode(value[:HEAD_BYTES]).decode(),
        sha256=hashlib.sha256(value).hexdigest(),
        timestamp=now,
    )
    return outgoing(Topics.DEAD_LETTERS, letter, key=record.topic)


def reason_of(error: Exception) -> str:
    """Return one word for what went wrong: undecodable, refused or failed."""
    if isinstance(error, MessageError):
        return "undecodable"
    return "refused" if isinstance(error, DTError) else "failed"
