"""Two client libraries on one broker: what one writes the other finds where it would have written it itself."""

from __future__ import annotations

import pytest

from dt.communication.opening import kafka_class
from dt.communication.topics import Topics
from dt.utils.config import Settings

pytestmark = pytest.mark.integration

RAW = Topics.TEMPERATURE.raw
LIBRARIES = ("kafka-python", "confluent")


def test_both_clients_put_a_key_into_the_same_partition(kafka_settings: Settings) -> None:
    """One processor sees everything of a zone, whichever client published it; key, headers and tombstones are alike."""
    keys = [f"zone-{number}" for number in range(40)] + ["Gewächshaus 3", "x" * 300]

    for library in LIBRARIES:
        messaging = kafka_class(library)(kafka_settings, library)
        for key in keys:
            messaging.publish(RAW, library.encode(), key=key, headers={"origin": b"live"})
        messaging.publish(RAW, None, key=keys[0])
        messaging.flush(30)
        messaging.close()

    for library in LIBRARIES:
        messaging = kafka_class(library)(kafka_settings, "reader")
        found = messaging.read_all(RAW)
        messaging.close()
        assert len(found) == 2 * (len(keys) + 1)
        for key in keys:
            assert len({record.partition for record in found if record.key == key}) == 1
        assert {tuple(record.headers.items()) for record in found if record.value} == {(("origin", b"live"),)}
        assert sum(record.value is None for record in found) == 2
