"""The steps between the versions of the records' schema, by Alembic; walked at the start of the service."""

from __future__ import annotations

import threading
from importlib.resources import files
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from dt.utils.exceptions import StorageError

_SERVER_LOCK = 0x504C414E54  # of PostgreSQL: two services that start at once walk one after the other
_lock = threading.Lock()  # Alembic's operations are one per process


def to_head(connection: Connection, where: str) -> None:
    """Bring a database to the newest schema, in the connection's own transaction."""
    script = _script()
    with _lock:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SERVER_LOCK})
        found = MigrationContext.configure(connection).get_current_revision()
        if found == script.get_current_head():
            return
        if found is not None and found not in _revisions(script):
            head = script.get_current_head()
            raise StorageError(f"{where}: has schema {found} of a later version, and this program knows up to {head}")
        _walk(connection, script, "head", is_up=True)


def walk(connection: Connection, revision: str, *, is_up: bool) -> None:
    """Go up or down to a revision, in the connection's own transaction; `base` is before the first."""
    with _lock:
        _walk(connection, _script(), revision, is_up=is_up)


def revisions() -> list[str]:
    """Return the revisions, oldest first."""
    return _revisions(_script())


def _script() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(files(__package__ or "")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


def _revisions(script: ScriptDirectory) -> list[str]:
    return [revision.revision for revision in script.walk_revisions()][::-1]


def _walk(connection: Connection, script: ScriptDirectory, revision: str, *, is_up: bool) -> None:
    def steps(found: Any, _context: MigrationContext) -> Any:
        # What `alembic upgrade` itself calls; the public way leads through an env.py that acts when it is imported.
        way = script._upgrade_revs if is_up else script._downgrade_revs
        return way(revision, found)

    with EnvironmentContext(Config(), script, fn=steps, destination_rev=revision) as environment:
        environment.configure(connection=connection, transactional_ddl=True)
        environment.run_migrations()
