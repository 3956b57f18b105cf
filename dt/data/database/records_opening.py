"""The records' database by settings, with what an older version left beside the readings."""

from __future__ import annotations

from dt.data.database.left_behind import TO_MOVE, records_left_behind
from dt.data.database.older_file import take_over
from dt.data.database.records_db import RecordsDB
from dt.data.database.unfinished import require_finished
from dt.utils.config import Settings
from dt.utils.logger import get_logger

log = get_logger(__name__)


def open_records(settings: Settings, now: float) -> RecordsDB:
    """Open the database that DATABASE_URL names, upgraded to the newest schema; raises StorageError."""
    left = records_left_behind(settings)
    db = RecordsDB(settings.records_url)
    try:
        if left is not None:
            log.warning("records are kept in %s, and what is in %s does not follow; %s", db.where, left, TO_MOVE)
        with db.read() as connection:
            require_finished(connection, db.where)
        take_over(db, settings.database_file, now)
    except BaseException:
        db.close()
        raise
    return db
