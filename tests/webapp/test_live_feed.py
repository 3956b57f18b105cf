"""The running dashboard seen by real Socket.IO clients."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import requests
import socketio
import websocket

from dt.communication.memory import MemoryMessaging
from dt.communication.topics import Topics
from dt.utils.dataclasses import Origin, SensorData
from dt.utils.quantities import Quantity, Unit
from dt.webapp.app import Dashboard

Eventually = Callable[[Callable[[], object], str], None]


class Page:
    """A Socket.IO client that keeps what it hears."""

    def __init__(self, namespace: str, *events: str) -> None:
        self.namespace = namespace
        self.heard: list[tuple[float, dict[str, Any]]] = []
        self.client = socketio.Client(reconnection=False)
        for event in events:
            self.client.on(event, self._hear, namespace=namespace)

    def connect(self, dashboard: Dashboard, transports: tuple[str, ...] = ("websocket",)) -> Page:
        self.client.connect(
            f"http://127.0.0.1:{dashboard.port}", namespaces=[self.namespace], transports=list(transports)
        )
        return self

    def values(self) -> list[float]:
        return [payload["value"] for _at, payload in list(self.heard)]

    def _hear(self, payload: dict[str, Any]) -> None:
        self.heard.append((time.monotonic(), payload))


@pytest.fixture
def page() -> Iterator[Callable[..., Page]]:
    """Return a function that makes clients; all are disconnected afterwards."""
    made: list[Page] = []

    def make(namespace: str, *events: str) -> Page:
        made.append(Page(namespace, *events))
        return made[-1]

    yield make
    for one in made:
        one.client.disconnect()
        one.client.eio.http = None


def _publish(
    messaging: MemoryMessaging,
    value: float,
    sensor: str = "dht-1",
    origin: Origin = Origin.LIVE,
    quantity: Quantity = Quantity.TEMPERATURE,
) -> SensorData:
    reading = SensorData(
        sensor_id=sensor,
        data_type=quantity,
        value=value,
        unit=Unit.DEGREE_CELSIUS,
        timestamp=time.time(),
        correlation_id="c-1",
        zone_id="box",
        origin=origin,
    )
    messaging.publish(Topics.of(quantity).processed, reading, key="box")
    return reading


def test_a_client_gets_the_latest_of_each_when_it_connects(
    dashboard: Dashboard, messaging: MemoryMessaging, page: Callable[..., Page], eventually: Eventually
) -> None:
    """The page is filled at once, by one value of each sensor."""
    for value in (20.0, 21.0):
        _publish(messaging, value, "dht-1")
        _publish(messaging, value + 10, "dht-2")
    eventually(lambda: len(_live(dashboard).get("temperature", [])) == 2, "both sensors are known")

    late = page("/temperature", "temperature").connect(dashboard)

    eventually(lambda: sorted(late.values()) == [21.0, 31.0], "the latest of both sensors is there")


def test_the_payload_is_the_message_on_both_namespaces(
    dashboard: Dashboard, messaging: MemoryMessaging, page: Callable[..., Page], eventually: Eventually
) -> None:
    """`/temperature` and the default namespace carry the same event."""
    own, everything = page("/temperature", "temperature"), page("/", "temperature")
    own.connect(dashboard)
    everything.connect(dashboard)

    reading = _publish(messaging, 22.5)

    for one in (own, everything):
        eventually(partial(_has_heard, one, 1), f"{one.namespace} heard it")
        assert SensorData.from_dict(one.heard[0][1]) == reading


def test_long_polling_clients_hear_the_same(
    dashboard: Dashboard, messaging: MemoryMessaging, page: Callable[..., Page], eventually: Eventually
) -> None:
    """A proxy that knows no web sockets is no obstacle."""
    one = page("/humidity", "humidity").connect(dashboard, ("polling",))

    _publish(messaging, 55.0, quantity=Quantity.HUMIDITY)

    eventually(lambda: one.values() == [55.0], "the value came by polling")
    dashboard.stop()  # else the client would sit out its last poll


def test_a_fast_sensor_is_thinned_and_its_last_value_arrives(
    dashboard: Dashboard, messaging: MemoryMessaging, page: Callable[..., Page], eventually: Eventually
) -> None:
    """A hundred values at once become two events: the first, and the newest."""
    one = page("/temperature", "temperature").connect(dashboard)
    _publish(messaging, 0.0)
    eventually(lambda: one.values() == [0.0], "the first value came at once")

    for value in range(1, 101):
        _publish(messaging, float(value))

    eventually(lambda: one.values()[-1] == 100.0, "the newest value came")
    assert len(one.heard) <= 4


def test_history_never_goes_out_as_live(
    dashboard: Dashboard, messaging: MemoryMessaging, page: Callable[..., Page], eventually: Eventually
) -> None:
    """A thousand backfilled readings before a live one are not heard."""
    one = page("/", "temperature").connect(dashboard)
    for value in range(1000):
        _publish(messaging, float(value), origin=Origin.BACKFILL)
    _publish(messaging, -1.0)

    eventually(lambda: one.values() == [-1.0], "the live one arrived alone")


def test_the_group_starts_at_the_end_of_the_log(
    start_dashboard: Callable[..., Dashboard],
    messaging: MemoryMessaging,
    page: Callable[..., Page],
    eventually: Eventually,
) -> None:
    """What was published before the dashboard started is history."""
    _publish(messaging, 1.0)
    dashboard = start_dashboard()
    one = page("/", "temperature").connect(dashboard)

    _publish(messaging, 2.0)

    eventually(lambda: one.values() == [2.0], "only the later one came")


def test_a_client_that_stops_reading_slows_nobody(
    dashboard: Dashboard, messaging: MemoryMessaging, page: Callable[..., Page], eventually: Eventually
) -> None:
    """It neither acknowledges nor grows the server, and the others get every value in time."""
    asleep = websocket.create_connection(f"ws://127.0.0.1:{dashboard.port}/socket.io/?EIO=4&transport=websocket")
    asleep.recv()
    asleep.send("40")
    asleep.recv()
    one = page("/", "temperature").connect(dashboard)

    delays = []
    for number in range(20):
        sent = time.monotonic()
        _publish(messaging, float(number), f"s{number}")
        eventually(partial(_has_heard, one, number + 1), "the reader heard it")
        delays.append(one.heard[-1][0] - sent)

    asleep.close()
    assert sorted(delays)[len(delays) // 2] < 0.15
    assert dashboard.health()["waiting_values"] in range(21)


def test_a_client_that_never_acknowledges_still_hears(dashboard: Dashboard, messaging: MemoryMessaging) -> None:
    """A browser script without acknowledgements gets a value a second instead of four."""
    client = websocket.create_connection(f"ws://127.0.0.1:{dashboard.port}/socket.io/?EIO=4&transport=websocket")
    client.recv()
    client.send("40/temperature,")
    client.recv()
    client.settimeout(10.0)

    _publish(messaging, 1.0)
    first = client.recv()
    _publish(messaging, 2.0)
    second = client.recv()

    client.close()
    assert '"value":1.0' in first
    assert '"value":2.0' in second


def test_above_the_limit_a_client_gets_503_and_polls(
    start_dashboard: Callable[..., Dashboard],
    messaging: MemoryMessaging,
    page: Callable[..., Page],
    eventually: Eventually,
) -> None:
    """The third of two is refused, told to come again, and finds the latest values at /api/live."""
    dashboard = start_dashboard(max_browsers=2)
    for _ in range(2):
        page("/", "temperature").connect(dashboard)

    answer = requests.get(f"http://127.0.0.1:{dashboard.port}/socket.io/?EIO=4&transport=polling", timeout=5)

    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    with pytest.raises(socketio.exceptions.ConnectionError):
        page("/", "temperature").connect(dashboard)
    _publish(messaging, 3.0)
    eventually(lambda: [r["value"] for r in _live(dashboard).get("temperature", [])] == [3.0], "polling shows it")


def test_a_place_is_free_again_when_a_client_leaves(
    start_dashboard: Callable[..., Dashboard], page: Callable[..., Page], eventually: Eventually
) -> None:
    """The limit counts who is there."""
    dashboard = start_dashboard(max_browsers=1)
    first = page("/", "temperature").connect(dashboard)

    first.client.disconnect()

    eventually(lambda: dashboard.health()["browsers"] == 0, "nobody is left")
    assert page("/", "temperature").connect(dashboard).client.connected


def test_a_foreign_page_cannot_listen(dashboard: Dashboard) -> None:
    """Without CORS_ORIGINS only the dashboard's own pages connect."""
    with pytest.raises(websocket.WebSocketBadStatusException):
        websocket.create_connection(
            f"ws://127.0.0.1:{dashboard.port}/socket.io/?EIO=4&transport=websocket", origin="http://evil.example"
        )


def test_stopping_with_clients_connected_takes_less_than_five_seconds(
    dashboard: Dashboard, page: Callable[..., Page]
) -> None:
    """No browser keeps the service alive."""
    for _ in range(3):
        page("/", "temperature").connect(dashboard)
    began = time.monotonic()

    dashboard.stop()

    assert time.monotonic() - began < 5.0


def _has_heard(page: Page, count: int) -> bool:
    return len(page.heard) == count


def _live(dashboard: Dashboard) -> dict[str, list[dict[str, Any]]]:
    answer = requests.get(f"http://127.0.0.1:{dashboard.port}/api/live", timeout=5)
    answer.raise_for_status()
    latest: dict[str, list[dict[str, Any]]] = answer.json()
    return latest
