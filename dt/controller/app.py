"""The controller service: one gate in front of the guard, one policy behind it, REST on its own port."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import partial

from prometheus_client import Gauge

from dt.communication.database_api import DatabaseApiClient
from dt.communication.health_beat import HealthBeat
from dt.communication.messaging import MessagingService, Subscription
from dt.communication.process import run_process
from dt.communication.topics import Topics
from dt.controller.core import ControllerCore
from dt.controller.decision_outlet import DecisionOutlet
from dt.controller.guard_client import GuardLink
from dt.controller.intake import Intake
from dt.controller.opening import open_guard_process
from dt.controller.records import see_registry
from dt.controller.rest import add_pages
from dt.controller.rig_limits import guard_config, guard_folder, write_guard_config
from dt.utils.clock import Clock
from dt.utils.config import Settings
from dt.utils.exceptions import DTError
from dt.utils.hardware import is_simulated
from dt.utils.http import create_api
from dt.utils.http_server import server_for
from dt.utils.logger import get_logger
from dt.utils.rig import Rig, load_rig
from dt.utils.rounds import Rounds
from dt.utils.secrets import ensure_token
from dt.utils.service import Service

NAME = "controller"
_REGISTRY_AGAIN_S = 5.0
_TELLS_EVERY_S = 0.5
_ENDS_WITHIN_S = 1.5

log = get_logger(__name__)


class ControllerService(Service):
    """Assembled by `create_service`; opens nothing before `start`."""

    def __init__(
        self,
        *,
        settings: Settings,
        messaging: MessagingService,
        clock: Clock,
        rig: Rig,
        guard: GuardLink,
        prepare_guard: Callable[[], object] | None,
        ensure_guard: Callable[[], None] | None,
        close_guard: Callable[[], None],
    ) -> None:
        super().__init__(NAME, clock)
        self._settings = settings
        self._messaging = messaging
        self._prepare_guard = prepare_guard
        self._close_guard = close_guard
        self.guard = guard
        config = guard_config(rig, guard_folder(settings))
        self.core = ControllerCore(
            rig=rig, config=config, data_dir=settings.data_dir, messaging=messaging, clock=clock, guard=guard,
            ensure_guard=ensure_guard,
        )  # fmt: skip
        self.actuators = self.core.actuators
        self.plants = self.core.plants
        self.decisions = self.core.decisions
        self.results = self.core.results
        self.gate = self.core.gate
        self.stop_button = self.core.stop_button
        self.loop = self.core.loop
        self._stop_event = threading.Event()
        self._subscriptions: list[Subscription] = []
        self._results_waiting = Gauge(
            "dt_results_waiting", "outcomes that the log has not taken", registry=self.metrics
        )
        self._results_waiting.set_function(lambda: self.results.waiting)

    def on_start(self) -> None:
        """Open the gate: results, control loop, bus, REST, in an order that leaves nothing unpublished."""
        token = ensure_token(self._settings)
        if self._prepare_guard is not None:
            self._prepare_guard()
        self.closing("guard", self._close_guard)
        self.results.start()
        self.closing("results", self.results.stop)
        self.closing("subscriptions", self._end_intake)
        self._start_loop()
        self._start_intake(token)
        app = create_api(self, self._settings, token, __name__)
        add_pages(app, self)
        server = server_for(app, self._settings, self._settings.flask_controller_url)
        server.start()
        self.port = server.port
        self._start_outlet(token)
        self.closing("conditions", Rounds("conditions", self.core.tell, self.clock, _TELLS_EVERY_S).start())
        self.closing("health", HealthBeat(self, self._messaging, self.clock).start())
        self.closing("REST", server.stop)

    def ready(self) -> str | None:
        """Return what the controller waits for: the guard, above all."""
        return super().ready() or self.loop.why_not_ready()

    def health(self) -> dict[str, object]:
        """Return how the guard and the log do."""
        status = self.loop.status
        return {
            "guard": self.loop.why_not_ready() or "ok",
            "emergency_stop_by": None if status is None else status["stopped_by"],
            "results_waiting": self.results.waiting,
            "conditions_waiting": self.core.desk.waiting,
            "decisions_unsent": len(self.decisions.unsent()),
            "locked_out": [lock.actuator_id for lock in self.core.locks.all()],
            "messaging": self._messaging.health(),
        }

    def _start_loop(self) -> None:
        thread = threading.Thread(target=self.loop.run, args=(self._stop_event,), name="control loop", daemon=True)
        thread.start()

        def end() -> None:
            self._stop_event.set()
            thread.join(2.0)
            self.loop.switch_all_off()

        self.closing("control loop", end)

    def _start_outlet(self, token: str) -> None:
        database = DatabaseApiClient(self._settings.flask_db_url, token)
        outlet = DecisionOutlet(self.decisions, database, self.clock)
        self.closing("database client", database.close)
        self.closing("decision outlet", outlet.start())

    def _start_intake(self, token: str) -> None:
        intake = Intake(messaging=self._messaging, core=self.core, token=token)
        self._subscriptions = intake.subscribe(NAME)
        threading.Thread(target=self._read_registry, name="registry", daemon=True).start()

    def _end_intake(self) -> None:
        """Stop all subscriptions at once: without a broker each takes its time."""
        enders = [threading.Thread(target=one.stop, args=(_ENDS_WITHIN_S,)) for one in self._subscriptions]
        for ender in enders:
            ender.start()
        for ender in enders:
            ender.join(_ENDS_WITHIN_S)

    def _read_registry(self) -> None:
        """Learn what the registry says already; it was committed long ago, so no subscription tells it again."""
        while not self._stop_event.is_set():
            try:
                records = self._messaging.read_all(Topics.REGISTRY)
            except DTError as error:
                log.debug("the registry cannot be read yet: %s", error)
                self.clock.wait(self._stop_event, _REGISTRY_AGAIN_S)
                continue
            for record in records:
                see_registry(self.plants, record)
            return


def create_service(
    settings: Settings, messaging: MessagingService, clock: Clock, guard: GuardLink | None = None
) -> ControllerService:
    """Assemble the controller; without a guard of the caller's own it finds or starts a guard process."""
    rig = load_rig(settings.rig_file)
    folder = guard_folder(settings)
    config = guard_config(rig, folder)
    if guard is not None:
        return ControllerService(
            settings=settings, messaging=messaging, clock=clock, rig=rig, guard=guard,
            prepare_guard=None, ensure_guard=None, close_guard=guard.close,
        )  # fmt: skip
    client, spawned = open_guard_process(settings, folder)

    def close_guard() -> None:
        client.close()
        spawned.close()

    return ControllerService(
        settings=settings, messaging=messaging, clock=clock, rig=rig, guard=client,
        prepare_guard=partial(write_guard_config, config, folder), ensure_guard=spawned.ensure, close_guard=close_guard,
    )  # fmt: skip


def main() -> int:
    """Run the service on the broker until a signal, and return the exit code."""
    return run_process(NAME, create_service, is_simulated)


if __name__ == "__main__":
    sys.exit(main())
