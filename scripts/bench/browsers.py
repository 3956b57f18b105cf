"""Milliseconds from publishing a reading to its arrival at browsers: Socket.IO clients over web sockets."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import requests
import websocket
from stage import Stage, percentile, say, wait_for

from dt.communication.kafka import KafkaMessaging
from dt.communication.topics import Topics
from dt.utils.clock import SystemClock
from dt.utils.dataclasses import Quality, SensorData, Verdict
from dt.utils.ids import new_correlation_id
from dt.utils.quantities import QUANTITIES, Quantity

_EVENTS = (Quantity.TEMPERATURE, Quantity.HUMIDITY, Quantity.LIGHT_INTENSITY, Quantity.SOIL_MOISTURE)
_SERIES_PER_QUANTITY = 50  # with one value a second each: 200 messages a second
_WARM_UP_S = 3.0


def measure_browsers(stage: Stage, browsers: int, per_second: int, seconds: float) -> dict[str, float]:
    """Publish processed readings steadily and let the clients say how old each was when it came."""
    url = stage.settings.flask_dashboard_url
    with stage.process("-m", "dt.webapp.app"):
        wait_for(lambda: _is_ready(url), "the dashboard is not ready")
        say(f"{browsers} browsers connect, {per_second} messages a second for {seconds:g} s ...")
        # Two processes of clients, so that their own work weighs less on the figure.
        clients = [
            subprocess.Popen(
                [sys.executable, __file__, url, str(browsers // 2), str(seconds + _WARM_UP_S)],
                stdout=subprocess.PIPE,
                stdin=subprocess.DEVNULL,
            )
            for _ in range(2)
        ]
        for client in clients:
            assert client.stdout is not None
            client.stdout.readline()  # all of its browsers are connected
        _publish(stage, per_second, seconds + _WARM_UP_S)
        delays = [delay for client in clients for delay in json.loads(client.communicate(timeout=60)[0])]
    expected = browsers * per_second * seconds
    return {
        "browser_p50_ms": 1000 * percentile(delays, 0.50),
        "browser_p99_ms": 1000 * percentile(delays, 0.99),
        "browser_max_ms": 1000 * max(delays),
        "browser_received_share": len(delays) / expected,
    }


def _is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/ready", timeout=2).ok
    except requests.RequestException:
        return False


def _publish(stage: Stage, per_second: int, seconds: float) -> None:
    messaging = KafkaMessaging(stage.settings, "bench", SystemClock())
    began = time.monotonic()
    try:
        for number in range(int(per_second * seconds)):
            delay = began + number / per_second - time.monotonic()
            if delay > 0:
                time.sleep(delay)
            quantity = _EVENTS[number % len(_EVENTS)]
            messaging.publish(Topics.of(quantity).processed, _reading(quantity, number), key="bench")
        messaging.flush(30.0)
    finally:
        messaging.close()


def _reading(quantity: Quantity, number: int) -> SensorData:
    series = number // len(_EVENTS) % _SERIES_PER_QUANTITY
    now = time.time()
    return SensorData(
        sensor_id=f"{quantity}-{series}",
        data_type=quantity,
        value=0.3 + number % 7 / 100,
        unit=QUANTITIES[quantity].unit,
        timestamp=now,
        correlation_id=new_correlation_id(now),
        zone_id="bench",
        quality=Quality(verdict=Verdict.GOOD),
        raw_value=0.3,
    )


class Browser:
    """One client of the default namespace that acknowledges as the page does, and notes how old each reading was.

    It speaks the Socket.IO protocol (revision 5, on Engine.IO 4) by itself: twenty of the general Python clients would
    need more than the core that they share, and the figure would be theirs.
    """

    def __init__(self, url: str, delays: list[float]) -> None:
        self._delays = delays
        address = url.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
        self._socket = websocket.create_connection(address, timeout=60, origin=url)
        self._socket.recv()  # the server opens
        self._socket.send("40")  # join the default namespace
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Disconnect."""
        self._socket.shutdown()
        self._thread.join(5.0)

    def _listen(self) -> None:
        try:
            while text := self._socket.recv():
                self._take(str(text))
        except (OSError, websocket.WebSocketException):
            return  # closed by `close`

    def _take(self, text: str) -> None:
        if text == "2":  # ping, pong
            self._socket.send("3")
        if not text.startswith("42"):
            return
        begin = text.index("[")
        event, reading = json.loads(text[begin:])
        if text[2:begin]:  # the number under which an acknowledgement is asked for
            self._socket.send(f"43{text[2:begin]}[]")
        if event in _EVENTS:
            self._delays.append(time.time() - reading["timestamp"])


def main(url: str, browsers: int, seconds: float) -> None:
    """Be several browsers in one process; print `connected`, then all delays as JSON."""
    delays: list[float] = []
    clients = [Browser(url, delays) for _ in range(browsers)]
    print("connected", flush=True)
    done = threading.Event()
    done.wait(_WARM_UP_S)
    delays.clear()
    done.wait(seconds - _WARM_UP_S + 1.0)
    print(json.dumps(delays), flush=True)
    for client in clients:
        client.close()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
