"""Where a film's pictures come from: the database service, or its files while it does not run."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, Protocol

from dt.communication.database_api import DatabaseApiClient
from dt.data.database.frame_files import FrameFiles
from dt.data.database.records import MOST_ITEMS, PageQuery, Records
from dt.data.database.records_db import RecordsDB, sqlite_path
from dt.data.database.records_opening import open_records
from dt.data.database.registry_records import RegistryRecords
from dt.utils.config import Settings
from dt.utils.dataclasses import CameraFrame, Plant
from dt.utils.exceptions import RefusedRequestError, RemoteServiceError
from dt.utils.secrets import ensure_token


class FrameSource(Protocol):
    """Descriptions of pictures, and the pictures."""

    def frames(self, filters: Mapping[str, str], since: float | None, until: float | None) -> list[CameraFrame]:
        """Return what there is with since <= timestamp < until, oldest first."""
        ...

    def picture(self, sha256: str) -> bytes | None:
        """Return a JPEG; None when it is gone."""
        ...

    def zone_of(self, plant_id: str) -> str | None:
        """Return the zone of a plant; None when nobody knows the plant."""
        ...

    def plant_ids(self) -> list[str]:
        """Return the plants that are known."""
        ...


class ServiceFrames:
    """Asks the database service."""

    def __init__(self, client: DatabaseApiClient) -> None:
        self._client = client

    def frames(self, filters: Mapping[str, str], since: float | None, until: float | None) -> list[CameraFrame]:
        """Return every page's frames."""
        found = self._client.all_frames(limit=MOST_ITEMS, **filters, **_span(since, until))
        return found[::-1]

    def picture(self, sha256: str) -> bytes | None:
        """Fetch a picture."""
        try:
            return self._client.picture(sha256)
        except RefusedRequestError as error:
            if error.status == 404:
                return None
            raise

    def zone_of(self, plant_id: str) -> str | None:
        """Ask for the plants."""
        return _zone_of(plant_id, self._client.plants())

    def plant_ids(self) -> list[str]:
        """Ask for the plants."""
        return sorted(plant.plant_id for plant in self._client.plants())


class StoredFrames:
    """Reads the database's own files, which nobody else has open."""

    def __init__(self, db: RecordsDB, files: FrameFiles) -> None:
        self._records = Records(db)
        self._registry = RegistryRecords(db)
        self._files = files

    def frames(self, filters: Mapping[str, str], since: float | None, until: float | None) -> list[CameraFrame]:
        """Return every page's frames."""
        found: list[CameraFrame] = []
        cursor: str | None = None
        while True:
            query = PageQuery(limit=MOST_ITEMS, cursor=cursor, since=since, until=until)
            page = self._records.page("frames", query, filters)
            found += [CameraFrame.from_json(bytes(item)) for item in page.items]
            cursor = page.next
            if cursor is None:
                return found[::-1]

    def picture(self, sha256: str) -> bytes | None:
        """Read a picture."""
        return self._files.read(sha256)

    def zone_of(self, plant_id: str) -> str | None:
        """Read the plants."""
        return _zone_of(plant_id, self._registry.plants())

    def plant_ids(self) -> list[str]:
        """Read the plants."""
        return sorted(plant.plant_id for plant in self._registry.plants())


@contextmanager
def open_frames(settings: Settings) -> Iterator[FrameSource]:
    """Give the service's pictures, or those under DATA_DIR when it does not answer and left some there."""
    with DatabaseApiClient(settings.flask_db_url, ensure_token(settings)) as client:
        try:
            client.frames(limit=1)
        except RemoteServiceError as error:
            path = sqlite_path(settings.records_url)
            if path is not None and not (path.is_file() or settings.database_file.is_file()):
                where = f"no database service at {settings.flask_db_url}, and no {path}"
                raise RemoteServiceError(f"{where}: start one, or set DATA_DIR to where the pictures are") from error
        else:
            yield ServiceFrames(client)
            return
    with closing(open_records(settings, time.time())) as db:
        yield StoredFrames(db, FrameFiles(settings.data_dir / "frames"))


def _span(since: float | None, until: float | None) -> dict[str, Any]:
    return {name: value for name, value in (("since", since), ("until", until)) if value is not None}


def _zone_of(plant_id: str, plants: Iterable[Plant]) -> str | None:
    return next((plant.zone_id for plant in plants if plant.plant_id == plant_id), None)
