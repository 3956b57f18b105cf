"""From the log into the store: every handler is idempotent and returns only when what it got is durable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from dt.communication.frames import is_jpeg
from dt.communication.messaging import MessagingService, Record, Subscription, UnusableRecordsError
from dt.communication.topics import Topics, processed_topics
from dt.data.database.frame_files import FrameFiles
from dt.data.database.records import Records
from dt.data.database.storage import PartlyRefusedError, Storage
from dt.utils.codec import Message, reader_of
from dt.utils.dataclasses import ActionResult, AlertEvent, CameraFrame, DeadLetter, GapNotice, Prediction, SensorData
from dt.utils.exceptions import DTError, MessageError
from dt.utils.logger import get_logger

READINGS_GROUP = "database"
RECORDS_GROUP = "database_records"
PICTURES_GROUP = "database_frames"
_PICTURES_AT_ONCE = 20
_STANDS_BACK_EVERY = 100  # records, half a millisecond's work
_READINGS_AT_ONCE = 14_000  # one durable write for a whole backlog's batch; live batches are small anyway
_PIECE = 3_000  # is decoded while the store writes the one before
_LAST_PIECE = 400  # the end of a batch waits for this one alone

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
        give_way: Callable[[], None] = lambda: None,
    ) -> None:
        self._storage = storage
        self._records = records
        self._pictures = pictures
        self._count = count
        self._give_way = give_way
        self._read = reader_of(SensorData)

    def subscribe(self, messaging: MessagingService) -> list[Subscription]:
        """Join the three groups: readings never wait for records or pictures."""
        return [
            messaging.subscribe(processed_topics(), READINGS_GROUP, self.on_processed, max_batch=_READINGS_AT_ONCE),
            messaging.subscribe(list(_RECORD_TYPES), RECORDS_GROUP, self.on_records),
            messaging.subscribe(
                [Topics.CAMERA_IMAGE.raw], PICTURES_GROUP, self.on_pictures, max_batch=_PICTURES_AT_ONCE
            ),
        ]

    def on_processed(self, records: Sequence[Record]) -> None:
        """Keep readings, and the descriptions of pictures."""
        batch = _Batch([], [], [])
        refused = 0
        try:
            self._storage.insert_all(_readings(records, batch, self._read, self._give_way))
        except PartlyRefusedError as error:
            batch.give_back(error)
            refused = len(error.refused)
        self._records.keep(batch.messages)
        self._count("readings", len(batch.of_readings) - refused)
        batch.bury_the_rest()

    def on_records(self, records: Sequence[Record]) -> None:
        """Keep alerts, results, predictions, dead letters and gap notices."""
        batch = _decoded(records)
        self._records.keep(batch.messages)
        self._count("records", len(batch.messages))
        batch.bury_the_rest()

    def on_pictures(self, records: Sequence[Record]) -> None:
        """Keep the JPEG files; what is no JPEG becomes a dead letter in processing."""
        for record in records:
            if record.value is not None and is_jpeg(record.value):
                self._pictures.put(record.value)
                self._count("pictures", 1)


class _Batch(NamedTuple):
    """What can be read of a batch: messages that are no readings, the records of readings; and what nobody can use."""

    messages: list[Message]
    of_readings: list[Record]
    unusable: list[tuple[Record, Exception]]

    def give_back(self, error: PartlyRefusedError) -> None:
        """Count what the store cannot hold among the unusable."""
        log.warning("%s; they go to dead letters", error)
        self.unusable.extend((self.of_readings[place], DTError(why)) for place, why in error.refused.items())

    def bury_the_rest(self) -> None:
        """Give the unusable ones back, once the others are kept."""
        if self.unusable:
            raise UnusableRecordsError(self.unusable)


def _readings(
    records: Sequence[Record], batch: _Batch, read: Callable[[bytes], SensorData], give_way: Callable[[], None]
) -> Iterator[list[SensorData]]:
    """Yield the readings of a batch piece by piece, each decoded when it is asked for."""
    for piece in _pieces(records):
        readings = []
        for place, record in enumerate(piece):
            if place % _STANDS_BACK_EVERY == 0:
                give_way()
            try:
                if record.topic == _CAMERA_PROCESSED:
                    batch.messages.append(CameraFrame.from_json(_value(record)))
                    continue
                readings.append(read(_value(record)))
            except MessageError as error:
                batch.unusable.append((record, error))
            else:
                batch.of_readings.append(record)
        yield readings


def _pieces(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """Yield a batch in pieces; the last ones are ever smaller, for nothing is left to decode while they are written."""
    first = 0
    while first < len(records):
        size = min(_PIECE, max(_LAST_PIECE, (len(records) - first) // 2))
        yield records[first : first + size]
        first += size


def _decoded(records: Sequence[Record]) -> _Batch:
    """Decode each record by itself: one in a hundred must not break a batch into a hundred writes."""
    batch = _Batch([], [], [])
    for record in records:
        try:
            batch.messages.append(_RECORD_TYPES[record.topic].from_json(_value(record)))
        except MessageError as error:
            batch.unusable.append((record, error))
    return batch


def _value(record: Record) -> bytes:
    if record.value is None:
        raise MessageError("$", "is a tombstone, and a message is expected")
    return record.value
