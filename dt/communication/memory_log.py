"""The log in memory: partitions with offsets, retention, compaction, groups and their committed offsets."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from dt.communication.messaging import Outgoing, Record, Start, UnknownTopicError
from dt.communication.topics import TopicSpec
from dt.utils.exceptions import MessageTooLargeError

# Of a partition, for who comes later; more only while a group still has to read them.
KEPT_RECORDS, KEPT_BYTES = 20_000, 64 * 1024 * 1024


@dataclass(slots=True)
class Partition:
    """One ordered run of records; those before `first` have been let go."""

    first: int = 0
    records: deque[Record] = field(default_factory=deque)
    bytes: int = 0  # of the values
    compact_at: int = 2000

    @property
    def end(self) -> int:
        """Return the offset that the next record will get."""
        return self.records[-1].offset + 1 if self.records else self.first

    def since(self, offset: int, count: int) -> list[Record]:
        """Return up to `count` records from an offset on."""
        if not self.records or offset > self.records[-1].offset:
            return []
        skip = 0
        if offset > self.records[0].offset:
            dense = self.records[-1].offset - self.records[0].offset + 1 == len(self.records)
            skip = offset - self.records[0].offset if dense else sum(r.offset < offset for r in self.records)
        return list(islice(self.records, skip, skip + count))


@dataclass(slots=True)
class Group:
    """What a consumer group has read: next offset of each of its partitions."""

    start: Start
    topics: tuple[str, ...]
    offsets: dict[tuple[str, int], int] = field(default_factory=dict)


class MemoryLog:
    """All partitions and groups; not thread-safe by itself, `MemoryMessaging` holds the lock."""

    def __init__(
        self, table: Mapping[str, TopicSpec], *, kept_records: int = KEPT_RECORDS, kept_bytes: int = KEPT_BYTES
    ) -> None:
        self._table = table
        self._kept_records = kept_records
        self._kept_bytes = kept_bytes
        self._partitions = {
            (topic, number): Partition() for topic, spec in table.items() for number in range(spec.partitions)
        }
        self.groups: dict[str, Group] = {}

    def check(self, outgoing: Outgoing) -> None:
        """Refuse an unknown topic or an oversize record, before anything is kept."""
        spec = self._spec(outgoing.topic)
        size = len(outgoing.value or b"") + len(outgoing.key or "") + sum(map(len, outgoing.headers.values()))
        if size > spec.max_message_bytes:
            raise MessageTooLargeError(outgoing.topic, size, spec.max_message_bytes)

    def append(self, outgoing: Outgoing, now: float) -> None:
        """Put a checked record at the end of its key's partition."""
        spec = self._spec(outgoing.topic)
        number = zlib.crc32(outgoing.key.encode()) % spec.partitions if outgoing.key is not None else 0
        partition = self._partitions[outgoing.topic, number]
        partition.records.append(
            Record(outgoing.topic, number, partition.end, outgoing.key, outgoing.value, outgoing.headers, now)
        )
        partition.bytes += len(outgoing.value or b"")
        most = partition.compact_at if spec.is_compacted else self._kept_records
        if len(partition.records) > most or partition.bytes > self._kept_bytes:
            self._let_go(outgoing.topic, number, partition)

    def join(self, name: str, topics: Sequence[str], start: Start) -> Group:
        """Return a group, begun at the start or end of its partitions when it is new."""
        group = self.groups.setdefault(name, Group(start, tuple(topics)))
        group.topics = tuple(dict.fromkeys((*group.topics, *topics)))
        for topic in topics:
            for number in range(self._spec(topic).partitions):
                partition = self._partitions[topic, number]
                begin = partition.end if start is Start.LATEST else partition.first
                group.offsets.setdefault((topic, number), begin)
        return group

    def partitions_of(self, topics: Iterable[str]) -> list[tuple[str, int]]:
        """Return every partition of these topics."""
        return [(topic, number) for topic in topics for number in range(self._spec(topic).partitions)]

    def read(self, place: tuple[str, int], offset: int, count: int) -> list[Record]:
        """Return up to `count` records of a partition from an offset on."""
        return self._partitions[place].since(offset, count)

    def end(self, place: tuple[str, int]) -> int:
        """Return the offset after a partition's last record."""
        return self._partitions[place].end

    def backlog(self, outgoing: Outgoing) -> int:
        """Return how far the slowest group is behind on this topic."""
        places = self.partitions_of([outgoing.topic])
        behind = (
            self._partitions[place].end - group.offsets[place]
            for group in self.groups.values()
            for place in places
            if place in group.offsets
        )
        return max(behind, default=0)

    def _spec(self, topic: str) -> TopicSpec:
        try:
            return self._table[topic]
        except KeyError:
            raise UnknownTopicError(f"{topic}: no such topic") from None

    def _let_go(self, topic: str, number: int, partition: Partition) -> None:
        place = (topic, number)
        needed = min((g.offsets[place] for g in self.groups.values() if place in g.offsets), default=partition.end)
        if self._table[topic].is_compacted:
            _compact(partition, needed)
            return
        most_records, most_bytes = self._kept_records // 2, self._kept_bytes // 2
        while len(partition.records) > most_records or partition.bytes > most_bytes:
            if len(partition.records) == 1 or partition.records[0].offset >= needed:
                return
            gone = partition.records.popleft()
            partition.first = gone.offset + 1
            partition.bytes -= len(gone.value or b"")


def _compact(partition: Partition, needed: int) -> None:
    """Keep the latest record of each key, and what somebody still has to read; tombstones go once all have read them.

    The last record stays in any case: the next offset follows from it.
    """
    latest = {record.key: record.offset for record in partition.records}
    partition.records = deque(
        record
        for record in partition.records
        if record.offset >= needed
        or (latest[record.key] == record.offset and (record.value is not None or record is partition.records[-1]))
    )
    partition.bytes = sum(len(record.value or b"") for record in partition.records)
    partition.compact_at = max(2000, 2 * len(partition.records))
