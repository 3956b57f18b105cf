"""A process that passes raw temperatures on until it is killed: `kafka_member.py subscribe|transform`."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence

from dt.communication.messaging import Outgoing, Record
from dt.communication.opening import kafka_class
from dt.communication.topics import Topics
from dt.utils.config import load_settings


class PassOn:
    """Every record goes on as it is."""

    def restore(self, state: Sequence[Record]) -> None:
        """Have nothing to remember."""

    def transform(self, records: Sequence[Record]) -> Sequence[Outgoing]:
        """Return the same values for the processed topic."""
        return [Outgoing(Topics.TEMPERATURE.processed, record.value, record.key) for record in records]


def main(way: str) -> None:
    """Say that everything is imported, and read for ever."""
    settings = load_settings(env_file=None)
    client = kafka_class(settings.kafka_client)
    sys.stdout.write("loaded\n")
    sys.stdout.flush()
    messaging = client(settings, "member")
    passing = PassOn()
    if way == "transform":
        messaging.transform([Topics.TEMPERATURE.raw], "members", passing, state_topic=Topics.STATE_PROCESSING)
    else:
        messaging.subscribe(
            [Topics.TEMPERATURE.raw], "members", lambda records: messaging.publish_batch(passing.transform(records))
        )
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1])
