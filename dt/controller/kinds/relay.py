"""A relay: something that is switched, and moves no water."""

from __future__ import annotations

from typing import ClassVar

from dt.controller.kinds.base_actuator import BaseActuator


class Relay(BaseActuator):
    """On for an hour at a time unless the rig says otherwise; a valve is a `pump`, whose doses count."""

    kind: ClassVar[str] = "relay"
    output_class: ClassVar[str] = "relay"
    usual_max_on_s: ClassVar[float] = 3600.0
    usual_pause_s: ClassVar[float] = 10.0  # a coil and its load rest between two actuations
