"""People in a lockstep run: they press buttons at their time, and the judge is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dt.controller.core import ControllerCore
from dt.controller.guard_types import GuardUnreachableError
from dt.controller.modes import Mode
from dt.controller.policies import make_policy
from dt.controller.vacation import Vacation
from dt.evaluation.judge import Judge
from dt.evaluation.lockstep import Lockstep
from dt.evaluation.scenario import Deed
from dt.simulator.spec import BoxSpec
from dt.utils.dataclasses import ActionCommand, ActionResult, Command, Grant, Policy
from dt.utils.exceptions import ConfigError, MessageError, StorageError
from dt.utils.ids import derived_id
from dt.utils.rig import Rig

_AGAIN_AFTER_S = 3600.0
EVERYTHING = "*"  # every actuator, in a grant


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person was answered."""

    deed: Deed
    result: ActionResult | None = None
    why: str = ""


class People:
    """Does what the scenario says, in order; nobody acts while the controller is away."""

    def __init__(self, run: Lockstep, judge: Judge, deeds: Sequence[Deed]) -> None:
        self._run = run
        self._judge = judge
        self._to_do = list(deeds)
        self._lasting: dict[str, float] = {}  # grants with an end
        self.answers: list[Answer] = []

    @property
    def next_at_s(self) -> float:
        """Return when somebody does something next (true time)."""
        return min([self._to_do[0].at_s if self._to_do else float("inf"), *self._lasting.values()])

    def act(self) -> None:
        """Do all that is due."""
        now_s = self._run.now_s
        for actuator_id in [name for name, until_s in self._lasting.items() if until_s <= now_s]:
            del self._lasting[actuator_id]
            self._judge.granted.discard(actuator_id)
        while self._to_do and self._to_do[0].at_s <= now_s + 1e-6:
            deed = self._to_do.pop(0)
            try:
                self._do(deed)
            except MessageError as error:
                self.answers.append(Answer(deed=deed, why=str(error)))
            except (GuardUnreachableError, StorageError) as error:  # a full disk, say: they come again later
                self.answers.append(Answer(deed=deed, why=str(error)))
                later = replace(deed, at_s=deed.at_s + _AGAIN_AFTER_S)
                self._to_do = sorted([*self._to_do, later], key=lambda one: one.at_s)

    def _do(self, deed: Deed) -> None:
        core = self._run.control.core
        if deed.does == "pour":
            self._run.box.pour(deed.text("plant"), self._run.now_s, deed.number("ml"))
        elif core is None:
            self.answers.append(Answer(deed=deed, why="the controller is away"))
        elif deed.does in _COMMANDS:
            self._command(deed, core)
        else:
            self._decide(deed, core)

    def _command(self, deed: Deed, core: ControllerCore) -> None:
        actuator_id = deed.text("actuator")
        now = self._run.clock.wall()
        name = derived_id("person", deed.line, deed.at_s, at=now)
        command = ActionCommand(
            action_id=name,
            actuator_id=actuator_id,
            command=_COMMANDS[deed.does],
            issuer=deed.by,
            timestamp=now,
            correlation_id=name,
            dose_ml=deed.fields.get("ml"),
            duration_s=deed.fields.get("seconds"),
            level=deed.fields.get("level"),
            reason="a scenario",
        )
        if deed.does != "off":
            self._judge.person_commands(actuator_id)
        self.answers.append(Answer(deed=deed, result=core.gate.submit(command)))
        self._run.control.tick()

    def _decide(self, deed: Deed, core: ControllerCore) -> None:
        deeds: dict[str, Callable[[Deed, ControllerCore], None]] = {
            "stop": self._stop, "release_stop": self._release_stop, "refill": self._refill, "release": self._release,
            "grant": self._grant, "withdraw": self._grant, "mode": self._set_mode, "back": self._come_back,
            "enable": self._enable, "disable": self._enable, "policy": self._choose, "vacation": self._leave,
        }  # fmt: skip
        deeds[deed.does](deed, core)

    def _stop(self, deed: Deed, core: ControllerCore) -> None:
        self._judge.person_stops()
        core.guard.emergency_stop(deed.by)
        self._run.control.tick()

    def _release_stop(self, deed: Deed, core: ControllerCore) -> None:
        core.guard.release_stop(deed.by)
        self._judge.person_releases_stop()

    def _release(self, deed: Deed, core: ControllerCore) -> None:
        core.release(deed.text("actuator"), deed.by)
        self._judge.person_releases(deed.text("actuator"))

    def _leave(self, deed: Deed, core: ControllerCore) -> None:
        now = self._run.clock.wall()
        core.decisions.start_vacation(Vacation(by=deed.by, since=now, until=deed.number("until")))

    def _come_back(self, deed: Deed, core: ControllerCore) -> None:
        """Manual mode ends by itself, and the one before holds again."""
        del core
        self._judge.granted.add(deed.text("actuator"))

    def _set_mode(self, deed: Deed, core: ControllerCore) -> None:
        name, mode, until_s = deed.text("actuator"), Mode(deed.text("mode")), deed.fields.get("until")
        was_granted = name in self._judge.granted
        core.set_mode(name, mode, deed.by, until=until_s)
        self._judge.granted.discard(name)
        if mode is Mode.AUTOMATIC:
            self._judge.granted.add(name)
        elif mode is Mode.MANUAL and until_s is not None and was_granted:
            back = Deed(at_s=until_s, does="back", by=deed.by, fields={"actuator": name})
            self._to_do = sorted([*self._to_do, back], key=lambda one: one.at_s)

    def _enable(self, deed: Deed, core: ControllerCore) -> None:
        for name, actuator in core.actuators.items():
            policy = core.decisions.policy_of(name)
            if policy is not None and actuator.descriptor.plant_id == deed.text("plant"):
                core.decisions.set_policy(replace(policy, enabled=deed.does == "enable", by=deed.by))

    def _choose(self, deed: Deed, core: ControllerCore) -> None:
        """Choose a policy as the REST page does: checked against its own parameters."""
        name, kind = deed.text("actuator"), deed.text("policy")
        actuator, parameters = core.actuators[name], deed.fields.get("parameters", {})
        make_policy(kind, parameters, actuator.kind)
        core.decisions.set_policy(
            Policy(
                plant_id=actuator.descriptor.plant_id or "", zone_id=actuator.descriptor.zone_id, actuator_id=name,
                policy=kind, enabled=True, parameters=parameters, by=deed.by,
            )
        )  # fmt: skip

    def _refill(self, deed: Deed, core: ControllerCore) -> None:
        can = self._run.box.reservoirs[deed.text("reservoir")]
        core.guard.refill(can.spec.name, deed.by)
        self._run.box.refill(can.spec.name, max(0.0, can.spec.content_ml - can.content_ml))
        self._judge.person_refills(can.spec.name)

    def _grant(self, deed: Deed, core: ControllerCore) -> None:
        for actuator_id in _named(deed.text("actuator"), self._run.rig):
            self._lasting.pop(actuator_id, None)
            if deed.does == "withdraw":
                core.decisions.withdraw(actuator_id, deed.by)
                self._judge.granted.discard(actuator_id)
                continue
            until_s = deed.fields.get("until")
            grant = Grant(actuator_id=actuator_id, by=deed.by, since=self._run.clock.wall(), until=until_s)
            core.decisions.grant(grant)
            self._judge.granted.add(actuator_id)
            if until_s is not None:
                self._lasting[actuator_id] = until_s


_COMMANDS = {"dose": Command.DOSE, "on": Command.ON, "off": Command.OFF, "level": Command.LEVEL}


def _named(actuator_id: str, rig: Rig) -> list[str]:
    return [a.actuator_id for a in rig.actuators] if actuator_id == EVERYTHING else [actuator_id]


def ensure_possible(deeds: Sequence[Deed], rig: Rig, spec: BoxSpec, path: object) -> None:
    """Refuse what nobody can do with this rig; raises ConfigError with the line and the field."""
    known = {
        "actuator": {EVERYTHING, *(actuator.actuator_id for actuator in rig.actuators)},
        "plant": set(rig.plants),
        "reservoir": {can.name for can in spec.reservoirs},
    }
    for deed in deeds:
        for name, names in known.items():
            if name in deed.fields and deed.fields[name] not in names:
                listed = ", ".join(sorted(names)) or "none"
                raise ConfigError(
                    f"{path}:{deed.line}: {name}: {deed.fields[name]!r} is not in the rig; there are: {listed}"
                )
