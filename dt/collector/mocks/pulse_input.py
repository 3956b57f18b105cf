"""A `pulseio` for the DHT driver, over a wire: off a Pi there is none."""

from __future__ import annotations

import importlib
import sys
from collections import deque
from dataclasses import dataclass
from types import ModuleType

from dt.communication.wire import Wire

_MODULE = "pulseio"


@dataclass(frozen=True, slots=True)
class WireLine:
    """A pin as drivers take it: its BCM number, and the wire that it is on."""

    number: int
    wire: Wire


class PulseIn:
    """What `pulseio.PulseIn` offers: a trigger, then the lengths of the pulses that answer it, in microseconds."""

    def __init__(self, pin: WireLine, maxlen: int = 2, idle_state: bool = False) -> None:  # noqa: FBT001 - pulseio's own
        self.maxlen = maxlen
        self.idle_state = idle_state
        self.paused = False
        self._pin = pin
        self._pulses: deque[int] = deque(maxlen=maxlen)

    def clear(self) -> None:
        """Forget all pulses."""
        self._pulses.clear()

    def resume(self, trigger_duration: int = 0) -> None:
        """Capture again, after a trigger of so many microseconds."""
        self.paused = False
        if trigger_duration:
            self._pulses.extend(self._pin.wire.pulses(self._pin.number, trigger_duration, self.maxlen))

    def pause(self) -> None:
        """Stop capturing."""
        self.paused = True

    def popleft(self) -> int:
        """Remove and return the oldest pulse."""
        return self._pulses.popleft()

    def deinit(self) -> None:
        """Free the pin."""
        self.clear()

    def __len__(self) -> int:
        return len(self._pulses)

    def __getitem__(self, index: int) -> int:
        return self._pulses[index]


def install() -> None:
    """Make `import pulseio` find this one; a DHT driver that was loaded without it is loaded anew."""
    if getattr(sys.modules.get(_MODULE), "PulseIn", None) is PulseIn:
        return
    module = ModuleType(_MODULE, __doc__)
    module.PulseIn = PulseIn  # type: ignore[attr-defined]
    sys.modules[_MODULE] = module
    if "adafruit_dht" in sys.modules:
        importlib.reload(sys.modules["adafruit_dht"])
