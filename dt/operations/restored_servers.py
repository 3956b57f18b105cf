"""What a restore writes into servers: marked as its own until all is in place, and removed where it fails before."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from types import TracebackType
from typing import TYPE_CHECKING, Self

from dt.data.database.records_db import RecordsDB
from dt.data.database.unfinished import (
    empty_records,
    is_bucket_marked,
    mark_bucket,
    unmark_bucket,
    unmark_records,
)
from dt.operations.archive import BackupError
from dt.operations.backup_readings import open_influx
from dt.utils.config import Settings
from dt.utils.exceptions import DTError
from dt.utils.logger import get_logger

if TYPE_CHECKING:
    from dt.data.database.influx_storage import InfluxDBStorage

log = get_logger(__name__)


class Servers:
    """The servers that a restore has written into; on an error they are emptied again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._held: list[tuple[str, Callable[[], None], Callable[[], None]]] = []  # setting, emptying, unmarking

    def __enter__(self) -> Self:
        """Hold nothing yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Empty what was written into, where the restore has not come to its end."""
        for setting, empty, _unmark in reversed(self._held):
            try:
                empty()
            except DTError as failure:
                log.warning("%s: holds part of the backup, which the next dt restore removes: %s", setting, failure)

    def hold_bucket(self, storage: InfluxDBStorage) -> None:
        """Mark a bucket without readings, or what an unfinished restore left of one; raises BackupError otherwise."""
        server = storage.server
        if is_bucket_marked(server):
            storage.empty()
        elif storage.last_seen():
            raise BackupError(f"INFLUX_BUCKET: {server.bucket} has readings already: name an empty bucket")
        mark_bucket(server)
        self._held.append(("INFLUX_BUCKET", self._empty_bucket, self._unmark_bucket))

    def hold_records(self) -> None:
        """Count a database whose records are marked among what was written."""
        self._held.append(("DATABASE_URL", self._empty_records, self._unmark_records))

    def finish(self) -> None:
        """Take the marks away: all is in place."""
        while self._held:
            _setting, _empty, unmark = self._held.pop()
            unmark()

    def _empty_bucket(self) -> None:
        with closing(open_influx(self._settings)) as storage:
            storage.empty()
            unmark_bucket(storage.server)

    def _unmark_bucket(self) -> None:
        with closing(open_influx(self._settings)) as storage:
            unmark_bucket(storage.server)

    def _empty_records(self) -> None:
        with closing(RecordsDB(self._settings.records_url)) as db, db.write() as connection:
            empty_records(connection)

    def _unmark_records(self) -> None:
        with closing(RecordsDB(self._settings.records_url)) as db, db.write() as connection:
            unmark_records(connection)
