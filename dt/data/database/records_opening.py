"""The records' database by settings, with what an older version left beside the readings."""

from __future__ import annotations

from dt.data.database.older_file import take_over
from dt.data.database.records_db import RecordsDB
from dt.utils.config import Settings


def open_records(settings: Settings, now: float) -> RecordsDB:
    """Open the database that DATABASE_URL names, upgraded to the newest schema; raises StorageError."""
    db = RecordsDB(settings.records_url)
    try:
        take_over(db, settings.database_file, now)
    except BaseException:
        db.close()
        raise
    return db
