"""All of the controller that decides, without a thread, a socket or a page: stepped by whoever owns the clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dt.communication.messaging import MessagingService
from dt.controller.books import Books
from dt.controller.budget_watch import BudgetWatch
from dt.controller.condition_desk import ConditionDesk
from dt.controller.control_loop import ControlLoop
from dt.controller.decisions import Decisions
from dt.controller.effect_file import EffectFile
from dt.controller.effect_usual import UsualFile
from dt.controller.effect_watch import EffectWatch, Kept
from dt.controller.gate import Gate
from dt.controller.guard_client import GuardLink
from dt.controller.guard_types import GuardConfig, GuardUnreachableError
from dt.controller.heat_watch import HeatWatch
from dt.controller.kinds import make_actuators
from dt.controller.kinds.base_actuator import BaseActuator
from dt.controller.kinds.pump import Pump
from dt.controller.live_readings import ReadingBook
from dt.controller.locks import LockOut, Locks
from dt.controller.modes import Mode, ModeNow
from dt.controller.moisture import MoistureBook
from dt.controller.observer import Observer
from dt.controller.output_watch import OutputWatch
from dt.controller.policies import RECOMMENDATION
from dt.controller.policies.base_policy import PolicyView
from dt.controller.policies.doing import Doer
from dt.controller.policies.recommendation import RecommendationPolicy
from dt.controller.policies.round import PolicyRound
from dt.controller.records import PlantBook
from dt.controller.results import ResultBook
from dt.controller.rise_watch import RiseWatch
from dt.controller.stop_button import StopButton
from dt.controller.watch_words import LockWords
from dt.controller.water_watch import WaterWatch
from dt.utils.clock import Clock
from dt.utils.dataclasses import AlertCondition, Policy, SensorData
from dt.utils.rig import Rig

_FOLDER = "controller"


class ControllerCore:
    """Readings and conditions in, `step` about every 100 ms, commands through `gate`; results and conditions out.

    A lockstep run calls `see_reading`, `see_condition`, `step` and `publish_now` from one thread; the service has
    threads of its own for each.
    """

    def __init__(
        self,
        *,
        rig: Rig,
        config: GuardConfig,
        data_dir: Path,
        messaging: MessagingService,
        clock: Clock,
        guard: GuardLink,
        ensure_guard: Callable[[], None] | None = None,
    ) -> None:
        folder = data_dir / _FOLDER
        self._clock = clock
        self.guard = guard
        self.actuators = make_actuators(rig)
        self._pumps = {name: one for name, one in self.actuators.items() if isinstance(one, Pump)}
        self.plants = PlantBook(rig.plants)
        self.moisture = MoistureBook(clock)
        self.air = ReadingBook(clock)
        self._books = books = Books(plants=self.plants, moisture=self.moisture, air=self.air)
        self.decisions = Decisions(folder / "decisions.json", clock, default_policies(self.actuators))
        self.locks = Locks(folder / "locks.json", clock, self.actuators)
        self.results = ResultBook(messaging, clock)
        self.desk = ConditionDesk(messaging)
        self.observer = Observer(
            rig=rig, config=config, actuators=self.actuators, guard=guard, books=books,
            decisions=self.decisions, locks=self.locks, clock=clock,
        )  # fmt: skip
        self.effects = EffectWatch(
            pumps=self._pumps, books=books, results=self.results, locks=self.locks, desk=self.desk,
            budget=self._budget, clock=clock,
            kept=Kept(EffectFile(folder / "effects.json"), UsualFile(folder / "usual_effects.json")),
        )  # fmt: skip
        self._budget_watch = BudgetWatch(self.actuators, self.desk, clock)
        self.gate = Gate(
            actuators=self.actuators, guard=guard, results=self.results, observe=self.observer.situation, clock=clock,
            ended=self.effects.ended, answered=self._budget_watch.answered,
        )  # fmt: skip
        self.recommendation = self._make_recommendation()
        self.stop_button = StopButton(guard)
        self._output_watch = OutputWatch(self.actuators, clock)
        self._lock_words = LockWords(self.actuators, self.locks, self.desk, clock)
        doer = Doer(self.gate, clock, longest_s=self.observer.longest_s, most_ml=self.observer.most_ml)
        self.policies = PolicyRound(
            actuators=self.actuators, decisions=self.decisions, see=self._view, doer=doer, clock=clock
        )
        self.loop = self._make_loop(ensure_guard)

    # -- in -----------------------------------------------------------------------------------------------------

    def see_reading(self, reading: SensorData) -> None:
        """Let a processed reading count."""
        self.moisture.see(reading)
        self.air.see(reading)

    def see_condition(self, condition: AlertCondition) -> None:
        """Let the policy that follows conditions see one."""
        self.recommendation.see(condition)

    def step(self) -> None:
        """Renew the lease, watch, decide."""
        self.loop.step()

    # -- out ----------------------------------------------------------------------------------------------------

    def tell(self) -> None:
        """Say what is to be said of outputs and lock-outs, and publish it; may wait for the log."""
        for condition in self._output_watch.look(self.loop.status):
            self.desk.say(condition)
        self._lock_words.step()
        self._budget_watch.step()
        self.locks.save_again()
        self.desk.publish_now()

    def publish_now(self) -> None:
        """Publish results and conditions from the caller's thread."""
        self.tell()
        self.results.publish_now()

    # -- what people do -----------------------------------------------------------------------------------------

    def set_mode(self, actuator_id: str, mode: Mode, by: str, *, until: float | None = None, note: str = "") -> ModeNow:
        """Choose an actuator's mode; off ends what runs. Raises MessageError, StorageError."""
        try:
            return self.decisions.set_mode(actuator_id, mode, by, until=until, note=note)
        finally:
            if self.decisions.mode_of(actuator_id).mode is Mode.OFF:
                self.gate.end(actuator_id, f"mode off, by {by}")

    def release(self, actuator_id: str, by: str) -> LockOut | None:
        """Let a person release a lock-out; None when there was none. Raises StorageError."""
        return self.locks.release(actuator_id, by)

    # -- helpers ------------------------------------------------------------------------------------------------

    def _make_recommendation(self) -> RecommendationPolicy:
        return RecommendationPolicy(
            pumps=self._pumps,
            is_granted=lambda name: self.decisions.mode_of(name).mode is Mode.AUTOMATIC,
            is_enabled=self._follows_conditions,
            submit=self.gate.submit,
            recommend=self.gate.recommend,
            clock=self._clock,
            most_ml=self.observer.most_ml,
        )

    def _follows_conditions(self, actuator_id: str) -> bool:
        policy = self.decisions.policy_of(actuator_id)
        is_chosen = policy is not None and policy.enabled and policy.policy == RECOMMENDATION
        return is_chosen and self.decisions.mode_of(actuator_id).mode in (Mode.RECOMMEND, Mode.AUTOMATIC)

    def _make_loop(self, ensure_guard: Callable[[], None] | None) -> ControlLoop:
        water = WaterWatch(
            pumps=self._pumps, books=self._books, is_settling=self.effects.is_settling, desk=self.desk,
            clock=self._clock,
        )  # fmt: skip
        rise = RiseWatch(
            pumps=self._pumps, books=self._books, is_settling=self.effects.is_settling, desk=self.desk,
            clock=self._clock,
        )  # fmt: skip
        heaters = {name: one for name, one in self.actuators.items() if one.kind == "heater"}
        heat = HeatWatch(
            heaters=heaters, sense=self.observer.heat_of, light_of=self.observer.light_of, switch_off=self.gate.end,
            locks=self.locks, clock=self._clock,
        )  # fmt: skip
        return ControlLoop(
            guard=self.guard, stop_button=self.stop_button, gate=self.gate, results=self.results, clock=self._clock,
            policies=(self.recommendation, self.policies),
            watches=(_Flows(self.actuators), heat, self.effects, water, rise),
            ensure_guard=ensure_guard,
        )  # fmt: skip

    def _view(self, actuator: BaseActuator) -> PolicyView:
        return self.observer.view(actuator, is_settling=self.effects.is_settling(actuator.actuator_id))

    def _budget(self, actuator_id: str) -> Mapping[str, float | None]:
        try:
            return self.guard.budget(actuator_id)
        except GuardUnreachableError:
            return {}


class _Flows:
    """Takes what changes at run time from the guard's states: the flow that a person measured."""

    def __init__(self, actuators: Mapping[str, BaseActuator]) -> None:
        self._actuators = actuators

    def step(self, status: Mapping[str, Any], /) -> None:
        """Let every actuator see its state."""
        for name, actuator in self._actuators.items():
            if name in status["outputs"]:
                actuator.see(status["outputs"][name])


def default_policies(actuators: Mapping[str, BaseActuator]) -> dict[str, Policy]:
    """Return what pumps do unless somebody chooses: follow the doses that conditions recommend."""
    return {
        name: Policy(plant_id=one.descriptor.plant_id or "", actuator_id=name, zone_id=one.descriptor.zone_id)
        for name, one in actuators.items()
        if isinstance(one, Pump)
    }
