"""What clients get when the container fails, as processes; `tests/proxy` has the same cases event by event."""

from __future__ import annotations

import asyncio
import json
import random
import re
import signal
import time
from pathlib import Path

import pytest

from dequeuer.core import clock
from dequeuer.proxy.exchange import RESEND_WITHIN_S
from tests.integration.proxy.containers import Container
from tests.integration.proxy.conversation import Conversation, converse
from tests.integration.proxy.proxy_process import Proxy
from tests.integration.proxy.stand import Stand, stand, threaded
from tests.integration.servers import free_port
from tests.integration.waiting import eventually
from tests.proxy.conftest import ContainerSide, answering, ok

GET = b"GET /status/404 HTTP/1.1\r\nHost: h\r\n\r\n"
PATIENT = {"DEQUEUER_READY_TIMEOUT": "90"}
"""Requests wait for a container that starts on a busy machine."""
POST = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"


def reason(fields: tuple[tuple[str, str], ...]) -> str:
    return dict(fields).get("X-Dequeuer-Reason", "")


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
def test_a_container_that_is_killed_and_restarted(server: str, tmp_path: Path) -> None:
    """Killed while it executes, in mid-response, and while its connections are idle; then another one takes its place."""
    with Container(server, tmp_path) as first, Proxy(first.port, **PATIENT) as proxy:
        first.wait_ready()
        proxy.wait_ready()
        with (
            Conversation(proxy.port) as executing,
            Conversation(proxy.port) as responding,
            Conversation(proxy.port) as responding_http10,
            Conversation(proxy.port) as idle,
        ):
            idle.send(GET)
            assert idle.answer().status == "404 Not Found"
            executing.send(b"GET /slow?seconds=600 HTTP/1.1\r\nHost: h\r\n\r\n")
            responding.send(b"GET /never HTTP/1.1\r\nHost: h\r\n\r\n")
            responding_http10.send(b"GET /never HTTP/1.0\r\n\r\n")
            for connection in (responding, responding_http10):
                assert connection.head()[0] == "200 OK"
            eventually(lambda: proxy.metric("dequeuer_proxy_executing") == 3, "three requests to be executed")
            # Until then a request on a connection that was idle counts as one that the container has not read.
            sent_at = time.monotonic()
            eventually(lambda: time.monotonic() - sent_at > RESEND_WITHIN_S, "the time to be over")
            first.kill()
            broken = executing.answer()
            assert (broken.status, reason(broken.fields)) == ("502 Bad Gateway", "upstream_broken")
            for connection in (responding, responding_http10):
                with pytest.raises(ConnectionError):  # not the end of a response
                    connection.exactly(1_000_000)
            # The client's connection survives. Requests wait for the container that takes the place of the first one.
            eventually(lambda: proxy.get("/healthz")[0] == 500, "the proxy to see that the container is gone")
            idle.send(POST.replace(b"POST /", b"POST /digest"))
            with Container(server, tmp_path, first.port) as second:
                second.wait_ready()
                answered = idle.answer()
                assert (answered.status, answered.body[:9]) == ("200 OK", b'{"size":2')
                assert converse(proxy.port, GET).status == "404 Not Found"


def test_a_container_that_hangs_is_504_and_goes_on(tmp_path: Path) -> None:
    with Container("uvicorn", tmp_path) as container, Proxy(container.port, DEQUEUER_REQUEST_TIMEOUT="1") as proxy:
        container.wait_ready()
        proxy.wait_ready()
        container.signal(signal.SIGSTOP)
        late = converse(proxy.port, GET)
        container.signal(signal.SIGCONT)
        assert (late.status, reason(late.fields)) == ("504 Gateway Timeout", "timeout")
        eventually(lambda: converse(proxy.port, GET).status == "404 Not Found", "the container to go on")


def test_a_container_that_hangs_fails_its_http_probe_and_requests_wait(tmp_path: Path) -> None:
    probes = tmp_path / "probes.json"
    port = free_port()
    probe = {"httpGet": {"path": "/status/200", "port": port}, "timeoutSeconds": 1, "periodSeconds": 1}
    probes.write_text(json.dumps({"api": {**probe, "failureThreshold": 1}}))
    with Container("uvicorn", tmp_path, port) as container, Proxy(port, DEQUEUER_PROBES_PATH=str(probes)) as proxy:
        container.wait_ready()
        proxy.wait_ready()
        container.signal(signal.SIGSTOP)
        eventually(lambda: proxy.get("/healthz")[0] == 500, "the probe to fail")
        with Conversation(proxy.port) as waiting:
            waiting.send(GET)
            eventually(lambda: proxy.metric("dequeuer_proxy_queued") == 1, "the request to wait")
            container.signal(signal.SIGCONT)
            assert waiting.answer().status == "404 Not Found"


def test_requests_before_the_container_listens_wait_for_it(tmp_path: Path) -> None:
    port = free_port()
    with Proxy(port, **PATIENT) as proxy, Conversation(proxy_started(proxy)) as early:
        early.send(POST.replace(b"POST /", b"POST /digest"))
        eventually(lambda: proxy.metric("dequeuer_proxy_queued") == 1, "the request to wait")
        assert proxy.get("/healthz") == (500, "unhealthy")
        with Container("uvicorn", tmp_path, port):
            assert early.answer().status == "200 OK"


def test_a_container_that_is_not_ready_in_time_is_503() -> None:
    with Proxy(free_port(), DEQUEUER_READY_TIMEOUT="1") as proxy:
        late = converse(proxy_started(proxy), GET)
        assert (late.status, reason(late.fields)) == ("503 Service Unavailable", "not_ready")
        assert dict(late.fields)["Retry-After"] == "1"


