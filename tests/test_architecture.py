"""What holds for the whole tree: drawings that match the code, imports that do nothing, files without secrets."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from gpiozero.pins.pi import PiBoardInfo

from dt.communication.topics import TOPIC_TABLE
from dt.operations.plan import SERVICES
from dt.utils.config import Settings
from dt.utils.rig import Rig, load_rig

ROOT = Path(__file__).resolve().parents[1]
BLOCKS = ROOT / "notes" / "block-diagram.svg"
WIRING = ROOT / "notes" / "wiring-diagram.svg"
HARDWARE = ROOT / "notes" / "hardware.md"
HEADER = PiBoardInfo.from_revision(0xA02082).headers["J8"]  # a Pi 3B; 4 and 5 are wired alike
MOST_LINES = 400
I2C_PINS = {"GPIO2", "GPIO3"}
SVG = "{http://www.w3.org/2000/svg}"

# How a service's source names a family of topics.
MENTIONS = {
    "sensors-raw": r"raw_topics\(|Topics\.\w+\.raw|Topics\.of\(\w+\)\.raw|topic\.raw",
    "sensors-processed": r"processed_topics\(|Topics\.\w+\.processed|Topics\.of\(\w+\)\.processed",
    "state": r"Topics\.STATE_",
    "alerts-conditions": r"Topics\.ALERT_CONDITIONS",
    "alerts": r"Topics\.ALERTS",
    "actions": r"Topics\.ACTIONS",
    "actions-results": r"Topics\.ACTION_RESULTS",
    "predictions": r"Topics\.PREDICTIONS",
    "registry": r"Topics\.REGISTRY",
    "health": r"Topics\.HEALTH|HealthBeat\(",
    "gaps": r"Topics\.GAPS",
    # What a subscription's handler cannot use goes to the dead letters.
    "dead_letters": r"Topics\.DEAD_LETTERS|letter_of\(|\.subscribe\(|\.transform\(",
}

# Prints as JSON what importing each of the named modules did besides defining names.
WATCH = r"""
import importlib, json, os, sys, threading
done = []
def watch(event, arguments):
    if event == "open":
        path, _mode, flags = arguments
        if isinstance(path, str) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            done.append(f"opened {path} for writing")
    elif event in {"socket.bind", "socket.connect"}:
        # urllib3 asks the kernel once, by a socket of its own, whether IPv6 is there.
        if arguments[1] != ("::1", 0):
            done.append(f"{event} {arguments[1]}")
    elif event in {"os.mkdir", "os.remove", "os.rename", "sqlite3.connect", "subprocess.Popen", "os.fork"}:
        done.append(f"{event} {arguments[:1]}")
sys.addaudithook(watch)
environment = dict(os.environ)
for name in json.loads(sys.argv[1]):
    before = len(done)
    importlib.import_module(name)
    done[before:] = [f"{name}: {what}" for what in done[before:]]
    if threading.active_count() > 1:
        raise SystemExit(f"{name} started a thread")
    if dict(os.environ) != environment:
        raise SystemExit(f"{name} changed the environment")
print(json.dumps({"done": done, "loaded": sorted({m.partition(".")[0] for m in sys.modules})}))
"""


def modules() -> list[str]:
    """Return the names of all modules of the product."""
    paths = (path.relative_to(ROOT).with_suffix("") for path in sorted((ROOT / "dt").rglob("*.py")))
    return [".".join(path.parts).removesuffix(".__init__") for path in paths]


def imported(names: list[str], folder: Path) -> dict[str, list[str]]:
    """Return what a fresh process does and loads when it imports modules, with every setting set to nonsense."""
    nonsense = {name.upper(): "?" for name in Settings.model_fields}
    done = subprocess.run(
        [sys.executable, "-B", "-c", WATCH, json.dumps(names)],
        cwd=folder, env={**nonsense, "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def drawing(path: Path) -> ElementTree.Element:
    """Return the root of a drawing."""
    return ElementTree.parse(path).getroot()


def groups(root: ElementTree.Element, prefix: str) -> dict[str, ElementTree.Element]:
    """Return the groups whose id begins so, by the rest of it."""
    return {g.get("id", "").removeprefix(prefix): g for g in root.iter() if g.get("id", "").startswith(prefix)}


def words(element: ElementTree.Element) -> list[str]:
    """Return the texts of a group."""
    return ["".join(text.itertext()).strip() for text in element.iter(f"{SVG}text")]


def links(service: ElementTree.Element, side: str) -> set[str]:
    """Return the families of topics that a drawn service `writes` or `reads`."""
    return set(service.get(f"data-{side}", "").split())


def tracked() -> list[Path]:
    """Return the files that git knows."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("no git checkout")
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def lines_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield place and text of each line of a text file; pictures and the like have none."""
    content = path.read_bytes()
    if b"\0" not in content[:8192]:
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
            yield f"{path.relative_to(ROOT)}:{number}", line


@pytest.fixture(scope="module")
def blocks() -> ElementTree.Element:
    """Return the block diagram."""
    return drawing(BLOCKS)


@pytest.fixture(scope="module")
def wiring() -> ElementTree.Element:
    """Return the wiring diagram."""
    return drawing(WIRING)


@pytest.fixture(scope="module")
def rig() -> Rig:
    """Return the repository's own rig."""
    return load_rig(ROOT / "rig.toml")


