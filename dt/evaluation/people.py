"""People in a lockstep run: they press buttons at their time, and the judge is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dt.controller.app import ControllerService
from dt.evaluation.judge import Judge
from dt.evaluation.lockstep import Lockstep
from dt.evaluation.scenario import Deed
from dt.simulator.spec import BoxSpec
from dt.utils.dataclasses import ActionCommand, ActionResult, Command, Grant
from dt.utils.exceptions import ConfigError, MessageError
from dt.utils.ids import derived_id
from dt.utils.rig import Rig

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

    def _do(self, deed: Deed) -> None:
        service = self._run.control.service
        if deed.does == "pour":
            self._run.box.pour(deed.text("plant"), self._run.now_s, deed.number("ml"))
        elif service is None:
            self.answers.append(Answer(deed=deed, why="the controller is away"))
        elif deed.does in _COMMANDS:
            self._command(deed, service)
        else:
            self._decide(deed, service)

    def _command(self, deed: Deed, service: ControllerService) -> None:
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
        self.answers.append(Answer(deed=deed, result=service.gate.submit(command)))
        self._run.control.tick()

    def _decide(self, deed: Deed, service: ControllerService) -> None:
        if deed.does == "stop":
            self._judge.person_stops()
            service.guard.emergency_stop(deed.by)
            self._run.control.tick()
        elif deed.does == "release_stop":
            service.guard.release_stop(deed.by)
            self._judge.person_releases_stop()
        elif deed.does == "refill":
            self._refill(deed, service)
        elif deed.does in ("grant", "withdraw"):
            self._grant(deed, service)
        elif deed.does in ("enable", "disable"):
            policy = str(service.decisions.policy_of(deed.text("plant"))["policy"])
            service.decisions.set_policy(deed.text("plant"), policy=policy, enabled=deed.does == "enable")

    def _refill(self, deed: Deed, service: ControllerService) -> None:
        can = self._run.box.reservoirs[deed.text("reservoir")]
        self._run.box.refill(can.spec.name, max(0.0, can.spec.content_ml - can.content_ml))
        service.guard.refill(can.spec.name, deed.by)
        self._judge.person_refills(can.spec.name)

    def _grant(self, deed: Deed, service: ControllerService) -> None:
        for actuator_id in _named(deed.text("actuator"), self._run.rig):
            self._lasting.pop(actuator_id, None)
            if deed.does == "withdraw":
                service.decisions.withdraw(actuator_id)
                self._judge.granted.discard(actuator_id)
                continue
            until_s = deed.fields.get("until")
            grant = Grant(actuator_id=actuator_id, by=deed.by, since=self._run.clock.wall(), until=until_s)
            service.decisions.grant(grant)
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
