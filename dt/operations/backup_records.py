"""Records of a backup: every table as JSON lines, so that SQLite's can go to PostgreSQL and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from sqlalchemy import Connection, MetaData, Table, func, inspect, select, text

from dt.data.database.migrations import revisions, to_head, walk
from dt.data.database.records_db import RecordsDB, sqlite_path
from dt.data.database.tables import METADATA
from dt.data.database.unfinished import empty_records, is_marked, mark_records
from dt.operations.archive import ArchiveWriter, BackupError
from dt.operations.sqlite_copy import copy_of
from dt.utils.config import Settings

FOLDER = "records"

_AT_ONCE = 1000
_LONGEST_LINE = 16 << 20

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(list[Any])


def schema_version() -> str:
    """Return the revision that this program's records have."""
    return revisions()[-1]


def dump_records(settings: Settings, archive: ArchiveWriter, beside: Path) -> dict[str, int]:
    """Write all tables as they stand at one instant, and return their numbers of rows."""
    path = sqlite_path(settings.records_url)
    if path is not None and not path.is_file():
        return {}
    counts = {}
    with _opened(settings.records_url, path, beside) as db, db.read() as connection:
        for table in METADATA.sorted_tables:
            counts[table.name] = _dump(connection, table, archive)
    return counts


def load_records(db: RecordsDB, folder: Path, schema: str, counts: Mapping[str, int], now: float) -> None:
    """Put the tables of an unpacked backup into a database without records, and bring them to the newest schema.

    They are marked as those of a restore that has not ended; `unmark_records` takes that away.
    """
    if schema not in revisions():
        raise BackupError(f"records: have schema {schema!r:.60}, and this program knows up to {schema_version()}")
    with db.write() as connection:
        require_empty(connection, db.where)
        walk(connection, schema, is_up=False)
        known = MetaData()
        known.reflect(connection)
        for name in sorted(counts):
            table = known.tables.get(name)
            if table is None:
                raise BackupError(f"records: {name!r:.60}: is no table of schema {schema}")
            if _load(connection, table, folder / f"{name}.jsonl") != counts[name]:
                raise BackupError(f"records: {name}: has another number of rows than the manifest says")
        to_head(connection, db.where)
        mark_records(connection, now)


def require_empty(connection: Connection, where: str) -> None:
    """Refuse a database that has records already; remove those that an unfinished restore left."""
    if is_marked(connection):
        empty_records(connection)
    there = set(inspect(connection).get_table_names())
    for table in METADATA.sorted_tables:
        if table.name in there and connection.execute(select(table).limit(1)).first() is not None:
            raise BackupError(f"DATABASE_URL: {where} has {table.name} already: name an empty database")


@contextmanager
def _opened(url: str, path: Path | None, beside: Path) -> Iterator[RecordsDB]:
    """Give a server's database as it is, and of a file a copy: the file is its service's own."""
    if path is None:
        with closing(RecordsDB(url)) as db:
            yield db
        return
    with TemporaryDirectory(dir=beside, prefix=".backup-") as folder:
        copy = Path(folder) / "records.db"
        copy_of(path, copy)
        with closing(RecordsDB(f"sqlite:///{copy}")) as db:
            yield db


def _dump(connection: Connection, table: Table, archive: ArchiveWriter) -> int:
    order = list(table.primary_key.columns)
    rows = 0
    names = [str(column.name) for column in table.columns]
    with archive.spool() as spool:
        spool.write(_encoder.encode(names) + b"\n")
        streamed = connection.execution_options(yield_per=_AT_ONCE).execute(select(table).order_by(*order))
        for row in streamed:
            spool.write(_encoder.encode(tuple(row)) + b"\n")
            rows += 1
        size = spool.tell()
        spool.seek(0)
        archive.add_stream(f"{FOLDER}/{table.name}.jsonl", spool, size)
    return rows


def _load(connection: Connection, table: Table, path: Path) -> int:
    rows = 0
    batch: list[dict[str, Any]] = []
    with path.open("rb") as file:
        names = _line(file.readline(_LONGEST_LINE), path)
        unknown = set(names) - set(table.columns.keys())
        if unknown or len(set(names)) != len(names):
            raise BackupError(f"{path.name}: has no columns of {table.name}: {sorted(map(str, unknown))}")
        while line := file.readline(_LONGEST_LINE):
            values = _line(line, path)
            if len(values) != len(names):
                raise BackupError(f"{path.name}: row {rows + 1} has {len(values)} values for {len(names)} columns")
            batch.append(dict(zip(names, values, strict=True)))
            rows += 1
            if len(batch) >= _AT_ONCE:
                connection.execute(table.insert(), batch)
                batch = []
    if batch:
        connection.execute(table.insert(), batch)
    _count_on(connection, table)
    return rows


def _count_on(connection: Connection, table: Table) -> None:
    """Let PostgreSQL number further rows behind those that came with their numbers."""
    if connection.dialect.name != "postgresql" or "row_id" not in table.columns:
        return
    last = connection.scalar(select(func.max(table.c.row_id)))
    if last is not None:
        statement = text("SELECT setval(pg_get_serial_sequence(:name, 'row_id'), :last)")
        connection.execute(statement, {"name": table.name, "last": last})


def _line(line: bytes, path: Path) -> list[Any]:
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BackupError(f"{path.name}: {error}") from error
