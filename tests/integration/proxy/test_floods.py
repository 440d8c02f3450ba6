"""Floods: whatever a client or a container does, the proxy takes a bounded amount of memory and time, and serves on."""

from __future__ import annotations

import contextlib
import resource
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.integration.proxy.client import converse
from tests.integration.proxy.proxy_process import Proxy
from tests.integration.proxy.recorder import Recorder, recording
from tests.integration.proxy.response_judge import read_responses
from tests.integration.waiting import eventually

MIB = 2**20
FLOOD_MIB = 16
"""That the memory of the proxy may grow by in a flood of one client."""
GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
BLOCK = 2**16


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    with recording() as container:
        yield container


@pytest.fixture(scope="module")
def proxy(recorder: Recorder) -> Iterator[Proxy]:
    settings = {
        "DEQUEUER_HEAD_TIMEOUT": "1",
        "DEQUEUER_BODY_TIMEOUT": "1",
        "DEQUEUER_MAX_BODY_BYTES": "100000",
    }
    with Proxy(recorder.port, **settings) as process:
        process.wait_ready()
        serves(process)
        yield process


def serves(proxy: Proxy) -> None:
    """Check that it answers other clients."""
    received = converse(proxy.port, [LAST])
    [response] = read_responses(received.data, [b"GET"], is_closed=True)
    assert (response.status, response.body) == (200, b"GET /last")


@contextlib.contextmanager
def bounded(proxy: Proxy, mib: int = FLOOD_MIB) -> Iterator[None]:
    """Check how much memory the proxy takes in the block at most, and that it serves after it."""
    before_kib = proxy.reset_peak()
    yield
    serves(proxy)
    grown_kib = proxy.memory_kib("VmHWM") - before_kib
    assert grown_kib < mib * 1024, f"{grown_kib} KiB more than {before_kib} KiB"


