import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from dequeuer.container.target import HttpTarget
from dequeuer.core.errors import (
    ContainerTimeoutError,
    ContainerUnavailableError,
    InvalidInputError,
    InvalidResponseError,
    StoreUnavailableError,
)
from tests.fakes import chunked
from tests.jumping_clock import jumping_clock
from tests.tcp_server import aborting, tcp_server

Script = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def container(script: Script, host: str = "127.0.0.1") -> AbstractAsyncContextManager[int]:
    """Run a server that passes the head of each request to `script`, as it was sent."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            await script(head, reader, writer)
            await writer.drain()

    return tcp_server(aborting(serve), host)


def answering(raw: bytes, *, close: bool = False) -> Script:
    async def script(_head: bytes, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        if close:
            await writer.drain()
            writer.close()

    return script


@asynccontextmanager
async def target_for(script: Script, timeout_s: float = 60) -> AsyncIterator[HttpTarget]:
    async with container(script) as port:
        target = HttpTarget(port=port, timeout_s=timeout_s)
        try:
            yield target
        finally:
            await target.close()


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


async def read(target: HttpTarget, body: bytes = b"x") -> tuple[int, bytes]:
    async with target.post("/", [], body) as answer:
        return answer.status, b"".join([chunk async for chunk in answer.chunks()])


async def test_sends_what_was_given_and_adds_nothing_but_host_and_length() -> None:
    heads: list[bytes] = []
    bodies: list[bytes] = []

    async def script(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        bodies.append(await reader.readexactly(5))
        writer.write(OK)

    headers = [("content-type", "image/png"), ("X-Twice", "1"), ("x-twice", "2"), ("X-Empty", "")]
    async with target_for(script) as target:
        async with target.post("/", headers, b"12345") as answer:
            assert answer.status == 200
        async with target.post("/", headers, chunked(b"12345", 2), 5):
            pass
    lines = [sorted(head.decode().split("\r\n")) for head in heads]
    assert lines[0] == lines[1]
    assert [line for line in lines[0] if line and not line.startswith("Host: 127.0.0.1:")] == [
        "Content-Length: 5",
        "POST / HTTP/1.1",
        "X-Empty: ",
        "X-Twice: 1",
        "content-type: image/png",
        "x-twice: 2",
    ]
    assert bodies == [b"12345", b"12345"]


async def test_an_empty_body_has_a_length_and_no_type() -> None:
    heads: list[bytes] = []

    async def script(head: bytes, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(OK)

    async with target_for(script) as target:
        await read(target, b"")
    assert b"Content-Length: 0" in heads[0]
    assert b"Content-Type" not in heads[0]


async def test_redirects_are_not_followed() -> None:
    redirect = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    async with target_for(answering(redirect)) as target:
        assert await read(target) == (302, b"")


async def test_a_compressed_response_is_decoded() -> None:
    packed = gzip.compress(b'{"a": 1}')
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    async with target_for(answering(head + packed)) as target, target.post("/", [], b"") as answer:
        assert answer.size is None
        assert b"".join([chunk async for chunk in answer.chunks()]) == b'{"a": 1}'


async def test_what_cannot_be_decoded_is_an_invalid_response() -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"
    async with target_for(answering(raw)) as target:
        with pytest.raises(InvalidResponseError):
            await read(target)


async def test_a_port_without_a_listener_is_unavailable() -> None:
    async with container(answering(OK)) as port:
        pass
    calls: list[int] = []
    target = HttpTarget(port=port, timeout_s=60, on_unreachable=lambda: calls.append(port))
    with pytest.raises(ContainerUnavailableError):
        await read(target)
    assert calls == [port]
    await target.close()


async def test_a_broken_connection_is_not_reported_as_unreachable() -> None:
    calls: list[int] = []
    async with container(answering(b"", close=True)) as port:
        target = HttpTarget(port=port, timeout_s=60, on_unreachable=lambda: calls.append(port))
        with pytest.raises(ContainerUnavailableError):
            await read(target)
        assert calls == []
        await target.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
    ],
)
async def test_a_connection_that_breaks_before_the_response_is_complete_is_unavailable(raw: bytes) -> None:
    async with target_for(answering(raw, close=True)) as target:
        with pytest.raises(ContainerUnavailableError):
            await read(target)


@pytest.mark.parametrize(
    "raw",
    [
        b"this is not HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Flood: " + b"a" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: minus one\r\n\r\n",
    ],
)
async def test_a_response_that_is_not_http_is_invalid(raw: bytes) -> None:
    async with target_for(answering(raw, close=True)) as target:
        with pytest.raises(InvalidResponseError):
            await read(target)


async def test_the_text_of_an_error_quotes_nothing_of_the_response() -> None:
    async with target_for(answering(b"my secret payload\r\n\r\n", close=True)) as target:
        with pytest.raises(InvalidResponseError) as caught:
            await read(target)
    assert "secret" not in str(caught.value)


async def test_a_discarded_response_is_read_to_its_end_and_not_decoded() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n"
    async with target_for(answering(head + b"nope")) as target, target.post("/", [], b"") as answer:
        await answer.discard()
    async with target_for(answering(head + b"no", close=True)) as target, target.post("/", [], b"") as answer:
        with pytest.raises(ContainerUnavailableError):
            await answer.discard()


async def test_a_server_that_sends_before_a_request_does_not_cause_endless_connections() -> None:
    dialled = 0

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal dialled
        dialled += 1
        writer.write(b"220 hello\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    target = HttpTarget(port=server.sockets[0].getsockname()[1], timeout_s=30)
    try:
        for _ in range(5):
            with pytest.raises((ContainerUnavailableError, InvalidResponseError)):
                await read(target)
        assert dialled <= 10
    finally:
        await target.close()
        server.close()
        await server.wait_closed()


async def silent(_head: bytes, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def test_no_response_in_time() -> None:
    async with target_for(silent, timeout_s=0.1) as target:
        with pytest.raises(ContainerTimeoutError, match=r"0\.1 s"):
            await read(target)


async def test_a_response_that_arrives_slowly_ends_with_the_timeout() -> None:
    async def drip(_head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not reader.at_eof():
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with target_for(drip, timeout_s=0.3) as target:
        with pytest.raises(ContainerTimeoutError):
            await read(target)


async def test_time_that_the_reader_takes_does_not_count_against_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    jump = jumping_clock(monkeypatch)
    async with target_for(answering(OK)) as target, target.post("/", [], b"") as answer:
        # The reader waits (for the store, for example) for longer than the request's time.
        jump(100)
        await asyncio.sleep(0.1)
        assert b"".join([chunk async for chunk in answer.chunks()]) == b"{}"


async def test_time_that_the_payload_takes_does_not_count_against_the_container(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jump = jumping_clock(monkeypatch)

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(5):
            jump(20)  # more than the request's time in all
            await asyncio.sleep(0.02)
            yield b"1"

    async def script(_head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(5)
        writer.write(OK)

    async with target_for(script) as target, target.post("/", [], slow(), 5) as answer:
        assert b"".join([chunk async for chunk in answer.chunks()]) == b"{}"


async def test_after_the_payload_the_container_s_time_runs() -> None:
    async with target_for(silent, timeout_s=0.2) as target:
        with pytest.raises(ContainerTimeoutError):
            async with target.post("/", [], chunked(b"12345", 1), 5):
                pass


async def test_a_payload_that_cannot_be_read_is_not_the_container_s_fault() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise StoreUnavailableError("the store went away")

    async with target_for(silent) as target:
        with pytest.raises(StoreUnavailableError, match="went away"):
            async with target.post("/", [], broken(), 100):
                pass


async def test_cancellation_closes_the_connection() -> None:
    closed = asyncio.Event()
    asked = asyncio.Event()

    async def script(_head: bytes, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        closed.set()

    async with target_for(script) as target:
        task = asyncio.create_task(read(target, b""))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(closed.wait(), 60)


async def test_connections_are_kept_between_requests() -> None:
    connections, ended = 0, asyncio.Event()

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(OK)
        except asyncio.IncompleteReadError:
            writer.close()
            await writer.wait_closed()
            ended.set()

    server = await asyncio.start_server(count, "127.0.0.1", 0)
    async with server:
        target = HttpTarget(port=server.sockets[0].getsockname()[1], timeout_s=60)
        for _ in range(3):
            assert await read(target, b"") == (200, b"{}")
        await target.close()
        await ended.wait()
    assert connections == 1


async def test_a_response_before_the_payload_was_read_counts() -> None:
    is_closed = False

    async def refuse(_head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await reader.read()

    async def endless() -> AsyncIterator[bytes]:
        nonlocal is_closed
        try:
            while True:
                yield bytes(64 * 1024)
        finally:
            is_closed = True

    async with target_for(refuse) as target, target.post("/", [], endless(), 1 << 40) as answer:
        assert answer.status == 413
    assert is_closed


class EarlyContainer:
    """Responds to each head at once and keeps the connection: it would take the rest of a body for further requests."""

    def __init__(self, status: int) -> None:
        self._answer = OK.replace(b"200 OK", b"%d X" % status)
        self._writers: list[asyncio.StreamWriter] = []
        self.seen: list[bytes] = []
        self.answered = asyncio.Event()

    @property
    def connections(self) -> int:
        return len(self._writers)

    async def __call__(self, head: bytes, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if writer not in self._writers:
            self._writers.append(writer)
        self.seen.append(head)
        writer.write(self._answer)
        await writer.drain()
        self.answered.set()


@asynccontextmanager
async def early(status: int = 200) -> AsyncIterator[tuple[EarlyContainer, HttpTarget]]:
    served = EarlyContainer(status)
    async with target_for(served) as target:
        yield served, target


async def test_a_payload_that_fails_after_the_response_came_leaves_nothing_for_the_next_request() -> None:
    async with early() as (served, target):

        async def broken() -> AsyncIterator[bytes]:
            yield b"first part"
            await served.answered.wait()
            await asyncio.sleep(0.05)  # the response is on its way
            raise StoreUnavailableError("the store went away")

        with pytest.raises(StoreUnavailableError):
            async with target.post("/", [], broken(), 1_000_000):
                pass
        assert (await read(target, b""))[0] == 200
        assert served.connections == 2
        assert served.seen[1].startswith(b"POST / HTTP/1.1\r\n")


async def test_work_cancelled_after_the_response_came_leaves_nothing_for_the_next_request() -> None:
    async with early() as (served, target):

        async def endless() -> AsyncIterator[bytes]:
            yield b"first part"
            await asyncio.Event().wait()

        async def post() -> None:
            async with target.post("/", [], endless(), 1_000_000):
                pass

        posting = asyncio.create_task(post())
        await served.answered.wait()
        await asyncio.sleep(0.05)  # the response is on its way
        posting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await posting
        assert (await read(target, b""))[0] == 200
        assert served.connections == 2
        assert served.seen[1].startswith(b"POST / HTTP/1.1\r\n")


@pytest.mark.parametrize("status", [302, 400, 404, 413, 500, 503])
async def test_a_response_that_leaves_the_body_unread_does_not_affect_the_next_request(status: int) -> None:
    async with early(status) as (served, target):
        for _ in range(3):
            assert (await read(target, b"x" * 1000))[0] == status
        assert served.connections == 3
        assert all(head.startswith(b"POST / HTTP/1.1\r\n") for head in served.seen)


async def test_a_payload_that_was_sent_whole_keeps_the_connection() -> None:
    dialled: set[int] = set()

    async def script(_head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        dialled.add(id(writer))
        await reader.readexactly(200_000)
        writer.write(OK)

    async with target_for(script) as target:
        for _ in range(3):
            async with target.post("/", [], chunked(b"x" * 200_000), 200_000) as answer:
                await answer.discard()
    assert len(dialled) == 1


@pytest.mark.parametrize(
    "framing", ["Content-Length: 2\r\n\r\n{}", "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"]
)
@pytest.mark.parametrize("between", ["\r\nServer: x\r\ncontent-type: ", ", "])
async def test_a_repeated_content_type_is_the_same_with_any_spelling_and_framing(framing: str, between: str) -> None:
    raw = f"HTTP/1.1 200 OK\r\nContent-Type: text/html{between}application/json\r\n{framing}".encode()
    async with target_for(answering(raw)) as target, target.post("/", [], b"") as answer:
        assert answer.content_type == "text/html, application/json"


@pytest.mark.parametrize("size", [4, 6])
async def test_a_payload_of_another_size_than_announced_is_not_the_container_s_fault(size: int) -> None:
    async with target_for(silent) as target:
        with pytest.raises(StoreUnavailableError, match="the payload is"):
            async with target.post("/", [], chunked(b"12345", 2), size):
                pass


async def test_a_container_that_reads_nothing_times_out() -> None:
    is_over = asyncio.Event()

    async def deaf(_head: bytes, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await is_over.wait()
        await reader.read()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(64 * 1024)

    async with target_for(deaf, timeout_s=0.3) as target:
        with pytest.raises(ContainerTimeoutError):
            async with target.post("/", [], endless(), 1 << 40):
                pass
        is_over.set()


@pytest.mark.parametrize(
    "headers",
    [
        [("X-A", "1\r\nX-B: 2")],
        [("X-A", "1\n")],
        [("X\r\nA", "1")],
        [("X-A", "1\r")],
        [("X-A", "\0")],
        [("X-A", "\ud800")],
    ],
)
async def test_a_header_value_cannot_add_another_header(headers: list[tuple[str, str]]) -> None:
    async with target_for(answering(OK)) as target:
        with pytest.raises(InvalidInputError):
            async with target.post("/", headers, b""):
                pass
