"""The database service: keeps what the log brings, and answers for it by REST."""

from __future__ import annotations

import sys
from collections import Counter as Counts

from prometheus_client import Counter

from dt.communication.alerts_api import AlertsApiClient
from dt.communication.health_beat import HealthBeat
from dt.communication.messaging import MessagingService, Subscription
from dt.communication.process import run_process
from dt.data.database.announcer import Announcer
from dt.data.database.frame_files import FrameFiles
from dt.data.database.frame_keeper import FrameKeeper, Thinned
from dt.data.database.frame_records import FrameRecords
from dt.data.database.frame_thinning import FramePolicy
from dt.data.database.full_disk import FullDisk
from dt.data.database.gap_records import Gaps
from dt.data.database.integrity import IntegrityCheck
from dt.data.database.integrity_checks import checks_of
from dt.data.database.opening import Readings, Surroundings, open_readings
from dt.data.database.recorder import Recorder
from dt.data.database.records import Records
from dt.data.database.records_db import RecordsDB, sqlite_path
from dt.data.database.records_opening import open_records
from dt.data.database.registry_records import RegistryRecords
from dt.data.database.routes import Store, add_routes
from dt.data.database.sqlite_file import SQLiteFile
from dt.data.database.stall import Stall
from dt.data.database.trace import Traces
from dt.utils.clock import Clock
from dt.utils.config import Settings
from dt.utils.exceptions import ConfigError
from dt.utils.http import create_api
from dt.utils.http_server import HttpServer, server_for
from dt.utils.logger import get_logger
from dt.utils.precedence import Precedence
from dt.utils.rig import load_rig
from dt.utils.secrets import ensure_token
from dt.utils.service import Service

_THREADS = 8
_SWITCH_S = 0.0005  # a request wants the interpreter a dozen times, and recording holds it for 5 ms each by default
_ALERTS_WITHIN_S = 12.0  # its answer waits until the log has the event
_KINDS = ("readings", "records", "pictures")  # in the order of the recorder's subscriptions

log = get_logger(__name__)


