"""From the log into the store: every handler is idempotent and returns only when what it got is durable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from dt.communication.dead_letters import letter_of
from dt.communication.frames import is_jpeg
from dt.communication.messaging import MessagingService, Outgoing, Record, Subscription
from dt.communication.topics import Topics, processed_topics
from dt.data.database.frame_files import FrameFiles
from dt.data.database.records import Records
from dt.data.database.storage import Storage
from dt.utils.clock import Clock, SystemClock
from dt.utils.codec import Message
from dt.utils.dataclasses import ActionResult, AlertEvent, CameraFrame, DeadLetter, GapNotice, Prediction, SensorData
from dt.utils.exceptions import MessageError
from dt.utils.logger import get_logger

READINGS_GROUP = "database"
RECORDS_GROUP = "database_records"
PICTURES_GROUP = "database_frames"
_PICTURES_AT_ONCE = 20
_READINGS_AT_ONCE = 5000  # one durable write for a whole backlog's batch; live batches are small anyway

_RECORD_TYPES: Mapping[str, type[Message]] = {
    Topics.ALERTS: AlertEvent,
    Topics.ACTION_RESULTS: ActionResult,
    Topics.PREDICTIONS: Prediction,
    Topics.DEAD_LETTERS: DeadLetter,
    Topics.GAPS: GapNotice,
}
_CAMERA_PROCESSED = Topics.CAMERA_IMAGE.processed

log = get_logger(__name__)


class Recorder:
    """Keeps processed readings, records and pictures; `count` hears what kind was stored and how many."""

    def __init__(
        self,
        storage: Storage,
        records: Records,
        pictures: FrameFiles,
        count: Callable[[str, int], None] = lambda _kind, _number: None,
        clock: Clock | None = None,
    ) -> None:
        self._storage = storage
        self._records = records
        self._pictures = pictures
        self._count = count
        self._clock = clock or SystemClock()
        self._messaging: MessagingService | None = None

    def subscribe(self, messaging: MessagingService) -> list[Subscription]:
        """Join the three groups: readings never wait for records or pictures."""
        self._messaging = messaging
        return [
            messaging.subscribe(processed_topics(), READINGS_GROUP, self.on_processed, max_batch=_READINGS_AT_ONCE),
            messaging.subscribe(list(_RECORD_TYPES), RECORDS_GROUP, self.on_records),
            messaging.subscribe(
                [Topics.CAMERA_IMAGE.raw], PICTURES_GROUP, self.on_pictures, max_batch=_PICTURES_AT_ONCE
            ),
        ]

    def on_processed(self, records: Sequence[Record]) -> None:
        """Keep readings, and the descriptions of pictures."""
        messages = self._decoded(
            records, lambda record: CameraFrame if record.topic == _CAMERA_PROCESSED else SensorData
        )
        readings = [message for message in messages.kept if isinstance(message, SensorData)]
        self._storage.insert(readings)
        self._records.keep([message for message in messages.kept if isinstance(message, CameraFrame)])
        self._bury(messages)
        self._count("readings", len(readings))

    def on_records(self, records: Sequence[Record]) -> None:
        """Keep alerts, results, predictions, dead letters and gap notices."""
        messages = self._decoded(records, lambda record: _RECORD_TYPES[record.topic])
        self._records.keep(messages.kept)
        self._bury(messages)
        self._count("records", len(messages.kept))

    def on_pictures(self, records: Sequence[Record]) -> None:
        """Keep the JPEG files; what is no JPEG becomes a dead letter in processing."""
        for record in records:
            if record.value is not None and is_jpeg(record.value):
                self._pictures.put(record.value)
                self._count("pictures", 1)

    def _decoded(self, records: Sequence[Record], type_of: Callable[[Record], type[Message]]) -> _Decoded:
        """Decode each record by itself: one in a thousand must not break the batch into a thousand writes."""
        messages = _Decoded([], [])
        for record in records:
            try:
                messages.kept.append(type_of(record).from_json(_value(record)))
            except MessageError as error:
                if self._messaging is None:
                    raise
                log.warning("%s-%d@%d goes to dead letters: %s", record.topic, record.partition, record.offset, error)
                messages.letters.append(letter_of(record, error, self._clock.wall()))
        return messages

    def _bury(self, messages: _Decoded) -> None:
        """Publish dead letters after the others are kept; offsets are committed once these are durable too."""
        if messages.letters and self._messaging is not None:
            self._messaging.publish_batch(messages.letters)


class _Decoded(NamedTuple):
    """A batch: what can be read of it, and dead letters of the rest."""

    kept: list[Message]
    letters: list[Outgoing]


def _value(record: Record) -> bytes:
    if record.value is None:
        raise MessageError("$", "is a tombstone, and a message is expected")
    return record.value
