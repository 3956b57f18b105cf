"""An output that goes off by itself: a process of its own holds the pin, and the script that asks only talks to it.

It is off at the deadline, when its pipe closes (the script ended, however), and at every signal that can be caught; the
terminal's signals do not reach it. Should it hang or be killed, the script takes the pin and drives it off.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

LONGEST_ON_S = 30.0  # in sum, for as long as the process lives
_ANSWERS_WITHIN_S = 10.0
_LATE_S = 1.0
ENDING_SIGNALS = tuple(
    getattr(signal, f"SIG{name}") for name in ("TERM", "HUP", "INT", "QUIT", "USR1", "USR2", "TSTP", "ALRM", "XCPU")
)


class Output(Protocol):
    """What a script switches."""

    def on(self, seconds: float) -> None:
        """Switch on, for these seconds at most; returns when it is on."""

    def wait_off(self) -> float:
        """Return how long it was on, when it is off."""
        ...


class OwnOutput:
    """An output of the plant box in this very process, which ends with it."""

    def __init__(self, device: Any, hold: Callable[[float], None]) -> None:
        self._device = device
        self._hold = hold
        self._began_s = self._seconds = 0.0

    def on(self, seconds: float) -> None:
        """Switch on."""
        self._began_s, self._seconds = time.monotonic(), seconds
        self._device.on()

    def wait_off(self) -> float:
        """Hold it on, and switch off."""
        self._hold(self._seconds)
        self._device.off()
        return time.monotonic() - self._began_s


class SwitchedOutput:
    """An output that another process holds."""

    def __init__(self, pin: str, *, active_high: bool, environment: Mapping[str, str]) -> None:
        self._pin = pin
        self._active_high = active_high
        self._deadline_s = 0.0
        command = [sys.executable, __file__, pin, "high" if active_high else "low"]
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=dict(environment),
            start_new_session=True,  # Ctrl-C, Ctrl-Z and Ctrl-\ are the script's alone
        )

    def ready(self) -> None:
        """Wait until the pin is held, and off; raises RuntimeError with what the other process says."""
        self._expect("off", _ANSWERS_WITHIN_S)

    def on(self, seconds: float) -> None:
        """Switch on; the other process switches off by itself."""
        assert self._child.stdin is not None
        self._deadline_s = time.monotonic() + seconds
        self._child.stdin.write(f"{seconds}\n")
        self._child.stdin.flush()
        self._expect("on", _LATE_S)

    def wait_off(self) -> float:
        """Return how long it was on, when it is off."""
        return float(self._expect("off", max(0.0, self._deadline_s - time.monotonic()) + _LATE_S))

    def close(self) -> None:
        """End the other process, which switches off; one that does not is killed, and the pin driven off from here."""
        for stream in (self._child.stdin, self._child.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):
                stream.close()
        try:
            is_clean = self._child.wait(_LATE_S) == 0
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
            is_clean = False
        if not is_clean:
            with contextlib.suppress(Exception):  # what cannot be opened here was not opened there
                opened(self._pin, active_high=self._active_high).close()

    def _expect(self, word: str, within_s: float) -> str:
        assert self._child.stdout is not None
        readable, _, _ = select.select([self._child.stdout], [], [], within_s)
        said = self._child.stdout.readline().strip() if readable else f"nothing within {within_s:.1f} s"
        if said.partition(" ")[0] != word:
            raise RuntimeError(said or f"the process that holds {self._pin} is gone")
        return said.partition(" ")[2]


@contextlib.contextmanager
def switched_output(pin: str, *, active_high: bool, environment: Mapping[str, str]) -> Iterator[SwitchedOutput]:
    """Yield an output that is off, and is off again whatever happens to this process."""
    output = SwitchedOutput(pin, active_high=active_high, environment=environment)
    try:
        output.ready()
        yield output
    finally:
        output.close()


def opened(pin: str, *, active_high: bool) -> Any:
    """Return gpiozero's output, off."""
    from gpiozero import OutputDevice

    return OutputDevice(pin, active_high=active_high, initial_value=False)


def main(pin: str, level: str) -> int:
    """Hold a pin: each line of stdin is for how many seconds it goes on; its end, or a signal, is the end."""
    for number in ENDING_SIGNALS:
        signal.signal(number, _end)
    try:
        device = opened(pin, active_high=level == "high")
    except Exception as error:  # noqa: BLE001 - pin factories raise whatever their library raises
        _say(str(error))
        return 1
    try:
        _say("off")
        _obey(device)
    finally:
        device.off()
        device.close()
    return 0


def _obey(device: Any) -> None:
    left_s = LONGEST_ON_S
    while line := os.read(0, 64):
        began = time.monotonic()
        seconds = min(float(line), left_s)
        device.on()
        try:
            _say("on")
            select.select([0], [], [], max(0.0, seconds))  # anything that comes, and the end of the pipe, ends it
        finally:
            device.off()
        on_s = time.monotonic() - began
        left_s -= on_s
        _say(f"off {on_s:.3f}")


def _say(words: str) -> None:
    os.write(1, f"{words}\n".encode())


def _end(_number: int, _frame: object) -> None:
    for number in ENDING_SIGNALS:  # a second one must not disturb the switching off
        signal.signal(number, signal.SIG_IGN)
    raise SystemExit(0)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # who asked is gone
        sys.exit(main(*sys.argv[1:]))