def flood(port: int, begin: bytes, piece: bytes, *, limit: int = 64 * MIB) -> bytes:
    """Send `begin`, then `piece` again and again, until there is a response; return all that comes."""
    block = piece * (BLOCK // len(piece) + 1)
    received, sent = b"", 0
    with socket.create_connection(("127.0.0.1", port), 60) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(begin)
        while not select.select([connection], [], [], 0)[0]:
            assert sent < limit, f"{sent} bytes were taken"
            connection.sendall(block)
            sent += len(block)
        while data := connection.recv(BLOCK):
            received += data
    return received


POST = b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
FLOODS = {
    "fields": (GET[:-2], b"A: b\r\n", 431),
    "a field": (GET[:-2] + b"A: ", b"b", 431),
    "the name of a field": (GET[:-2], b"A", 431),
    "the target": (b"GET /", b"a", 414),
    "the method": (b"", b"A", 414),
    "spaces in a field": (GET[:-2] + b"A:", b" ", 431),
    "trailers": (POST + b"0\r\n", b"A: b\r\n", 400),
    "a trailer": (POST + b"0\r\nA: ", b"b", 400),
    "a chunk extension": (POST + b"1;", b"a", 400),
    "chunk extensions": (POST, b"1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n", 400),
    "the size of a chunk": (POST, b"0", 400),
    "chunks": (POST, b"1\r\nx\r\n", 413),
    "one chunk": (POST + b"fffffff\r\n", b"x", 413),
    "a body with a length": (b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n", b"x", 413),
}


@pytest.mark.parametrize(("begin", "piece", "status"), FLOODS.values(), ids=FLOODS)
def test_a_flood_is_refused_early(begin: bytes, piece: bytes, status: int, proxy: Proxy, recorder: Recorder) -> None:
    recorder.take()
    with bounded(proxy):
        data = flood(proxy.port, begin, piece)
    assert {request.target for request in recorder.take().requests} <= {b"/last"}
    # A flood can destroy the response: the kernel resets a connection that was closed with bytes unread.
    if data:
        [response] = read_responses(data, [b"POST"], is_closed=True)
        assert response.status == status


def until_cut(port: int, data: bytes, *, pause_s: float = 0) -> None:
    """Send again and again until the proxy closes."""
    ends = time.monotonic() + 60
    with socket.create_connection(("127.0.0.1", port), 60) as connection, contextlib.suppress(ConnectionError):
        while time.monotonic() < ends:
            connection.sendall(data)
            time.sleep(pause_s)
        raise AssertionError("the connection is still open")


def test_a_client_that_goes_on_after_it_was_refused_is_cut_off(proxy: Proxy) -> None:
    with bounded(proxy):
        until_cut(proxy.port, b"\0" * BLOCK)


def test_empty_lines_do_not_keep_a_connection_open(proxy: Proxy) -> None:
    with bounded(proxy):
        until_cut(proxy.port, b"\r\n" * 1000, pause_s=0.05)
        with socket.create_connection(("127.0.0.1", proxy.port), 60) as connection:
            drip(connection, b"\r\n" * 300)  # each line end in two reads


def drip(connection: socket.socket, data: bytes) -> bytes:
    """Send one byte after the other until the proxy closes; return what it has said."""
    connection.settimeout(0.1)
    received = b""
    for byte in data:
        with contextlib.suppress(ConnectionError, TimeoutError):
            connection.send(bytes([byte]))
        try:
            piece = connection.recv(BLOCK)
        except TimeoutError:
            continue
        except ConnectionError:
            return received
        received += piece
        if not piece:
            return received
    raise AssertionError(f"still open: {received!r}")


def test_a_slow_head_is_408(proxy: Proxy) -> None:
    with bounded(proxy), socket.create_connection(("127.0.0.1", proxy.port), 60) as connection:
        data = drip(connection, GET[:-2] + b"A: " + b"b" * 1000)
    [response] = read_responses(data, [b"GET"], is_closed=True)
    assert response.status == 408


def test_a_body_that_stops_is_408_and_reaches_the_container_in_part_only(proxy: Proxy, recorder: Recorder) -> None:
    recorder.take()
    with bounded(proxy):
        received = converse(proxy.port, [b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc"])
    [response] = read_responses(received.data, [b"POST"], is_closed=True)
    assert response.status == 408
    recording = recorder.take()
    assert [request.target for request in recording.requests] == [b"/last"]
    assert [reading.partial is not None and reading.partial.body for reading in recording.partial] == [b"abc"]


def test_connections_that_send_nothing_are_closed(proxy: Proxy) -> None:
    with bounded(proxy):
        clients = [socket.create_connection(("127.0.0.1", proxy.port), 60) for _ in range(50)]
        for client in clients:
            with client:
                assert client.recv(BLOCK) == b""


def test_a_body_above_the_limit_reaches_the_container_in_part_only(proxy: Proxy, recorder: Recorder) -> None:
    recorder.take()
    for data in (
        b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 100001\r\n\r\n" + bytes(100_001),
        POST + b"186a1\r\n" + bytes(100_001) + b"\r\n0\r\n\r\n",
    ):
        received = converse(proxy.port, [data + LAST])
        if received.data:
            [response] = read_responses(received.data, [b"POST"], is_closed=True)
            assert response.status == 413
    serves(proxy)
    assert {request.target for request in recorder.take().requests} == {b"/last"}


def test_a_body_of_the_limit_passes(proxy: Proxy, recorder: Recorder) -> None:
    recorder.take()
    received = converse(
        proxy.port,
        [b"POST /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n" + bytes(100_000)],
    )
    [response] = read_responses(received.data, [b"POST"], is_closed=True)
    assert response.status == 200
    [request] = recorder.take().requests
    assert request.body == bytes(100_000)


def test_thousands_of_requests_sent_ahead_are_answered_in_order(proxy: Proxy) -> None:
    count = 5000
    requests = b"".join(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % number for number in range(count)) + LAST
    with bounded(proxy):
        received = converse(proxy.port, [requests], timeout_s=120)
    responses = read_responses(received.data, [b"GET"] * (count + 1), is_closed=True)
    assert [response.body for response in responses] == [
        *(b"GET /%d" % number for number in range(count)),
        b"GET /last",
    ]


def never_reading(port: int, data: bytes, count: int) -> list[socket.socket]:
    """Open connections that send as much as is taken, and read nothing."""
    clients = []
    for _ in range(count):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", port))
        client.setblocking(False)
        clients.append(client)
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while client.send(data):
                pass
    return clients


def is_closed(client: socket.socket) -> bool:
    """Whether the other side has closed it, seen without reading."""
    try:
        client.send(b"x")
    except BlockingIOError:
        return False
    except OSError:
        return True
    return False


@pytest.mark.parametrize("body", [100, 60_000, 5_000_000], ids=["small", "medium", "large"])
def test_clients_that_never_read_are_closed(body: int, proxy: Proxy, recorder: Recorder) -> None:
    content = bytes(body)
    recorder.answer = lambda request: (
        [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nGET /last"]
        if request.target == b"/last"
        else [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (body, content)]
    )
    with bounded(proxy):
        clients = never_reading(proxy.port, GET * 100, 10 if body > 1000 else 1)
        eventually(lambda: all(is_closed(client) for client in clients), "clients that do not read to be closed")
    for client in clients:
        client.close()


@contextlib.contextmanager
def deaf() -> Iterator[int]:
    """A container that accepts connections and reads nothing."""
    accepted = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted.append(listener.accept()[0])

    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(30)
            for connection in accepted:
                connection.close()


def upload_until_stopped(port: int, count: int) -> tuple[list[socket.socket], int]:
    """Begin uploads; return their connections and how much was taken, when no more is."""
    head = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n"
    clients = [socket.create_connection(("127.0.0.1", port), 60) for _ in range(count)]
    for client in clients:
        client.sendall(head)
        client.setblocking(False)
    block, taken, quiet = bytes(BLOCK), 0, 0
    while quiet < 10:
        assert taken < 256 * MIB, f"{taken} bytes were taken"
        before = taken
        for client in clients:
            with contextlib.suppress(BlockingIOError):
                taken += client.send(block)
        quiet = quiet + 1 if taken == before else 0
        time.sleep(0.02 if quiet else 0)
    return clients, taken


@pytest.mark.parametrize(
    ("concurrency", "clients"), [("10", 10), ("1", 30)], ids=["a container that does not read", "a queue"]
)
def test_uploads_that_nobody_reads_are_not_kept(concurrency: str, clients: int) -> None:
    with deaf() as container, Proxy(container, DEQUEUER_MAX_CONCURRENCY=concurrency) as proxy:
        proxy.wait_ready()
        before_kib = proxy.reset_peak()
        connections, taken = upload_until_stopped(proxy.port, clients)
        grown_kib = proxy.memory_kib("VmHWM") - before_kib
        for connection in connections:
            connection.close()
    assert taken > clients * BLOCK
    assert grown_kib < 24 * 1024, f"{grown_kib} KiB for {clients} uploads"


@contextlib.contextmanager
def many_files(count: int) -> Iterator[None]:
    """Let this process, and those it starts, have so many files open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"the machine lets a process open {hard} files, and {count} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def hold(port: int, count: int, begin: Callable[[int], bytes]) -> list[socket.socket]:
    """Open connections that send something, and wait for nothing."""
    clients = []
    for number in range(count):
        client = socket.create_connection(("127.0.0.1", port), 60)
        data = begin(number)
        if data:
            client.sendall(data)
        clients.append(client)
    return clients


def test_ten_thousand_idle_connections_take_less_than_100_mib(recorder: Recorder) -> None:
    recorder.answer = lambda _: [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nGET /last"]
    count = 10_000
    # Half of them send nothing, and must be there until the last one is.
    settings = {"DEQUEUER_MAX_CONNECTIONS": str(count), "DEQUEUER_HEAD_TIMEOUT": "600"}
    with many_files(count + 1000), Proxy(recorder.port, **settings) as proxy:
        proxy.wait_ready()
        clients = hold(proxy.port, count, lambda number: GET if number % 2 else b"")
        try:
            eventually(lambda: proxy.get("/metrics")[1].count(f"dequeuer_proxy_connections {count}"), "all connections")
            # One more: the one that has been idle for longest makes room.
            serves(proxy)
            assert proxy.memory_kib("VmHWM") < 100 * 1024
        finally:
            for client in clients:
                client.close()


def test_thousands_of_unfinished_heads_take_a_bounded_amount_of_memory(recorder: Recorder) -> None:
    recorder.answer = lambda _: [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nGET /last"]
    count = 2000
    head = GET[:-2] + b"A: " + b"b" * 60_000
    with many_files(count + 1000), Proxy(recorder.port) as proxy:
        proxy.wait_ready()
        with bounded(proxy, 64):
            clients = []
            for _ in range(count):
                client = socket.create_connection(("127.0.0.1", proxy.port), 60)
                with contextlib.suppress(ConnectionError):
                    client.sendall(head)
                clients.append(client)
        for client in clients:
            client.close()
