"""The wire between processes: rights, versions, breaks, refusals and edges."""

from __future__ import annotations

import os
import socket
import stat
import struct
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from dt.communication.wire import (
    PROTOCOL_VERSION,
    Direction,
    Ending,
    HostState,
    Link,
    NoAcknowledgeError,
    Pull,
    WireAwayError,
    WireClient,
    WireRefusedError,
    WireServer,
    WireVersionError,
)
from dt.simulator.board import BoxWire
from dt.simulator.box import Box
from dt.simulator.spec import BoxSpec
from dt.utils.clock import ManualClock

PUMP_PIN, BUTTON_PIN = 17, 22
Eventually = Callable[[Callable[[], object], str], None]


@pytest.fixture
def board(clock: ManualClock) -> BoxWire:
    """Return a box with its wiring."""
    return BoxWire(Box(BoxSpec(), clock.wall()), clock)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the socket is."""
    return tmp_path / "wire.sock"


@pytest.fixture
def server(board: BoxWire, path: Path) -> Iterator[WireServer]:
    """Return a running server of the box."""
    server = WireServer(board, path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(server: WireServer, path: Path) -> Iterator[WireClient]:
    """Return a client of that server."""
    client = WireClient(path)
    yield client
    client.close()


def answers(client: WireClient) -> bool:
    """Return whether a call goes through; the one under way when the other end goes may fail."""
    try:
        client.pin_read(PUMP_PIN)
    except WireAwayError:
        return False
    return True


def test_socket_is_for_its_owner_alone(server: WireServer, path: Path) -> None:
    """The socket's mode is 0600 whatever the umask."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_socket_disappears_when_the_server_stops(board: BoxWire, path: Path) -> None:
    """A stopped simulator leaves no socket behind."""
    server = WireServer(board, path)
    server.start()

    server.stop()

    assert not path.exists()


def test_client_reads_what_another_client_wrote(client: WireClient, path: Path, server: WireServer) -> None:
    """Several clients share one box at the same time."""
    other = WireClient(path)
    client.pin_setup(PUMP_PIN, Direction.OUT, Pull.NONE)

    client.pin_write(PUMP_PIN, True)

    assert other.pin_read(PUMP_PIN) is True
    other.close()


