"""A container that does not speak HTTP/1, as the target sees it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from dequeuer.container.target import HttpTarget
from dequeuer.core.errors import ContainerNotHttpError, ContainerUnavailableError, InvalidResponseError
from tests.container.test_target import Script, answering, container, read
from tests.fakes import chunked


class RecordingCheck:
    """`ProtocolCheck` that records what it is asked."""

    def __init__(self, verdict: str) -> None:
        self.is_proven = False
        self.judged: list[str] = []
        self._verdict = verdict

    def record_valid_response(self) -> None:
        self.is_proven = True

    async def judge_invalid_response(self, looks_like: str) -> str:
        self.judged.append(looks_like)
        return self._verdict


@asynccontextmanager
async def checked(script: Script, verdict: str) -> AsyncIterator[tuple[HttpTarget, RecordingCheck]]:
    async with container(script) as port:
        check = RecordingCheck(verdict)
        target = HttpTarget(port=port, timeout_s=60, protocol_check=check)
        try:
            yield target, check
        finally:
            await target.close()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (bytes.fromhex("15030100020246"), "TLS"),
        (b"\0\0\0\x04\0\0\0\0\0", "HTTP/2"),
        (b"-ERR unknown command\r\n", "Redis"),
        (b"HTTP/1.1 banana\r\n\r\n", "malformed HTTP/1"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: minus one\r\n\r\n", "malformed HTTP/1"),
        (b"my secret\r\n", "an unknown protocol"),
        (b"", ""),
    ],
)
@pytest.mark.parametrize("is_streamed", [False, True])
async def test_an_invalid_response_before_any_valid_one_is_judged_and_fails_no_request(
    raw: bytes, expected: str, is_streamed: bool
) -> None:
    async with checked(answering(raw, close=True), "what it is") as (target, check):
        with pytest.raises(ContainerNotHttpError, match="looks like what it is"):
            async with target.post("/", [], chunked(b"12345", 2) if is_streamed else b"12345", 5):
                pass
        assert check.judged == [expected]
        assert not check.is_proven


async def test_when_the_check_finds_nothing_the_request_fails_as_usual() -> None:
    async with checked(answering(b"garbage\r\n\r\n", close=True), "") as (target, _):
        with pytest.raises(InvalidResponseError):
            await read(target)
    async with checked(answering(b"", close=True), "") as (target, _):
        with pytest.raises(ContainerUnavailableError) as caught:
            await read(target)
        assert caught.value.can_end_message


async def test_after_a_valid_response_an_invalid_one_fails_its_own_request() -> None:
    async def script(head: bytes, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        valid = b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"
        writer.write(b"garbage\r\n\r\n" if b"POST /bad" in head else valid)

    async with checked(script, "what it is") as (target, check):
        assert (await read(target, b""))[0] == 404
        assert check.is_proven
        with pytest.raises(InvalidResponseError):
            async with target.post("/bad", [], b""):
                pass
        assert check.judged == []


async def test_a_malformed_body_is_no_sign_of_another_protocol() -> None:
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZZ"
    async with checked(answering(raw, close=True), "what it is") as (target, check):
        with pytest.raises((ContainerUnavailableError, InvalidResponseError)) as caught:
            await read(target)
        assert not isinstance(caught.value, ContainerNotHttpError)
        assert check.judged == []


async def test_a_port_without_a_listener_is_no_sign_of_another_protocol() -> None:
    async with container(answering(b"")) as port:
        pass
    check = RecordingCheck("what it is")
    target = HttpTarget(port=port, timeout_s=60, protocol_check=check)
    with pytest.raises(ContainerUnavailableError):
        await read(target)
    assert check.judged == []
    await target.close()


async def test_a_server_that_greets_is_known_by_its_greeting() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail ready\r\n")
        await writer.drain()
        await reader.read(1)
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    check = RecordingCheck("what it is")
    target = HttpTarget(port=server.sockets[0].getsockname()[1], timeout_s=30, protocol_check=check)
    with pytest.raises(ContainerNotHttpError):
        await read(target)
    assert check.judged == ["SMTP or FTP"]
    await target.close()
    server.close()
    await server.wait_closed()