class TestBlockDiagram:
    """notes/block-diagram.svg shows the services and topics that there are."""

    def test_the_services_drawn_are_those_that_run(self, blocks: ElementTree.Element) -> None:
        """One box per process of `dt up`, and no other."""
        assert set(groups(blocks, "service-")) == {spec.name for spec in SERVICES}

    def test_each_box_names_its_package_and_port(self, blocks: ElementTree.Element) -> None:
        """The port is that of the setting's default."""
        drawn = groups(blocks, "service-")
        for spec in SERVICES:
            port = urlsplit(str(Settings.model_fields[spec.url_setting].default)).port
            assert f":{port}" in " ".join(words(drawn[spec.name])).split(), spec.name
            assert drawn[spec.name].get("data-package") == spec.module.rpartition(".")[0].replace(".", "/")

    def test_every_package_with_an_entry_point_is_drawn(self, blocks: ElementTree.Element) -> None:
        """A new service does not stay out of the picture."""
        entries = [path for name in ("app.py", "main.py") for path in (ROOT / "dt").rglob(name)]
        packages = {e.parent.relative_to(ROOT).as_posix() for e in entries if "def create_service(" in e.read_text()}

        assert packages == {g.get("data-package") for g in groups(blocks, "service-").values()}

    def test_the_topics_drawn_are_those_of_the_table(self, blocks: ElementTree.Element) -> None:
        """Sensors and states are drawn as one row each."""
        drawn = {words(row)[0] for row in groups(blocks, "topic-").values()}
        families = {re.sub(r"^dt\.sensors\.\w+", "dt.sensors.<quantity>", topic) for topic in TOPIC_TABLE}

        assert drawn == {re.sub(r"^dt\.state\.\w+", "dt.state.<service>", family) for family in families}

    def test_a_service_is_linked_to_the_topics_that_its_source_names(self, blocks: ElementTree.Element) -> None:
        """A topic that a package begins or ceases to use shows up here."""
        for name, group in groups(blocks, "service-").items():
            files = (ROOT / str(group.get("data-package"))).rglob("*.py")
            source = "\n".join(path.read_text("utf-8") for path in files)
            named = {family for family, pattern in MENTIONS.items() if re.search(pattern, source)}
            assert links(group, "writes") | links(group, "reads") == named, name

    def test_the_dots_say_what_the_links_say(self, blocks: ElementTree.Element) -> None:
        """A filled dot on a service's line writes, a ring reads."""
        services = groups(blocks, "service-")
        lines = {
            str(group.find(f"{SVG}text").get("x")): name  # type: ignore[union-attr]
            for name, group in services.items()
            if group.get("data-reads") is not None
        }
        for topic, row in groups(blocks, "topic-").items():
            dots = {(lines.get(str(dot.get("cx"))), dot.get("class")) for dot in row.iter(f"{SVG}circle")}
            for name in lines.values():
                for side in ("writes", "reads"):
                    assert ((name, side) in dots) == (topic in links(services[name], side)), f"{name} {side} {topic}"