def test_many_threads_share_one_client(client: WireClient) -> None:
    """Answers reach the thread that asked."""
    lengths: list[int] = []

    def ask(count: int) -> None:
        lengths.extend(len(client.pulses(4, 1000, count)) - count for _ in range(30))

    threads = [threading.Thread(target=ask, args=(count,)) for count in (3, 11, 40, 81)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert lengths == [0] * 120


def test_missing_chip_is_errno_121_over_the_socket(client: WireClient) -> None:
    """What nobody acknowledges looks as on Linux, so that drivers understand it."""
    with pytest.raises(NoAcknowledgeError) as caught:
        client.i2c(0x77, b"\x00", 1)

    assert caught.value.errno == 121
    assert isinstance(caught.value, OSError)
    assert caught.value.address == 0x77


def test_refused_call_says_why_and_the_connection_stays(client: WireClient) -> None:
    """A wrong call is refused clearly; the next one works."""
    with pytest.raises(WireRefusedError, match="no pin 99") as caught:
        client.pin_read(99)

    assert caught.value.retriable is False
    assert client.pin_read(PUMP_PIN) is False


def test_absent_simulator_is_a_clear_retriable_error(path: Path) -> None:
    """Nobody at the socket: the error names it, may be retried, and is an OSError for drivers."""
    client = WireClient(path)

    with pytest.raises(WireAwayError, match="is the simulator running") as caught:
        client.pin_read(PUMP_PIN)

    assert caught.value.retriable is True
    assert isinstance(caught.value, OSError)
    assert str(path) in str(caught.value)


def test_client_works_again_after_the_simulator_restarted(board: BoxWire, path: Path, eventually: Eventually) -> None:
    """The client reconnects by itself: an error while the simulator is away, then answers again."""
    first = WireServer(board, path)
    first.start()
    client = WireClient(path)
    client.pin_read(PUMP_PIN)
    first.stop()
    with pytest.raises(WireAwayError):
        client.pin_read(PUMP_PIN)
    second = WireServer(board, path)
    second.start()

    eventually(lambda: answers(client), "the client answers again")

    client.close()
    second.stop()


def test_reconnected_client_repeats_set_ups_and_no_levels(
    path: Path, clock: ManualClock, eventually: Eventually
) -> None:
    """A box that restarted is off, and stays so until somebody writes a level."""
    old, new = (BoxWire(Box(BoxSpec(), clock.wall()), clock) for _ in range(2))
    first = WireServer(old, path)
    first.start()
    client = WireClient(path)
    client.pin_setup(PUMP_PIN, Direction.OUT, Pull.NONE)
    client.pin_write(PUMP_PIN, True)
    first.stop()
    second = WireServer(new, path)
    second.start()
    eventually(lambda: answers(client), "the client answers again")

    assert client.pin_read(PUMP_PIN) is False
    client.pin_write(PUMP_PIN, True)
    assert new.pin_read(PUMP_PIN) is True

    client.close()
    second.stop()


def test_level_stays_when_the_client_goes_away(
    client: WireClient, board: BoxWire, path: Path, eventually: Eventually
) -> None:
    """As on a Pi, a process that ends without a word leaves its pins as they are."""
    client.pin_setup(PUMP_PIN, Direction.OUT, Pull.NONE)
    client.pin_write(PUMP_PIN, True)

    client.close()

    assert board.pin_read(PUMP_PIN) is True


def test_closed_client_stays_closed(client: WireClient) -> None:
    """Closing is for good."""
    client.close()

    with pytest.raises(WireAwayError, match="closed"):
        client.pin_read(PUMP_PIN)


def test_edges_reach_every_client_that_asked(client: WireClient, board: BoxWire, eventually: Eventually) -> None:
    """A level that changes calls back with the new level, in order."""
    seen: list[bool] = []
    end = client.pin_edges(BUTTON_PIN, seen.append)

    board.push(BUTTON_PIN, True)
    board.push(BUTTON_PIN, False)
    eventually(lambda: seen == [True, False], "both edges arrived")
    end()
    board.push(BUTTON_PIN, True)
    client.pin_read(BUTTON_PIN)

    assert seen == [True, False]


def test_edge_callback_may_call_the_wire(client: WireClient, board: BoxWire, eventually: Eventually) -> None:
    """Callbacks run where a call can wait for its answer."""
    seen: list[bool] = []
    client.pin_edges(BUTTON_PIN, lambda _level: seen.append(client.pin_read(BUTTON_PIN)))

    board.push(BUTTON_PIN, True)

    eventually(lambda: seen == [True], "the callback read the pin")


def test_edges_come_again_after_a_restart_without_a_call(board: BoxWire, path: Path, eventually: Eventually) -> None:
    """Who only waits for edges is reconnected in the background."""
    first = WireServer(board, path)
    first.start()
    client = WireClient(path)
    seen: list[bool] = []
    client.pin_edges(BUTTON_PIN, seen.append)
    first.stop()
    second = WireServer(board, path)
    second.start()

    def pressed() -> bool:
        board.push(BUTTON_PIN, not board.pin_read(BUTTON_PIN))
        return bool(seen)

    eventually(pressed, "an edge arrived")
    client.close()
    second.stop()


def test_other_version_is_refused_clearly(server: WireServer, path: Path) -> None:
    """A client of another version gets an answer that names both versions, then nothing more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as raw:
        raw.settimeout(5.0)
        raw.connect(str(path))
        body = msgspec.msgpack.encode({"wire": PROTOCOL_VERSION + 1})
        raw.sendall(struct.pack(">I", len(body)) + body)
        answer = raw.recv(1000)
        end = raw.recv(1)

    hello = msgspec.msgpack.decode(answer[4:])
    assert hello["error"] == f"the box speaks wire version {PROTOCOL_VERSION}, the client {PROTOCOL_VERSION + 1}"
    assert end == b""


def test_client_refuses_a_box_of_another_version(path: Path) -> None:
    """The client says so too, and does not call it retriable."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                body = msgspec.msgpack.encode({"wire": 99})
                connection.sendall(struct.pack(">I", len(body)) + body)
                connection.recv(1)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(WireVersionError) as caught:
            WireClient(path).pin_read(PUMP_PIN)
        thread.join()

    assert caught.value.retriable is False


@pytest.mark.parametrize("garbage", [b"\xff" * 64, b"\x00\x00\x00\x05hello", os.urandom(200), b"\x00\x00\x00\x00"])
def test_garbage_ends_its_own_connection_alone(client: WireClient, path: Path, garbage: bytes) -> None:
    """Bytes that are no frame never reach the box, nor hurt another client."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as raw:
        raw.connect(str(path))
        raw.sendall(garbage)

    assert client.pin_read(PUMP_PIN) is False


def test_second_simulator_at_one_socket_is_refused(server: WireServer, board: BoxWire, path: Path) -> None:
    """Two boxes at one socket would be a riddle; the second says so."""
    with pytest.raises(WireRefusedError, match="another simulator"):
        WireServer(board, path).start()


def test_socket_of_a_dead_simulator_is_taken_over(board: BoxWire, path: Path) -> None:
    """Kill -9 leaves a socket file that nobody answers; the next start replaces it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    server = WireServer(board, path)

    server.start()

    client = WireClient(path)
    assert client.pin_read(PUMP_PIN) is False
    client.close()
    server.stop()


def test_too_long_a_path_is_refused_by_name(board: BoxWire, tmp_path: Path) -> None:
    """Unix sockets have short names; the error says which setting is too long."""
    with pytest.raises(WireRefusedError, match="WIRE_SOCKET"):
        WireServer(board, tmp_path / ("x" * 120)).start()


def test_picture_travels_whole(client: WireClient) -> None:
    """Answers of many kilobytes arrive as they were sent."""
    jpeg = client.capture(0)

    assert jpeg[:3] == b"\xff\xd8\xff"
    assert jpeg[-2:] == b"\xff\xd9"


def test_a_bus_that_hangs_is_a_time_out_and_delays_its_own_calls_alone(
    board: BoxWire, client: WireClient, clock: ManualClock
) -> None:
    """Error 110 as on Linux, also over the socket; pins and pictures are answered meanwhile."""
    board.order({"fault": "F9", "target": "seesaw-soil", "mode": "hang", "hang_s": 0.5})
    errors: list[OSError] = []

    def look() -> None:
        try:
            client.i2c(0x36, b"", 0)
        except OSError as error:
            errors.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    answers_meanwhile = [client.pin_read(PUMP_PIN) is False, bool(client.pulses(4, 1000, 81)), thread.is_alive()]
    thread.join(5.0)

    assert answers_meanwhile == [True, True, True]
    assert [error.errno for error in errors] == [110]


def test_what_befalls_the_host_travels(board: BoxWire, client: WireClient) -> None:
    """Nothing by default; an end is told once."""
    fine = client.host()
    board.order({"fault": "F15", "target": "host", "mode": "slow", "what": "broker", "delay_s": 3})
    board.order({"fault": "F16", "target": "host", "mode": "daylight_saving", "hours": -1})
    board.desk._is_one_process = False
    board.order({"fault": "F17", "target": "host", "mode": "kill"})
    told, again = client.host(), client.host()

    assert fine == HostState()
    assert (told.broker, told.database, told.delay_s, told.clock_shift_s) == (Link.SLOW, Link.UP, 3.0, -3600.0)
    assert (told.ending, again.ending) == (Ending.KILL, Ending.NONE)


def test_the_latest_jump_of_the_clock_counts(board: BoxWire, client: WireClient) -> None:
    """Daylight saving is added to it, and no clock shows a time before 1970."""
    now_s = board.box.now_s
    year_s = {year: datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in (1970, 2000)}
    shifts = []
    for order in (
        {"mode": "jump", "year": 2049, "since": now_s - 20.0},
        {"mode": "jump", "year": 2000, "since": now_s - 10.0},
        {"mode": "daylight_saving", "hours": -1},
        {"mode": "jump", "year": 1970, "since": now_s},
    ):
        board.order({"fault": "F16", "target": "host", **order})
        shifts.append(client.host().clock_shift_s)

    assert shifts[1:3] == [year_s[2000] - now_s + 10.0, year_s[2000] - now_s + 10.0 - 3600.0]
    assert shifts[0] > 0.0
    assert shifts[3] == pytest.approx(-now_s, abs=5.0)
