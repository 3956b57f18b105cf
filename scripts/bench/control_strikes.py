"""What strikes in the middle of a dose, how it is healed, and what must hold after it."""

from __future__ import annotations

import random
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psutil
import requests
from control_house import FLOW_ML_S, PUMPS, House
from stage import say, wait_for

from dt.operations.broker import OwnBroker

OFF_WITHIN_S = 1.0
_DOSE_ML = 175.0
_MORE_ALLOWED = 1.10
_ENDS_LATE_S = 0.5
_ENDS_WITHIN_S = 20.0
_NO_ROOM = (0, resource.RLIM_INFINITY)

Undo = Callable[[], None]


@dataclass(slots=True)
class Account:
    """What came of all strikes."""

    strikes: Counter[str] = field(default_factory=Counter)
    off_after_s: list[float] = field(default_factory=list)
    planned_late_s: list[float] = field(default_factory=list)
    most_share: float = 0.0
    wrong: list[str] = field(default_factory=list)


class Fate:
    """Strikes one after the other, at random moments of a dose."""

    def __init__(self, house: House, broker: OwnBroker, seed: int) -> None:
        self._house = house
        self._broker = broker
        self._chance = random.Random(seed)  # noqa: S311 - a bench must be repeatable
        self._next_pump = 0
        self.account = Account()

    def strike(self, times: int) -> None:
        """Strike so often, each kind in its turn."""
        kinds: Sequence[tuple[str, bool, Callable[[], Undo]]] = (
            ("controller killed", True, self._kill_controller),
            ("guard killed", True, self._kill_guard),
            ("controller stopped", True, self._stop_controller),
            ("guard stopped", True, self._stop_guard),
            ("guard's parent killed", True, self._kill_parent),
            ("database killed", False, self._kill_database),
            ("disk full", False, self._fill_disk),
            ("database stopped", False, self._stop_database),
            ("network cut", False, self._cut_network),
            ("broker killed", False, self._kill_broker),
        )
        for number in range(times):
            name, must_end, hit = kinds[number % len(kinds)]
            self._one(name, hit, must_end=must_end)
            if (number + 1) % 10 == 0:
                say(f"{number + 1} of {times} strikes ...")

    def _one(self, name: str, hit: Callable[[], Undo], *, must_end: bool) -> None:
        house, pump, known_wrong = self._house, self._free_pump(), len(self.account.wrong)
        before_ml, asked_s = house.pins.delivered_ml(pump), time.monotonic()
        action_id = house.dose(pump, _DOSE_ML)
        on_s = house.pins.wait(pump, is_on=True, since_s=asked_s, within_s=5.0)
        if on_s is None:
            self.account.wrong.append(f"{name}: the pin of {pump} never rose")
            return
        lasts_s = _DOSE_ML / FLOW_ML_S
        time.sleep(self._chance.uniform(0.1, lasts_s - 1.3))  # the strike's moment, not a wait
        struck_s = time.monotonic()
        heal = hit()
        off_s = house.pins.wait(pump, is_on=False, since_s=on_s, within_s=_ENDS_WITHIN_S)
        self.account.strikes[name] += 1
        self._judge_end(name, pump, must_end=must_end, struck_s=struck_s, planned_s=on_s + lasts_s, off_s=off_s)
        heal()
        house.wait_until_ready()
        entry = self._judge_water(name, pump, action_id, house.pins.delivered_ml(pump) - before_ml)
        if len(self.account.wrong) > known_wrong:
            self.account.wrong[-1] += f" ({entry['outcome']}: {entry['why']})"

    def _judge_end(
        self, name: str, pump: str, *, must_end: bool, struck_s: float, planned_s: float, off_s: float | None
    ) -> None:
        if off_s is None:
            self.account.wrong.append(f"{name}: {pump} was still on {_ENDS_WITHIN_S:g} s after")
            return
        if must_end:
            after_s = off_s - struck_s
            self.account.off_after_s.append(after_s)
            if after_s > OFF_WITHIN_S:
                self.account.wrong.append(f"{name}: {pump} was on for {after_s:.2f} s after")
            return
        late_s = off_s - planned_s
        self.account.planned_late_s.append(abs(late_s))
        if abs(late_s) > _ENDS_LATE_S:
            self.account.wrong.append(f"{name}: the dose of {pump} ended {late_s:+.2f} s from its plan")

    def _judge_water(self, name: str, pump: str, action_id: str, got_ml: float) -> dict[str, Any]:
        """No more than the dose, all of it charged, and the same command asked again moves nothing."""
        self.account.most_share = max(self.account.most_share, got_ml / _DOSE_ML)
        if got_ml > _MORE_ALLOWED * _DOSE_ML:
            self.account.wrong.append(f"{name}: {pump} gave {got_ml:.1f} ml of {_DOSE_ML:g}")
        asked_s = time.monotonic()
        body = {"command": "dose", "dose_ml": _DOSE_ML, "action_id": action_id}
        with suppress(requests.RequestException):
            self._house.ask("POST", f"/actuators/{pump}/commands", body)
        entry: dict[str, Any] = wait_for(lambda: self._settled(action_id), f"{action_id} is not settled", 30.0)
        if self._house.pins.wait(pump, is_on=True, since_s=asked_s, within_s=0.3) is not None:
            self.account.wrong.append(f"{name}: {pump} ran twice for one command")
        if entry["kept_ml"] < min(got_ml, _DOSE_ML) / _MORE_ALLOWED:
            self.account.wrong.append(f"{name}: {pump} gave {got_ml:.1f} ml and was charged {entry['kept_ml']:.1f}")
        return entry

    def _settled(self, action_id: str) -> dict[str, Any] | None:
        entry = self._house.entry(action_id)
        return entry if entry is not None and entry["outcome"] is not None else None

    def _free_pump(self) -> str:
        pump = f"pump-{self._next_pump:02d}"
        self._next_pump = (self._next_pump + 1) % PUMPS
        wait_for(lambda: self._is_free(pump), f"{pump} is not free", 90.0, every_s=0.2)
        return pump

    def _is_free(self, pump: str) -> bool:
        try:
            return self._house.pause_left_s(pump) <= 0.0
        except (requests.RequestException, KeyError, ValueError):  # it is just starting
            return False

    # -- strikes: each returns what heals it --------------------------------------------------------------------

    def _kill_controller(self) -> Undo:
        self._house.controller.kill()
        return self._house.controller.start

    def _kill_guard(self) -> Undo:
        return self._killed_guard(self._house.guard()[1])

    def _kill_parent(self) -> Undo:
        return self._killed_guard(self._house.guard()[0])

    def _killed_guard(self, victim: psutil.Process) -> Undo:
        """Kill one of the guard's two processes: it heals by itself, once another child owns the pins."""
        child = self._house.guard()[1]
        victim.kill()
        return lambda: self._house.wait_for_another_guard(child)

    def _stop_controller(self) -> Undo:
        return _paused(psutil.Process(self._house.controller.pid))

    def _stop_guard(self) -> Undo:
        child = self._house.guard()[1]
        go_on = _paused(child)

        def heal() -> None:
            go_on()
            self._house.wait_for_another_guard(child)  # its parent has killed the silent one

        return heal

    def _kill_database(self) -> Undo:
        self._house.database.kill()
        return self._house.database.start

    def _stop_database(self) -> Undo:
        return _paused(psutil.Process(self._house.database.pid))

    def _cut_network(self) -> Undo:
        """Leave connections to the broker half-open: nobody answers on them, and nobody says so."""
        process = self._broker.process()
        if process is None:
            raise RuntimeError("the broker does not run")
        return _paused(process)

    def _kill_broker(self) -> Undo:
        process = self._broker.process()
        if process is None:
            raise RuntimeError("the broker does not run")
        process.kill()
        process.wait()
        return lambda: self._broker.start(lambda _line: None)

    def _fill_disk(self) -> Undo:
        """No process of ours can make any file grow (EFBIG, as ENOSPC would be), until healed."""
        victims = [psutil.Process(self._house.controller.pid), *self._house.family()]
        before = [(one, one.rlimit(psutil.RLIMIT_FSIZE)) for one in victims]
        for one in victims:
            one.rlimit(psutil.RLIMIT_FSIZE, _NO_ROOM)

        def heal() -> None:
            for one, limits in before:
                with suppress(psutil.NoSuchProcess):
                    one.rlimit(psutil.RLIMIT_FSIZE, limits)

        return heal


def _paused(process: psutil.Process) -> Undo:
    process.send_signal(signal.SIGSTOP)

    def go_on() -> None:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)

    return go_on
