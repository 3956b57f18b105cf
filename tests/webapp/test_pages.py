"""The page and its files: whole, offline, and closed to foreign scripts."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
import requests

from dt.webapp.app import Dashboard
from dt.webapp.pages import HERE, STATIC

OWN_FILES = [path for path in STATIC.rglob("*") if path.is_file() and "vendor" not in path.parts]


def _get(dashboard: Dashboard, path: str, **headers: str) -> requests.Response:
    return requests.get(f"http://127.0.0.1:{dashboard.port}{path}", headers=headers, timeout=10)


def test_every_file_that_the_page_names_is_there(dashboard: Dashboard) -> None:
    """No 404 on a first visit."""
    page = _get(dashboard, "/").text

    named = re.findall(r'(?:href|src)="(/[^"]+)"', page)

    assert len(named) > 15
    assert {path: _get(dashboard, path).status_code for path in named} == dict.fromkeys(named, 200)


def test_the_page_loads_nothing_from_elsewhere() -> None:
    """Everything works with the network cut."""
    for path in [*OWN_FILES, *(HERE / "templates").iterdir()]:
        addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"']*", path.read_text("utf-8")))
        assert addresses <= {"http://www.w3.org/2000/svg"}, path


def test_no_script_stands_in_the_page(dashboard: Dashboard) -> None:
    """The content security policy allows files of this origin alone."""
    answer = _get(dashboard, "/")

    assert re.findall(r"<script(?![^>]*\bsrc=)", answer.text) == []
    assert "script-src 'self';" in answer.headers["Content-Security-Policy"]
    assert "unsafe-eval" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_text_never_becomes_markup() -> None:
    """What a sensor or a person wrote goes in as text."""
    for path in OWN_FILES:
        if path.suffix == ".js":
            assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", path.read_text()), (
                path
            )


def test_files_are_compressed_and_not_sent_twice(dashboard: Dashboard) -> None:
    """Plotly's 1.5 MB travel as a third of it, and then not again."""
    path = "/static/vendor/plotly-cartesian.min.js"
    first = _get(dashboard, path)

    again = _get(dashboard, path, **{"If-None-Match": first.headers["ETag"], "Accept-Encoding": "gzip"})

    assert first.headers["Content-Encoding"] == "gzip"
    assert int(first.headers["Content-Length"]) < 600_000
    assert first.headers["Content-Type"].startswith("text/javascript")
    assert again.status_code == 304


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/none.js", f"/static/{'a' * 300}"]
)
def test_nothing_outside_the_static_folder_is_served(dashboard: Dashboard, path: str) -> None:
    """Neither by climbing out nor by guessing."""
    request = requests.Request("GET", f"http://127.0.0.1:{dashboard.port}/").prepare()
    request.url = f"http://127.0.0.1:{dashboard.port}{path}"

    assert requests.Session().send(request, timeout=10).status_code == 404


def test_vendored_files_are_the_ones_that_the_list_names() -> None:
    """Version, licence and checksum stand beside each."""
    listed = dict(re.findall(r"\| `([\w.-]+)` \|.*`([0-9a-f]{64})` \|", (STATIC / "vendor" / "README.md").read_text()))

    files = {path.name for path in (STATIC / "vendor").iterdir()} - {"README.md"}
    assert set(listed) == {name for name in files if not name.endswith(".LICENSE")}
    for name, digest in listed.items():
        assert hashlib.sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() == digest


def test_each_component_has_its_style_beside_it() -> None:
    """One element, one script, one style sheet."""
    folder: Path = STATIC / "js" / "components"

    assert {path.stem for path in folder.glob("*.js")} == {path.stem for path in folder.glob("*.css")}


def test_health_says_who_listens(dashboard: Dashboard) -> None:
    """`/ready` follows the consumer group."""
    assert _get(dashboard, "/health").json()["browsers"] == 0
    assert _get(dashboard, "/ready").status_code == 200
    assert "dt_webapp_browsers 0.0" in _get(dashboard, "/metrics").text