class TestWiringDiagram:
    """notes/wiring-diagram.svg shows the rig that rig.toml declares."""

    def test_every_part_of_the_rig_is_drawn_where_it_is_connected(self, wiring: ElementTree.Element, rig: Rig) -> None:
        """Kind, and BCM pin or I2C address."""
        sensors = {(s.kind, s.pin or f"{s.address:#04x}") for s in rig.sensors}
        actuators = {(a.kind, a.pin) for a in rig.actuators}
        parts = groups(wiring, "part-").values()

        drawn = {(p.get("data-kind"), p.get("data-pin") or p.get("data-address")) for p in parts}
        assert drawn == sensors | actuators

    def test_each_part_shows_its_pin_or_address(self, wiring: ElementTree.Element) -> None:
        """What a person reads is what the test compares."""
        for name, part in groups(wiring, "part-").items():
            place = part.get("data-pin") or part.get("data-address")
            assert str(place) in " ".join(words(part)).split(), name

    def test_header_places_are_those_of_a_raspberry_pi(self, wiring: ElementTree.Element) -> None:
        """Compared with gpiozero's own table of the 40-pin header."""
        drawn = {int(str(t.get("data-header"))): t.text for t in wiring.iter(f"{SVG}text") if t.get("data-header")}

        assert drawn == {place: HEADER.pins[place].name for place in drawn}

    def test_exactly_the_pins_of_the_rig_and_the_bus_are_used(self, wiring: ElementTree.Element, rig: Rig) -> None:
        """No wire leads to a pin that nothing declares."""
        named = {s.pin for s in rig.sensors} | {a.pin for a in rig.actuators}
        header = {str(t.text) for t in wiring.iter(f"{SVG}text") if t.get("data-header")}

        assert {n for n in header if n.startswith("GPIO")} == I2C_PINS | {n for n in named if n and "GPIO" in n}


class TestHardwareNotes:
    """notes/hardware.md says the same as the rig and the header."""

    def test_every_pin_and_address_of_the_rig_is_in_the_notes(self, rig: Rig) -> None:
        """A rig that is rewired needs its notes rewritten."""
        notes = HARDWARE.read_text("utf-8")
        places = {s.pin or f"{s.address:#04x}" for s in rig.sensors} | {a.pin for a in rig.actuators}

        assert {place for place in places - {"camera0"} if place not in notes} == set()

    def test_the_wiring_table_names_the_places_of_the_header(self) -> None:
        """Compared with gpiozero's own table."""
        rows = re.findall(r"\| (GPIO\d+|GND|3V3) \| (\d+) \|", HARDWARE.read_text("utf-8"))

        assert len(rows) == 11
        assert {
            (name, HEADER.pins[int(place)].name) for name, place in rows if name != HEADER.pins[int(place)].name
        } == set()


@pytest.mark.parametrize("path", [BLOCKS, WIRING], ids=lambda path: path.name)
def test_a_drawing_needs_nothing_from_elsewhere(path: Path) -> None:
    """GitHub and a page without network show it alike: no fonts, scripts, pictures or styles of others."""
    text = path.read_text("utf-8")

    assert re.findall(r"<script|<image|<foreignObject|@import|@font-face|href=|url\((?!#)", text) == []
    assert [t for t in drawing(path).iter() if t.tag == f"{SVG}title"]


