"""All services in one process on the log in memory: what the demo and `dt solo` have in common."""

from __future__ import annotations

import errno
from collections.abc import Callable

from dt.communication.announcement import wait_until_announced
from dt.communication.database_api import DatabaseApiClient
from dt.communication.messaging import MessagingService
from dt.utils.clock import Clock
from dt.utils.config import Settings
from dt.utils.exceptions import DTError, RefusedRequestError
from dt.utils.logger import get_logger
from dt.utils.rig import Rig
from dt.utils.secrets import ensure_token
from dt.utils.service import Service

_ILL_DISK = (errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO)

Note = Callable[[str], None]

log = get_logger(__name__)


class OneProcess:
    """Runs services one after the other, and stops them the latest first."""

    def __init__(self, settings: Settings, messaging: MessagingService, clock: Clock, rig: Rig) -> None:
        self.settings = settings
        self.messaging = messaging
        self.clock = clock
        self.rig = rig
        self.services: list[Service] = []
        self.waiting: dict[str, str] = {}  # services that wait for the disk, and why

    def run(self, service: Service) -> None:
        """Start a service; it is stopped with the others even when that fails."""
        self.services.append(service)
        service.start()

    def run_when_possible(self, service: Service) -> None:
        """Start a service now, or by `try_again` where the disk takes nothing: full, read-only, or failing."""
        self.services.append(service)
        self._try(service)

    def try_again(self) -> None:
        """Start what waits for the disk, if it can be now."""
        for service in self.services:
            if service.name in self.waiting:
                self._try(service)

    def _try(self, service: Service) -> None:
        try:
            service.start()
        except DTError as error:
            if not error.retriable:
                raise
            self._wait_for_disk(service, error)
        except OSError as error:
            if error.errno not in _ILL_DISK:
                raise
            self._wait_for_disk(service, error)
        else:
            if self.waiting.pop(service.name, None):
                log.info("%s runs: the disk is well again", service.name)

    def _wait_for_disk(self, service: Service, error: Exception) -> None:
        if self.waiting.get(service.name) != str(error):
            log.error("%s waits for the disk: %s", service.name, error)
        self.waiting[service.name] = str(error)

    def start_reading_side(self, note: Note, *, bears_ill_disk: bool = False) -> None:
        """Start everything that needs no hardware: the page first, then what fills it."""
        # Imported one after the other, so that the page is served before the rest is loaded.
        from dt.webapp.app import create_service as create_webapp

        self.run(create_webapp(self.settings, self.messaging, self.clock))
        note(f"the page is served at {self.settings.flask_dashboard_url}")
        from dt.ai.app import create_service as create_ai
        from dt.alerts.app import create_service as create_alerts
        from dt.data.database.app import create_service as create_database
        from dt.data.processing.main import create_service as create_processing

        for create in (create_database, create_alerts, create_ai, create_processing):
            service = create(self.settings, self.messaging, self.clock)
            if bears_ill_disk:
                self.run_when_possible(service)
            else:
                self.run(service)
        if "database" not in self.waiting:  # else the collector binds them once it is there
            self._bind_sensors()
        if self.waiting:
            note(f"{', '.join(sorted(self.waiting))} wait for the disk; the rest runs")
        else:
            note("database, alerts, ai and processing run")

    def stop(self) -> None:
        """Stop everything, the latest first, and close the log."""
        for service in reversed(self.services):
            service.stop()
        self.messaging.close()

    def _bind_sensors(self) -> None:
        """Make the rig's sensors known before their readings arrive; the collector finds them bound."""
        with DatabaseApiClient(self.settings.flask_db_url, ensure_token(self.settings)) as database:
            for sensor in self.rig.sensors:
                try:
                    database.bind_sensor(sensor)
                except RefusedRequestError as error:  # kept data know it otherwise: the registry's word holds
                    log.warning("sensor %s: %s", sensor.sensor_id, error)
        wait_until_announced(self.messaging, (sensor.sensor_id for sensor in self.rig.sensors), self.clock)
