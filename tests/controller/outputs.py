"""A box with every class of output on shared supplies, for tests of the guard."""

from __future__ import annotations

from pathlib import Path

from dt.controller.guard_types import Budget, Exclusion, GuardConfig, OutputConfig

SUPPLY_W = 60.0
FAN_ABOVE = 0.9


def mixed_config(folder: Path) -> GuardConfig:
    """Two pumps (2 ml/s, one plant), a fan of 12 W, a heater of 40 W and a lamp of 30 W, all on 60 W; a relay on none.

    The heater is off while the fan is at 0.9 or more; the lamp has six hours of any day.
    """
    pumps = tuple(
        OutputConfig(
            actuator_id=f"pump-{n}", pin=17 + n, plant_id="basil", flow_ml_s=2.0, reservoir="can", supply="main",
            load_w=6.0,
        )
        for n in range(2)
    )  # fmt: skip
    others = (
        OutputConfig(
            actuator_id="fan", pin=12, output_class="fan", pwm_hz=100.0, supply="main", load_w=12.0,
            max_on_s=86_400.0, pause_s=0.0,
        ),
        OutputConfig(
            actuator_id="heater", pin=13, output_class="heater", pwm_hz=1.0, supply="main", load_w=40.0,
            max_on_s=1800.0, pause_s=30.0,
        ),
        OutputConfig(
            actuator_id="lamp", pin=19, output_class="light", pwm_hz=200.0, supply="main", load_w=30.0,
            max_on_s=14_400.0, pause_s=0.0, max_on_s_per_day=21_600.0,
        ),
        OutputConfig(actuator_id="relay", pin=26, output_class="relay", max_on_s=3600.0, pause_s=5.0),
    )  # fmt: skip
    return GuardConfig(
        outputs=(*pumps, *others),
        budgets={"basil": Budget(ml_per_day=150.0, pot_volume_l=1.0)},
        reservoirs={"can": 1000.0},
        ledger_path=str(folder / "ledger.sqlite"),
        supplies={"main": SUPPLY_W},
        exclusions=(Exclusion(heater="heater", fan="fan", above=FAN_ABOVE),),
    )
