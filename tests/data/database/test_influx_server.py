"""What a server's answers become: refusals of lines, or trouble that passes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from dt.data.database.influx_server import InfluxServer, LinesRefusedError
from dt.utils.exceptions import StorageError

pytest.importorskip("influxdb_client")


class _Answer(BaseHTTPRequestHandler):
    """Answers each POST with the status that its bucket names."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(int(self.path.partition("bucket=s")[2][:3]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Keep quiet."""


@pytest.fixture
def url() -> Iterator[str]:
    """Return the address of a web server on this machine."""
    with HTTPServer(("127.0.0.1", 0), _Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "kind"), [(520, StorageError), (499, StorageError), (503, StorageError), (400, LinesRefusedError)]
)
def test_only_a_refusal_of_lines_costs_lines(url: str, status: int, kind: type[Exception]) -> None:
    """A status of a proxy that has no name is trouble that passes: the batch comes again, and none is a dead letter."""
    server = InfluxServer(url, "token", "org", f"s{status}")
    with pytest.raises(kind):
        server.write(["temperature value=1.0 1"])
    server.close()
