"""A genuine Mosquitto for tests, on a free port of this machine: in the clear, with a password, or with TLS."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import lacking
from tests.integration.broker import free_ports

Eventually = Callable[..., None]
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


@dataclass(frozen=True, slots=True)
class Certificates:
    """An authority of the test's own, a server's certificate by it, and a client's."""

    ca: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path


class Mosquitto:
    """A broker that can be stopped and started again, and that keeps its sessions on disk."""

    def __init__(self, folder: Path, *, users: dict[str, str] | None = None, tls: Certificates | None = None) -> None:
        self._program = program("mosquitto")
        self._config = folder / "mosquitto.conf"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_ports()
        self.tls = tls
        lines = [f"listener {self.port} 127.0.0.1", "persistence true", f"persistence_location {folder}/"]
        lines += ["autosave_interval 1", f"allow_anonymous {'false' if users else 'true'}"]
        if os.geteuid() == 0:
            lines.append("user root")  # it would give up root's rights, and then not reach its own folder
        if users:
            passwords = folder / "passwords"
            passwords.touch(0o600)
            for name, password in users.items():
                subprocess.run([program("mosquitto_passwd"), "-b", str(passwords), name, password], check=True)
            lines.append(f"password_file {passwords}")
        if tls is not None:
            lines += [f"cafile {tls.ca}", f"certfile {tls.server}", f"keyfile {tls.server_key}"]
        self._config.write_text("\n".join(lines) + "\n")

    @property
    def url(self) -> str:
        """Return what MQTT_URL takes."""
        return f"mqtt{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the process."""
        command = [self._program, "-c", str(self._config)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def listens(self) -> bool:
        """Return whether it takes connections."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """End the process; what it keeps is written to disk."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(5)
            self._process = None

    def publish(self, topic: str, payload: str, *, retain: bool = False, user: tuple[str, str] | None = None) -> None:
        """Send by mosquitto_pub, a client of others, at least once; returns when the broker has it."""
        command = [program("mosquitto_pub"), "-h", "127.0.0.1", "-p", str(self.port), "-q", "1", "-t", topic]
        command += ["-m", payload, *(["-r"] if retain else [])]
        if user is not None:
            command += ["-u", user[0], "-P", user[1]]
        if self.tls is not None:
            command += ["--cafile", str(self.tls.ca)]
        subprocess.run(command, check=True, timeout=10)


def program(name: str) -> str:
    """Return where a program is; skip without it, unless DT_REQUIRE_SERVERS=1 says that it has to be there."""
    found = shutil.which(name, path=_PATH)
    return found or lacking(f"{name} is missing; on Debian: apt install mosquitto mosquitto-clients openssl")


def make_certificates(folder: Path) -> Certificates:
    """Make an authority and what it signs, valid for a day."""
    folder.mkdir(parents=True, exist_ok=True)
    ca, ca_key = folder / "ca.pem", folder / "ca.key"
    _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=test authority",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", str(ca_key), "-out", str(ca))  # fmt: skip
    made = []
    for name in ("server", "client"):
        request, key, certificate = (folder / f"{name}.{end}" for end in ("csr", "key", "pem"))
        names = folder / f"{name}.ext"
        names.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        _openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", str(key),
                 "-out", str(request))  # fmt: skip
        _openssl("x509", "-req", "-in", str(request), "-CA", str(ca), "-CAkey", str(ca_key), "-CAcreateserial",
                 "-days", "1", "-extfile", str(names), "-out", str(certificate))  # fmt: skip
        made += [certificate, key]
    return Certificates(ca, *made)


def _openssl(*arguments: str) -> None:
    subprocess.run([program("openssl"), *arguments], check=True, capture_output=True)
