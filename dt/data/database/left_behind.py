"""Records that stay where they were when DATABASE_URL comes to name another place."""

from __future__ import annotations

from pathlib import Path

from dt.utils.config import Settings

TO_MOVE = (
    "to move it: dt backup FILE without DATABASE_URL, then dt restore FILE --force with it, into an empty database;"
    " else remove that file"
)
_FILE = "sqlite:///"


def records_left_behind(settings: Settings) -> Path | None:
    """Return the file of the records that are not where DATABASE_URL says, if there is one."""
    usual = settings.data_dir / "records.db"
    url = settings.records_url
    is_usual = url.startswith(_FILE) and Path(url.removeprefix(_FILE)).absolute() == usual.absolute()
    return usual if usual.is_file() and not is_usual else None
