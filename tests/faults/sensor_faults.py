"""A rig with a sensor for each fault, and healthy ones of every kind beside them on the same bus."""

from __future__ import annotations

from tests.faults.field import START, dht22, probe, sensor, zones

DAY_S = 86_400.0
RUNS_S = 6.5

RIG = (
    zones("basil", "mint")
    + probe("soil", 0x36, every_s=0.5)
    + probe("soil-mint", 0x37, "mint", every_s=0.5)
    + probe("soil-f1", 0x38)
    + probe("soil-f2", 0x39)
    + sensor("soil-f2-degc", "seesaw", "soil_temperature", plant="basil", address=0x39)
    + probe("soil-f3", 0x3A)
    + probe("soil-f9-deaf", 0x3B)
    + probe("soil-f9-hang", 0x3C)
    + probe("soil-f9-clash", 0x3D)
    + probe("soil-f10-out", 0x3E)
    + probe("soil-f10-gap", 0x3F)
    + probe("soil-f10-moved", 0x40, "mint")
    + probe("soil-f10-drift", 0x41)
    + probe("soil-f11-stuck", 0x42)
    + probe("soil-f11-spike", 0x43)
    + probe("soil-f11-jump", 0x44)
    + probe("soil-f11-noise", 0x45, every_s=0.5)
    + probe("soil-f12", 0x46)
    + probe("soil-f1-f9", 0x47, every_s=0.5)
    + sensor("light", "bh1750", "light_intensity", zone="box", address=0x23)
    + sensor("light-f8", "bh1750", "light_intensity", zone="box", address=0x5C)
    + dht22("air", 4)
    + dht22("air-f4", 5)
    + dht22("air-f5", 6)
    + dht22("air-f6", 7)
    + dht22("air-f7", 10)
    + sensor("camera", "camera", "camera_image", 2.0, plant="basil", pin="camera0")
    + sensor("camera-dark", "camera", "camera_image", 2.0, plant="basil", pin="camera1")
    + sensor("camera-blurred", "camera", "camera_image", 2.0, plant="basil", pin="camera2")
    + sensor("camera-blocked", "camera", "camera_image", 2.0, plant="basil", pin="camera3")
    + sensor("camera-gone", "camera", "camera_image", 2.0, plant="basil", pin="camera4")
)
HEALTHY = ("soil", "soil-mint", "light", "air-temperature", "air-humidity", "camera")

Orders = tuple[tuple[str, str, dict[str, object]], ...]

ORDERS: Orders = (
    ("F1", "soil-f1", {"share": 0.4}),
    ("F2", "soil-f2-degc", {}),
    ("F3", "soil-f3", {}),
    ("F4", "air-f4-temperature", {"share": 0.6}),
    ("F6", "air-f6-temperature", {}),
    ("F7", "air-f7-temperature", {"share": 1.0}),
    ("F8", "light-f8", {}),
    ("F9", "soil-f9-deaf", {"mode": "no_acknowledge"}),
    ("F9", "soil-f9-hang", {"mode": "hang", "hang_s": 0.2}),
    ("F9", "soil-f9-clash", {"mode": "clash"}),
    ("F10", "soil-f10-out", {"mode": "pulled_out"}),
    ("F10", "soil-f10-gap", {"mode": "air_gap", "gap": 0.4}),
    ("F10", "soil-f10-moved", {"mode": "moved", "since": START - 2 * DAY_S}),
    ("F10", "soil-f10-drift", {"mode": "drift", "counts_per_day": -40.0, "since": START - 2 * DAY_S}),
    ("F11", "soil-f11-stuck", {"mode": "stuck"}),
    ("F11", "soil-f11-spike", {"mode": "spike", "share": 0.3}),
    ("F11", "soil-f11-jump", {"mode": "jump", "size": 0.2}),
    ("F11", "soil-f11-noise", {"mode": "noise", "size": 0.5}),
    ("F12", "soil-f12", {"since": START - DAY_S / 4}),
    ("F1", "soil-f1-f9", {"share": 0.4}),
    ("F9", "soil-f1-f9", {"share": 0.06}),
    ("F18", "camera-dark", {"mode": "dark"}),
    ("F18", "camera-blurred", {"mode": "blurred"}),
    ("F18", "camera-blocked", {"mode": "blocked"}),
    ("F18", "camera-gone", {"mode": "gone"}),
)
# Ordered once the sensor was read: the fault shows against what was good before.
LATER: Orders = (("F5", "air-f5-temperature", {"mode": "halved", "share": 1.0}),)
