"""Controller and guard in lockstep: the service's own objects, stepped; pins over the box's wire."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dt.communication.messaging import MessagingService, Subscription
from dt.communication.wire import Wire
from dt.communication.wire_pins import WireFactory
from dt.controller.core import ControllerCore
from dt.controller.guard_client import InProcessGuard
from dt.controller.guard_pins import Pins
from dt.controller.intake import Intake
from dt.controller.rig_limits import guard_config
from dt.utils.clock import Clock
from dt.utils.config import Settings
from dt.utils.rig import Rig

RENEWS_EVERY_S = 0.25  # while something is on: half a lease


class LockstepControl:
    """One controller and one guard; `kill` and `restart` do to them what befalls processes."""

    def __init__(
        self,
        rig: Rig,
        settings: Settings,
        messaging: MessagingService,
        clock: Clock,
        wire: Wire,
        is_synced: Callable[[], bool],
    ) -> None:
        self._rig = rig
        self._settings = settings
        self._messaging = messaging
        self._clock = clock
        self._wire = wire
        self._is_synced = is_synced
        self._config = guard_config(rig, settings.data_dir / "guard")
        self._waters = {output.actuator_id for output in self._config.outputs if output.flow_ml_s > 0.0}
        self._has_disk = True
        self._subscriptions: list[Subscription] = []
        self.guard, self._pins = self._guard()
        self.core: ControllerCore | None = None
        self.start_controller()

    def start_controller(self) -> None:
        """Assemble a controller as its service does, with what it kept on disk."""
        self.end_controller()
        self.core = ControllerCore(
            rig=self._rig, config=self._config, data_dir=self._settings.data_dir, messaging=self._messaging,
            clock=self._clock, guard=self.guard,
        )  # fmt: skip
        intake = Intake(messaging=self._messaging, core=self.core, token=self._settings.dt_token or "")
        self._subscriptions = intake.subscribe("controller")

    def end_controller(self) -> None:
        """Let the controller be gone from one moment to the next: nothing is switched off, nothing said."""
        for subscription in self._subscriptions:
            subscription.stop()
        self._subscriptions, self.core = [], None

    def kill_guard(self) -> None:
        """Let the guard be gone: its outputs stay as they were until somebody reclaims them."""
        ledger = self.guard._desk._ledger
        ledger._db.close()
        self.guard._slow_work.shutdown()

    def restart_guard(self) -> None:
        """Reclaim the pins, as the guard's parent does, and begin with the ledger as it is on disk."""
        self._pins.close()
        self.guard, self._pins = self._guard()
        self._apply_disk()

    def set_disk(self, *, is_fine: bool) -> None:
        """Let the ledger's disk take nothing from now on, or everything again (F17: full, read-only)."""
        if is_fine != self._has_disk:
            self._has_disk = is_fine
            self._apply_disk()

    def tick(self) -> None:
        """Let the guard switch what is due."""
        self.guard.tick()

    def renew(self) -> None:
        """Let the control loop prolong its lease, and no more."""
        if self.core is not None:
            self.core.loop.renew()

    def step(self) -> None:
        """Let the control loop take one step, and publish what came of it."""
        if self.core is None:
            return
        self.core.step()
        self.core.publish_now()
        self.guard.tick()

    @property
    def is_busy(self) -> bool:
        """Return whether an output is on, or about to be."""
        return bool(self.guard.guard._runs) or not self.guard.guard.is_quiet()

    @property
    def is_watering(self) -> bool:
        """Return whether what is on, or about to be, moves water; or whether nobody knows."""
        guard = self.guard.guard
        return guard.has_unsafe() or any(name in self._waters for name in guard._runs)

    def seconds_to_end(self) -> float:
        """Return how long no run of an output ends by itself."""
        guard, now = self.guard.guard, self._clock.monotonic()
        ends = [guard._ends_at_s(run) - now for run in guard._runs.values() if run.started_at_s is not None]
        return max(0.0, min(ends, default=float("inf")))

    def live_on(self, seconds: float) -> None:
        """Stand for the renewals of a loop that lives, for a time in which nothing else happens."""
        guard = self.guard.guard
        if self.core is not None and guard.has_lease() and guard._lease is not None:
            guard._lease = (guard._lease[0], self._clock.monotonic() + seconds + self._config.lease_s)

    def close(self) -> None:
        """Switch everything off and let go."""
        self.end_controller()
        self.guard.close()
        self._pins.close()

    def _apply_disk(self) -> None:
        self.guard._desk._ledger._db.execute(f"PRAGMA query_only = {'OFF' if self._has_disk else 'ON'}")

    def _guard(self) -> tuple[InProcessGuard, Pins]:
        Path(self._config.ledger_path).parent.mkdir(parents=True, exist_ok=True)
        pins = Pins(self._config.outputs, WireFactory(self._wire), self._config.stop_input)
        guard = InProcessGuard(
            config=self._config, set_pin=pins.set, clock=self._clock, threaded=False, is_synced=self._is_synced,
            read_button=pins.is_button_pressed,
        )  # fmt: skip
        return guard, pins
