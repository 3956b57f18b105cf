"""A Raspberry Pi's files and what its programs print, as captured, below a folder of a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dt.operations.checkup import Machine, Patient
from dt.utils.config import Settings, load_settings

PI4 = "Raspberry Pi 4 Model B Rev 1.5\0"
PI5 = "Raspberry Pi 5 Model B Rev 1.0\0"
ZERO_W = "Raspberry Pi Zero W Rev 1.1\0"

BOOKWORM = """PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
"""

CONFIG = """# For more options and information see
# http://rptl.io/configtxt

# Uncomment some or all of these to enable the optional hardware interfaces
dtparam=i2c_arm=on
#dtparam=i2s=on
#dtparam=spi=on

# Enable audio (loads snd_bcm2835)
dtparam=audio=on

# Automatically load overlays for detected cameras
camera_auto_detect=1

# Enable DRM VC4 V3D driver
dtoverlay=vc4-kms-v3d
max_framebuffers=2

# Run in 64-bit mode
arm_64bit=1

[cm4]
otg_mode=1

[all]
"""

# gpioinfo of libgpiod 1.6 (Bookworm), shortened; a Pi 4.
GPIOINFO_1 = """gpiochip0 - 58 lines:
\tline   0:     "ID_SDA"       unused   input  active-high 
\tline   1:     "ID_SCL"       unused   input  active-high 
\tline   2:       "SDA1"       unused   input  active-high 
\tline   3:       "SCL1"       unused   input  active-high 
\tline   4:  "GPIO_GCLK"       unused   input  active-high 
\tline  16:     "GPIO16"       unused   input  active-high 
\tline  17:     "GPIO17"         {consumer}  output  active-high {used}
\tline  42: "LED_ACT"  "ACT"  output  active-high [used]
gpiochip1 - 8 lines:
\tline   0:      "BT_ON"   "shutdown"  output  active-high [used]
\tline   4: "VDD_SD_IO_SEL" "vdd-sd-io" output active-high [used]
"""  # noqa: W291 - as it prints

# gpioinfo of libgpiod 2.2 (Trixie), shortened; a Pi 5 whose kernel still counts its own chips first.
GPIOINFO_2 = """gpiochip0 - 32 lines:
\tline   4:\t"-"             \toutput consumer="regulator"
gpiochip4 - 54 lines:
\tline   0:\t"ID_SDA"        \tinput
\tline   4:\t"GPIO4"         \tinput consumer="onewire@0" bias=pull-up
\tline  17:\t"GPIO17"        \toutput
"""

CAMERAS = """Available cameras
-----------------
0 : imx708 [4608x2592 10-bit RGGB] (/base/soc/i2c0mux/i2c@1/imx708@1a)
    Modes: 'SRGGB10_CSI2P' : 1536x864 [120.13 fps - (768, 432)/3072x1728 crop]
                             2304x1296 [56.03 fps - (0, 0)/4608x2592 crop]
"""

ONE_POT = """[zones.box]
timezone = "Europe/Rome"

[plants.basil]
zone = "box"
pot_volume_l = 2.0

[[sensors]]
id = "dht22-temperature"
kind = "dht22"
quantity = "temperature"
zone = "box"
pin = "GPIO4"
every_s = 5

[[sensors]]
id = "dht22-humidity"
kind = "dht22"
quantity = "humidity"
zone = "box"
pin = "GPIO4"
every_s = 5

[[sensors]]
id = "bh1750-light"
kind = "bh1750"
quantity = "light_intensity"
zone = "box"
address = 0x23
every_s = 2

[[sensors]]
id = "seesaw-soil"
kind = "seesaw"
quantity = "soil_moisture"
plant = "basil"
address = 0x36
every_s = 1

[[sensors]]
id = "camera"
kind = "camera"
quantity = "camera_image"
plant = "basil"
pin = "camera0"
every_s = 30

[[actuators]]
id = "pump"
kind = "pump"
plant = "basil"
pin = "GPIO17"
flow_ml_s = 50.0
"""


@dataclass(frozen=True, slots=True)
class Programs:
    """Programs by their command line, and what each prints; what is not here is not installed."""

    answers: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, command: Sequence[str], timeout_s: float = 5.0) -> str | None:
        """Return what a program printed."""
        return self.answers.get(" ".join(command))


PROGRAMS = {
    "uname -m": "aarch64\n",
    "dpkg --print-architecture": "arm64\n",
    "vcgencmd get_throttled": "throttled=0x0\n",
}


def pi(folder: Path, files: Mapping[str, str] | None = None, programs: Mapping[str, str] | None = None) -> Machine:
    """Return a Pi 4 with 64-bit Bookworm, changed by files (None removes one) and programs."""
    everything = {
        "/proc/device-tree/model": PI4,
        "/proc/meminfo": "MemTotal:        3885396 kB\nMemFree:         2875296 kB\n",
        "/etc/os-release": BOOKWORM,
        "/boot/firmware/config.txt": CONFIG,
        **(files or {}),
    }
    for name, text in everything.items():
        path = folder / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Machine(root=folder, run=Programs({**PROGRAMS, **(programs or {})}))


def one_pot(settings: Settings, folder: Path) -> Settings:
    """Return settings whose rig has one pot, two I2C chips, a DHT22, a camera and a pump."""
    rig = folder / "one-pot.toml"
    rig.write_text(ONE_POT)
    return settings.model_copy(update={"rig_file": rig})


def patient_on(settings: Settings, machine: Machine, **changes: object) -> Patient:
    """Return a patient whose rig is on a machine's own pins."""
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    settings = load_settings(env_file=None, **{**given, "hardware": "pi", **changes})
    return Patient(settings=settings, origins={}, machine=machine)