def proxy_started(proxy: Proxy) -> int:
    """Wait until it listens; return its port."""
    eventually(lambda: proxy.events("proxy_started"), "the proxy to start")
    return proxy.port


async def test_a_refused_connection_is_502(tmp_path: Path) -> None:
    """The probes aim at another port of the container, which still says that it is ready."""
    probes = tmp_path / "probes.json"
    async with stand(answering(ok())) as other:
        probes.write_text(json.dumps({"api": {"tcpSocket": {"port": other.container_port}}}))
        with Proxy(free_port(), DEQUEUER_PROBES_PATH=str(probes)) as proxy:
            await threaded(proxy.wait_ready)
            answer = await threaded(converse, proxy.port, POST)
            assert (answer.status, reason(answer.fields)) == ("502 Bad Gateway", "upstream_unreachable")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"", "upstream_broken"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "upstream_broken"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", "upstream_broken"),
        (b"hello\r\n", "upstream_malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "upstream_malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "upstream_malformed"),
    ],
)
@pytest.mark.parametrize("end", ["FIN", "RST"])
async def test_a_connection_that_ends_before_a_response_is_502_and_the_request_is_run_once(
    sent: bytes, expected: str, end: str
) -> None:
    async def serve(side: ContainerSide) -> None:
        await side.request()
        side.send(sent)
        await side.writer.drain()
        if end == "RST":
            side.writer.transport.abort()

    async with stand(serve) as running:
        answer = await threaded(converse, running.proxy.port, POST)
        assert (answer.status, reason(answer.fields)) == ("502 Bad Gateway", expected)
        assert len(running.requests) == 1


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nx",
    ],
)
@pytest.mark.parametrize("end", ["FIN", "RST"])
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_a_response_that_breaks_never_looks_whole(sent: bytes, end: str, version: bytes) -> None:
    async def serve(side: ContainerSide) -> None:
        await side.request()
        side.send(sent)
        await side.writer.drain()
        if end == "RST":
            await seen.wait()  # a reset discards what the proxy has not read yet
            side.writer.transport.abort()

    seen = asyncio.Event()
    async with stand(serve) as running:
        client = await running.ask(b"GET / HTTP/%b\r\nHost: h\r\n\r\n" % version)
        if end == "RST":
            await client.head()
            seen.set()
        assert await client.is_cut()


def no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock by which a request is too old to be sent again: a stalled machine may need longer than that."""
    now = clock.monotonic()
    monkeypatch.setattr(clock, "monotonic", lambda: now)


class Executed:
    """A container that counts how often it has executed each request, and closes its idle connections as it likes."""

    def __init__(self, seed: int) -> None:
        self.times: dict[bytes, int] = {}
        self._random = random.Random(seed)

    async def __call__(self, side: ContainerSide) -> None:
        while True:
            request = await side.request()
            name = re.match(rb"[A-Z]+ /([0-9]+) ", request)
            assert name is not None
            self.times[name[1]] = self.times.get(name[1], 0) + 1
            side.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            if self._random.random() < 0.5:
                await asyncio.sleep(self._random.choice((0, 0.0005, 0.002, 0.005)))
                return  # unread bytes would turn the FIN into a reset


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_idle_connections_that_the_container_closes_at_any_moment(
    method: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GETs succeed. POSTs are executed once at most, and succeed but where the FIN crossed them."""
    no_time_passes(monkeypatch)
    container = Executed(20261127)

    async def ask(running: Stand, first: int) -> None:
        numbers = random.Random(first)
        client = await running.connect()
        for number in range(first, first + 100):
            await client.send(b"%b /%d HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n" % (method, number))
            head = await client.head()
            if b"\r\nContent-Length: 0\r\n" not in head:
                await client.exactly(int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0]))
            statuses[b"%d" % number] = int(head[9:12])
            await asyncio.sleep(numbers.choice((0, 0, 0.001, 0.003, 0.006)))

    statuses: dict[bytes, int] = {}
    async with stand(container) as running, asyncio.TaskGroup() as group:
        for worker in range(8):
            group.create_task(ask(running, worker * 100))
    assert len(statuses) == 800
    if method == b"GET":
        assert set(statuses.values()) == {200}
    else:
        assert set(statuses.values()) <= {200, 502}
        assert max(container.times.values()) == 1
    assert all(container.times[number] >= 1 for number, status in statuses.items() if status == 200)


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_an_idle_connection_that_is_closed_instead_of_a_response(
    method: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_time_passes(monkeypatch)

    async def serve(side: ContainerSide) -> None:
        while True:
            await side.request()
            if len(running.requests) == 2:
                return
            side.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with stand(serve) as running:
        client = await running.connect()
        for _ in range(2):
            await client.send(b"%b / HTTP/1.1\r\nHost: h\r\n\r\n" % method)
            head = await client.head()
        assert len(running.requests) == (3 if method == b"GET" else 2)
        assert head[9:12] == (b"200" if method == b"GET" else b"502")


async def test_a_post_succeeds_when_the_idle_connection_was_closed_before() -> None:
    async def serve(side: ContainerSide) -> None:
        await side.request()
        side.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with stand(serve) as running:
        client = await running.connect()
        for _ in range(20):
            await client.send(POST)
            assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        assert len(running.requests) == 20


async def one_byte_at_a_time(side: ContainerSide) -> None:
    await side.request()
    for byte in b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\nX-Sum: 1\r\n\r\n":
        side.send(bytes([byte]))
        await side.writer.drain()
        await asyncio.sleep(0.001)
    await side.until_closed()


async def test_a_container_that_writes_byte_by_byte() -> None:
    async with stand(one_byte_at_a_time) as running:
        answer = await threaded(converse, running.proxy.port, POST)
        assert (answer.status, answer.body, answer.trailers) == ("200 OK", b"abcd", (("X-Sum", "1"),))
