"""Which partition a key belongs to: as every Kafka client chooses (murmur2_random), with few keys remembered."""

from __future__ import annotations

import random
from functools import lru_cache

from kafka.cluster import ClusterMetadata
from kafka.partitioner import Partitioner
from kafka.partitioner.default import murmur2


@lru_cache(maxsize=8192)
def hash_of(key: bytes) -> int:
    """Return the key's hash as Java's client counts it, without its sign.

    >>> hash_of(b"zone-1") % 3
    2
    """
    positive: int = murmur2(key) & 0x7FFFFFFF
    return positive


class KeyPartitioner(Partitioner):  # type: ignore[misc]  # the client has no types
    """The default partitioner's choice at a third of its price: keys are zones and plants, few and often the same."""

    def partition(
        self,
        topic: str,
        key: object,
        serialized_key: bytes | None,
        value: object,
        serialized_value: bytes | None,
        cluster: ClusterMetadata,
    ) -> int:
        """Return the key's partition, or any when there is no key."""
        del key, value, serialized_value
        known = cluster.partitions_for_topic(topic)
        if not known:
            raise ValueError(f"{topic}: no partitions are known")
        if serialized_key is None:
            return random.randrange(len(known))  # noqa: S311 - spreading load, no secret
        return hash_of(serialized_key) % len(known)