class TestImports:
    """Importing a module does nothing."""

    def test_importing_everything_starts_writes_and_connects_nothing(self, tmp_path: Path) -> None:
        """Settings set to nonsense do not matter either: only entry points read them."""
        assert imported(modules(), tmp_path)["done"] == []
        assert list(tmp_path.iterdir()) == []

    def test_hardware_libraries_are_loaded_by_the_kinds_alone(self, tmp_path: Path) -> None:
        """They load when a sensor of their kind is opened."""
        rest = [name for name in modules() if not name.startswith("dt.collector.kinds.")]

        loaded = imported(rest, tmp_path)["loaded"]
        assert {"RPi", "lgpio", "board", "busio", "digitalio", "adafruit_dht", "picamera2"} & set(loaded) == set()

    def test_no_module_loads_a_pin_library(self, tmp_path: Path) -> None:
        """The kinds neither: Blinka's `board` decides on the machine as it is imported, gpiozero's factory at use."""
        assert {"RPi", "lgpio", "board"} & set(imported(modules(), tmp_path)["loaded"]) == set()

    def test_the_guard_loads_the_standard_library_and_gpiozero_alone(self, tmp_path: Path) -> None:
        """The process that owns the pins has little that can break."""
        loaded = imported(["dt.controller.guard_process", "dt.controller.guard_child"], tmp_path)["loaded"]
        standard = sys.stdlib_module_names | {"__main__", "sitecustomize"}

        others = {name for name in loaded if name not in standard and not name.startswith("_")}
        assert others <= {"dt", "gpiozero", "colorzero"}

    def test_the_collector_loads_nothing_of_the_records_database(self, tmp_path: Path) -> None:
        """A small Pi that only measures stays small."""
        loaded = set(imported(["dt.collector.main"], tmp_path)["loaded"])

        assert loaded & {"sqlalchemy", "alembic", "mako", "psycopg"} == set()

    def test_the_collector_is_imported_within_a_second(self, tmp_path: Path) -> None:
        """By the processor's time, so that a busy machine changes nothing."""
        script = (
            "import time; begin = time.process_time(); import dt.collector.main; print(time.process_time() - begin)"
        )
        command = [sys.executable, "-c", script]

        def seconds() -> float:
            done = subprocess.run(
                command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            return float(done.stdout)

        assert min(seconds() for _ in range(2)) < 1.0


class TestTrackedFiles:
    """What is in the repository can be read by anyone, anywhere."""

    def test_no_file_names_a_place_of_one_machine(self) -> None:
        """Home and work folders differ from machine to machine, and so do registries' addresses."""
        folders = r"(?<![\w.~$}-])/(?:work|root|home)/\w"
        hosts = r"py[p]i\.org|python[h]osted\.org|registry\.np[m]js|rep[o]1?\.maven|prox[y]\.golang"
        pattern = re.compile(f"{folders}|{hosts}")

        assert [place for path in tracked() for place, line in lines_of(path) if pattern.search(line)] == []

    def test_no_file_holds_a_secret(self) -> None:
        """Keys, tokens and passwords come from the environment or are made at the first run."""
        keys = r"-----BEGIN [A-Z ]*PRIVATE KE[Y]|\bAKI[A][0-9A-Z]{16}\b|\bgh[pousr]_\w{36}|\bxo[x][bap]-\w{10}"
        assigned = r"(?i:token|password|secret|passwd)\w*[\"']?\s*[:=]\s*[\"'][\w+/=-]{24,}[\"']"
        pattern = re.compile(f"{keys}|{assigned}")
        texts = (path for path in tracked() if "vendor" not in path.parts)

        assert [place for path in texts for place, line in lines_of(path) if pattern.search(line)] == []

    def test_no_broker_but_ones_own_is_a_default(self) -> None:
        """Every address in the product is loopback, unspecified or an example."""
        pattern = re.compile(r"(?<![\d.v])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")
        fine = re.compile(r"(?:127|10|192\.168|0\.0|192\.0\.2|198\.51\.100|203\.0\.113)\.")
        places = [
            f"{place}: {address}"
            for path in tracked()
            if path.suffix in {".py", ".sh", ".toml", ".md"} and "vendor" not in path.parts
            for place, line in lines_of(path)
            for address in pattern.findall(line)
            if not fine.match(address)
        ]
        assert places == []


def test_a_module_has_at_most_400_lines() -> None:
    """One that is longer is two modules."""
    files = [path for folder in ("dt", "scripts") for path in (ROOT / folder).rglob("*.py")]
    lengths = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8").count("\n") for path in files}

    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


_MAY_KNOW_THE_TRUTH = ("dt/simulator/", "dt/evaluation/")
_ASSEMBLE = ("dt/operations/", "dt/cli/")  # start the simulator, and tell where it listens


def python_files(*without: str) -> list[Path]:
    """Return the product's modules, without some packages."""
    return [path for path in (ROOT / "dt").rglob("*.py") if not path.relative_to(ROOT).as_posix().startswith(without)]


class TestTruthOfTheBox:
    """What the simulated box knows is for evaluation alone: a twin that could look would prove nothing."""

    def test_no_service_names_the_page_of_the_truth(self) -> None:
        """No string of a module, and none of the page's scripts, leads to GET /state."""
        page = re.compile(r"(?:^|[^\w.])/state(?:$|[^\w])")
        texts = {
            path: [node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if is_text(node)]
            for path in python_files(*_MAY_KNOW_THE_TRUTH)
        }
        scripts = {path: [path.read_text("utf-8")] for path in (ROOT / "dt" / "webapp" / "static" / "js").rglob("*.js")}

        assert scripts
        found = {str(path) for path, strings in (texts | scripts).items() if any(map(page.search, strings))}
        assert found == set()

    def test_no_service_knows_the_simulator_or_where_it_listens(self) -> None:
        """Neither its modules nor its address are named outside what assembles or evaluates; settings declare it."""
        names = re.compile(r"dt\.simulator|flask_simulator_url", re.IGNORECASE)
        services = python_files(*_MAY_KNOW_THE_TRUTH, *_ASSEMBLE)

        found = {path.relative_to(ROOT).as_posix() for path in services if names.search(path.read_text("utf-8"))}
        assert found == {"dt/utils/config.py"}

    def test_what_assembles_never_asks_the_box(self) -> None:
        """The demo makes a box and hands it on; it reads neither its state nor the module that tells it."""
        asked = re.compile(r"simulator import truth|simulator\.truth|\b(?:box|wire|simulator)\.state\(\)")

        found = {path.name for path in python_files(*_MAY_KNOW_THE_TRUTH) if asked.search(path.read_text("utf-8"))}
        assert found == set()


def is_text(node: ast.AST) -> TypeGuard[ast.Constant]:
    """Return whether a node is a string."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