class DatabaseService(Service):
    """The two homes of readings and records, their recorder and their REST facade."""

    def __init__(self, settings: Settings, messaging: MessagingService, clock: Clock) -> None:
        super().__init__("database", clock)
        self._settings = settings
        self._messaging = messaging
        self._subscriptions: list[Subscription] = []
        self._stalls: list[Stall] = []
        self._counts: Counts[str] = Counts()
        self._precedence = Precedence()
        self._server: HttpServer | None = None
        self._readings: Readings | None = None
        self._full_disk: FullDisk | None = None
        self._integrity: IntegrityCheck | None = None
        self._stored = Counter("dt_stored", "What was made durable, by kind", ["kind"], registry=self.metrics)
        self._thinned = Counter(
            "dt_frames_removed", "What thinning removed: records, files, bytes", ["what"], registry=self.metrics
        )

    @property
    def port(self) -> int:
        """Return the port that REST is served on."""
        assert self._server is not None, "the service is not started"
        return self._server.port

    def on_start(self) -> None:
        """Open both homes, serve them, then follow the log."""
        file = None if self._settings.store == "influx" else SQLiteFile(self._settings.database_file)
        if file is not None:
            self.closing("store", file.close)
        db = open_records(self._settings, self.clock.wall())
        self.closing("records", db.close)
        registry = RegistryRecords(db)
        settings = self._settings
        where = str(settings.database_file) if file is not None else f"InfluxDB at {settings.influx_url}"
        self._full_disk = FullDisk(self._messaging, self.clock, where)
        around = Surroundings(
            zone_of=registry.zone_of,
            archived=registry.archived_plants,
            told_full=self._full_disk.hear,
            give_way=self._precedence.give_way,
        )
        self._readings = open_readings(self._settings, file, self.clock, around)
        self.closing("readings", self._readings.storage.close)
        store = self._store(db, registry, self._readings)
        self._put_rig_plants(store.registry)
        log.info("records are kept in %s", db.where)
        self._serve(store)
        self.closing("registry", store.announcer.start())
        self._record(store)
        self._thin(FrameRecords(db), store.pictures)
        self.closing("upkeep of readings", self._readings.start())
        self._watch_integrity(db, store.pictures)
        self.closing("health beat", HealthBeat(self, self._messaging, self.clock).start())

    def ready(self) -> str | None:
        """Return None while everything is being recorded."""
        if not self.is_started:
            return "not started"
        if not all(subscription.is_running for subscription in self._subscriptions):
            return "a topic is no longer read"
        if not self._messaging.health().get("connected"):
            return "waits for the broker"
        if not all(s.is_assigned for s in self._subscriptions):
            return "waits for its partitions"
        if self._full_disk is not None and self._full_disk.why is not None:
            return self._full_disk.why
        watched = zip(_KINDS, self._subscriptions, self._stalls, strict=True)
        return next((why for kind, s, stall in watched if (why := stall.why(s.last_lag, self._counts[kind]))), None)

    def health(self) -> dict[str, object]:
        """Return where things are kept, and the log's own word."""
        return {
            **({} if self._readings is None else self._readings.where),
            **({} if self._integrity is None else {"integrity": self._integrity.health()}),
            "lag": sum(subscription.last_lag for subscription in self._subscriptions),
            "messaging": self._messaging.health(),
        }

    def _store(self, db: RecordsDB, registry: RegistryRecords, readings: Readings) -> Store:
        storage, records = readings.storage, Records(db)
        return Store(
            storage=storage,
            gaps=Gaps(db, storage, 3600.0 * self._settings.frames_all_hours),
            alerts=self._alerts_client(),
            registry=registry,
            records=records,
            traces=Traces(storage, records),
            pictures=FrameFiles(self._settings.data_dir / "frames", FrameRecords(db).spare),
            announcer=Announcer(registry, self._messaging, self.clock),
        )

    def _alerts_client(self) -> AlertsApiClient:
        client = AlertsApiClient(self._settings.flask_alerts_url, ensure_token(self._settings), _ALERTS_WITHIN_S)
        self.closing("alerts client", client.close)
        return client

    def _serve(self, store: Store) -> None:
        app = create_api(self, self._settings, ensure_token(self._settings), __name__)
        add_routes(app, store, self.clock)
        self._server = server_for(app, self._settings, self._settings.flask_db_url, _THREADS, self._precedence)
        self._server.start()
        self.closing("REST", self._server.stop)

    def _record(self, store: Store) -> None:
        give_way = self._precedence.give_way
        recorder = Recorder(store.storage, store.records, store.pictures, self._count, give_way)
        self._stalls = [Stall(self.clock) for _kind in _KINDS]
        self._subscriptions = recorder.subscribe(self._messaging)
        for subscription in self._subscriptions:
            self.closing("subscription", subscription.stop)

    def _thin(self, records: FrameRecords, files: FrameFiles) -> None:
        settings = self._settings
        policy = FramePolicy(
            all_hours=settings.frames_all_hours,
            hourly_days=settings.frames_hourly_days,
            daily_days=settings.frames_daily_days,
            zone=settings.zone_name,
        )
        self.closing("frame thinning", FrameKeeper(records, files, self.clock, policy, self._count_thinned).start())

    def _watch_integrity(self, db: RecordsDB, files: FrameFiles) -> None:
        readings = self._settings.database_file if self._settings.store == "sqlite" else None
        checks = checks_of(readings, db, sqlite_path(self._settings.records_url), files, self.clock)
        if self._readings is not None:
            checks |= self._readings.checks
        self._integrity = IntegrityCheck(checks, self._messaging, self.clock, self.metrics)
        self.closing("integrity check", self._integrity.start())

    def _put_rig_plants(self, registry: RegistryRecords) -> None:
        """Make the rig's zones and plants known; what people changed since stays."""
        if not self._settings.rig_file.is_file() and "rig_file" not in self._settings.model_fields_set:
            return  # a data node has no rig of its own
        try:
            rig = load_rig(self._settings.rig_file)
        except ConfigError as error:
            log.warning("the rig's plants are not taken over: %s", error)
            return
        for zone in rig.zones.values():
            registry.put_zone(zone, self.clock.wall(), replace=False)
        for plant in rig.plants.values():
            registry.put_plant(plant, self.clock.wall(), replace=False)

    def _count(self, kind: str, number: int) -> None:
        self._stored.labels(kind).inc(number)
        self._counts[kind] += number

    def _count_thinned(self, thinned: Thinned) -> None:
        self._thinned.labels("records").inc(thinned.records)
        self._thinned.labels("files").inc(thinned.files)
        self._thinned.labels("bytes").inc(thinned.size_bytes)


def create_service(settings: Settings, messaging: MessagingService, clock: Clock) -> DatabaseService:
    """Return the service; nothing is opened before it starts."""
    return DatabaseService(settings, messaging, clock)


def main() -> int:
    """Run the service on the broker until a signal, and return the exit code."""
    sys.setswitchinterval(_SWITCH_S)
    return run_process("database", create_service, works_in_batches=True)


if __name__ == "__main__":
    raise SystemExit(main())
