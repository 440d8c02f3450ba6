"""Signed requests, seen from the server."""

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate

import pytest

from dequeuer.aws.credentials.renewal import CredentialsCache, FrozenKeys
from dequeuer.aws.endpoint import AwsEndpoint, Request, origin_of
from dequeuer.aws.signing import Signer
from dequeuer.core import clock
from dequeuer.core.errors import ConfigurationError, CredentialsMissingError
from dequeuer.http.errors import ConnectionBrokenError, HttpTransportError
from dequeuer.http.response import Response
from tests.aws.test_signing import Keys
from tests.http.canned import ClientConnection, RunningServer, Script, ok, serving

HOUR_S = 3600


class Chain:
    def __init__(self, keys: FrozenKeys | None = None) -> None:
        self._keys = keys or Keys("AKID", "secret", "token")

    async def get_frozen_credentials(self) -> FrozenKeys:
        return self._keys


@asynccontextmanager
async def endpoint(script: Script, chain: Chain | None = None) -> AsyncIterator[tuple[AwsEndpoint, RunningServer]]:
    async with serving(script) as server:
        made = AwsEndpoint(server.origin, Signer("s3", "eu-west-1"), CredentialsCache(chain or Chain()))
        try:
            yield made, server
        finally:
            await made.close()


@asynccontextmanager
async def opened(made: AwsEndpoint) -> AsyncIterator[Response]:
    answer = await made.stream(put())
    try:
        yield answer
    finally:
        made.release(answer)


def put(body: bytes = b"hello") -> Request:
    return Request(method="PUT", path="/b/k", body=body, fields=(("content-type", "text/plain"),), timeout_s=20)


async def fine(client: ClientConnection) -> None:
    while await client.read_request():
        await client.send(ok(b"yes"))


def refusing_until_corrected(body: bytes, off_s: float, hold: Callable[[], Awaitable[object]] | None = None) -> Script:
    """Return a script: a server whose clock is `off_s` ahead refuses signatures with another time.

    `hold`: awaited before each response.
    """

    async def script(client: ClientConnection) -> None:
        while head := await client.read_request():
            if hold is not None:
                await hold()
            stamp = re.search(r"x-amz-date:(\S+)", head)
            assert stamp
            now = time.time() + off_s
            signed = time.strptime(stamp[1] + "+0000", "%Y%m%dT%H%M%SZ%z")
            if abs(now - (time.mktime(signed) - time.timezone)) < 300:
                await client.send(ok(b"yes"))
                continue
            date = f"Date: {formatdate(now, usegmt=True)}"
            lines = ["HTTP/1.1 403 Forbidden", f"Content-Length: {len(body)}", date]
            await client.send("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body)

    return script


async def test_what_is_sent_is_one_well_formed_request() -> None:
    async with endpoint(fine) as (made, server):
        reply = await made.send(put(), limit=100)
        assert (reply.status, reply.body) == (200, b"yes")
        [head] = server.heads
        lines = head.split("\r\n")
        assert lines[0] == "PUT /b/k HTTP/1.1"
        fields = dict(line.split(":", 1) for line in lines[1 : lines.index("")])
        assert fields["host"] == server.origin.authority
        assert fields["content-length"] == "5"
        assert fields["x-amz-security-token"] == "token"
        assert fields["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
        signed = "SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"
        assert signed in fields["authorization"]
        assert lines[-1] == "hello"
        assert "secret" not in head


async def test_an_answer_can_be_streamed() -> None:
    async with endpoint(fine) as (made, _), opened(made) as answer:
        assert (answer.status, await answer.read(10, 20)) == (200, b"yes")


@pytest.mark.parametrize("off_s", [-HOUR_S, HOUR_S])
@pytest.mark.parametrize(
    "body",
    [
        b"<Error><Code>RequestTimeTooSkewed</Code></Error>",
        b'{"__type":"InvalidSignatureException","message":"Signature expired: 2013 is now earlier than 2014"}',
    ],
)
async def test_a_clock_that_is_wrong_is_corrected_once_for_all(body: bytes, off_s: float) -> None:
    async with endpoint(refusing_until_corrected(body, off_s)) as (made, server):
        assert [(await made.send(put(), limit=1000)).body for _ in range(3)] == [b"yes"] * 3
        assert len(server.heads) == 4
    async with endpoint(refusing_until_corrected(body, off_s)) as (made, server):
        for _ in range(3):
            async with opened(made) as answer:
                assert answer.status == 200
        assert len(server.heads) == 4


@pytest.mark.parametrize("off_s", [-HOUR_S, HOUR_S])
@pytest.mark.parametrize("body", [b"<Error><Code>RequestTimeTooSkewed</Code></Error>", b""])
@pytest.mark.parametrize("streamed", [True, False])
async def test_all_requests_of_the_moment_in_which_a_clock_is_corrected_are_sent_again(
    off_s: float, body: bytes, streamed: bool
) -> None:
    everybody = asyncio.Barrier(50)
    held = 0

    async def hold() -> None:
        # The first fifty get their responses together, after all of them were signed with the wrong time.
        nonlocal held
        held += 1
        if held <= 50:
            await everybody.wait()

    async def ask(made: AwsEndpoint) -> int:
        if not streamed:
            return (await made.send(put(), limit=1000)).status
        async with opened(made) as answer:
            return answer.status

    async with endpoint(refusing_until_corrected(body, off_s, hold)) as (made, server):
        assert set(await asyncio.gather(*[ask(made) for _ in range(50)])) == {200}
        assert len(server.heads) == 100
        assert await ask(made) == 200
        assert len(server.heads) == 101


@pytest.mark.parametrize("jump_s", [-HOUR_S, HOUR_S])
async def test_a_clock_that_is_set_right_while_a_request_is_under_way(
    monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    right = clock.wall
    monkeypatch.setattr(clock, "wall", lambda: right() + jump_s)

    async def hold() -> None:
        monkeypatch.setattr(clock, "wall", right)

    async with endpoint(refusing_until_corrected(b"RequestTimeTooSkewed", 0.0, hold)) as (made, server):
        assert (await made.send(put(), limit=1000)).status == 200
        assert len(server.heads) == 2


async def test_a_streamed_refusal_for_another_reason_is_returned_completely_with_any_clock() -> None:
    async def refuse(client: ClientConnection) -> None:
        while await client.read_request():
            date = f"Date: {formatdate(time.time() + HOUR_S, usegmt=True)}"
            body = b"<Error><Code>AccessDenied</Code></Error>"
            head = f"HTTP/1.1 403 Forbidden\r\nContent-Length: {len(body)}\r\n{date}\r\n\r\n"
            await client.send(head.encode(), body)

    async with endpoint(refuse) as (made, server):
        async with opened(made) as answer:
            assert (answer.status, await answer.read(1000, 5)) == (403, b"<Error><Code>AccessDenied</Code></Error>")
        async with opened(made) as answer:
            assert b"".join([chunk async for chunk in answer.chunks(5)]) == b"<Error><Code>AccessDenied</Code></Error>"
        assert len(server.heads) == 2


async def test_a_streamed_refusal_that_breaks_off_keeps_its_status() -> None:
    async def refuse(client: ClientConnection) -> None:
        await client.read_request()
        await client.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nshort")

    async with endpoint(refuse) as (made, server):
        async with opened(made) as answer:
            assert answer.status == 403
            with pytest.raises(ConnectionBrokenError):
                await answer.read(1000, 5)
        assert len(server.heads) == 1


class Rotated(Chain):
    """Returns other keys each time: AKID1, AKID2 ..."""

    count = 0

    async def get_frozen_credentials(self) -> FrozenKeys:
        self.count += 1
        return Keys(f"AKID{self.count}", "secret", "token")


def refusing_the_first_keys(status: int, body: bytes) -> Script:
    async def script(client: ClientConnection) -> None:
        while head := await client.read_request():
            if "Credential=AKID1/" in head:
                await client.send(f"HTTP/1.1 {status} No\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            else:
                await client.send(ok(b"yes"))

    return script


@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize(
    "body",
    [
        b"<Error><Code>ExpiredToken</Code></Error>",
        b"<Error><Code>InvalidAccessKeyId</Code></Error>",
        b"<Error><Code>SignatureDoesNotMatch</Code></Error>",
        b'{"__type":"com.amazon.coral.service#ExpiredTokenException"}',
        b'{"__type":"com.amazon.coral.service#UnrecognizedClientException"}',
        b'{"__type":"com.amazon.coral.service#InvalidSignatureException","message":"The signature does not match"}',
        b'{"__type": "InvalidClientTokenId"}',
    ],
)
@pytest.mark.parametrize("streamed", [True, False])
async def test_a_request_with_keys_that_have_expired_is_sent_again_with_new_ones(
    status: int, body: bytes, streamed: bool
) -> None:
    async def ask(made: AwsEndpoint) -> int:
        if not streamed:
            return (await made.send(put(), limit=1000)).status
        async with opened(made) as answer:
            return answer.status

    async with endpoint(refusing_the_first_keys(status, body), Rotated()) as (made, _):
        assert set(await asyncio.gather(*[ask(made) for _ in range(20)])) == {200}


@pytest.mark.parametrize(
    ("script", "chain"),
    [
        (refusing_until_corrected(b"RequestTimeTooSkewed", HOUR_S), Chain()),
        (refusing_the_first_keys(400, b"<Error><Code>ExpiredToken</Code></Error>"), Rotated()),
        (refusing_the_first_keys(403, b"<Error><Code>InvalidAccessKeyId</Code></Error>"), Rotated()),
    ],
    ids=["clock", "expired keys", "unknown keys"],
)
async def test_an_upload_corrects_clock_and_keys_and_is_to_be_tried_again(script: Script, chain: Chain) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"hello"

    async def upload(made: AwsEndpoint) -> int:
        request = Request(method="PUT", path="/b/k", timeout_s=20)
        return (await made.upload(request, body(), length=5, body_hash="UNSIGNED-PAYLOAD", limit=1000)).status

    async with endpoint(script, chain) as (made, server):
        with pytest.raises(HttpTransportError, match="out of date"):
            await upload(made)
        assert await upload(made) == 200
        assert len(server.heads) == 2


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidAccessKeyId"])
async def test_keys_that_stay_expired_are_reported_as_expired(code: str) -> None:
    body = f"<Error><Code>{code}</Code></Error>".encode()

    async def refuse(client: ClientConnection) -> None:
        while await client.read_request():
            await client.send(b"HTTP/1.1 400 No\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    chain = Chain()
    async with endpoint(refuse, chain) as (made, server):
        for _ in range(10):
            assert (await made.send(put(), limit=1000)).body == body
        assert len(server.heads) == 10


async def test_another_refusal_is_reported_and_not_retried() -> None:
    async def refuse(client: ClientConnection) -> None:
        while await client.read_request():
            date = formatdate(time.time(), usegmt=True)
            lines = f"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nDate: {date}\r\n\r\n"
            await client.send(lines.encode())

    async with endpoint(refuse) as (made, server):
        assert (await made.send(put(), limit=100)).status == 403
        async with opened(made) as answer:
            assert answer.status == 403
        assert len(server.heads) == 2


@pytest.mark.parametrize("date", ["", "Date: yesterday\r\n", "Date: Mon, 99 Foo 2020 99:99:99 GMT\r\n"])
async def test_a_refusal_without_a_valid_date_does_not_correct_the_clock(date: str) -> None:
    body = b"RequestTimeTooSkewed"

    async def refuse(client: ClientConnection) -> None:
        while await client.read_request():
            await client.send(f"HTTP/1.1 403 F\r\nContent-Length: {len(body)}\r\n{date}\r\n".encode() + body)

    async with endpoint(refuse) as (made, server):
        assert (await made.send(put(), limit=100)).status == 403
        assert len(server.heads) == 1


async def test_a_clock_that_goes_wrong_later_is_corrected_again() -> None:
    off_s = float(HOUR_S)

    async def script(client: ClientConnection) -> None:
        await refusing_until_corrected(b"RequestTimeTooSkewed", off_s)(client)

    async with endpoint(script) as (made, server):
        assert (await made.send(put(), limit=100)).body == b"yes"
        await made.close()
        off_s = 0.0
        assert (await made.send(put(), limit=100)).body == b"yes"
        assert len(server.heads) == 4


@pytest.mark.parametrize("keys", [Keys("AKID\n", "s"), Keys("AKID", "s", "to\r\nken"), Keys("A\r\nX: y", "s")])
async def test_keys_with_a_line_break_are_no_second_field(keys: FrozenKeys) -> None:
    async with endpoint(fine, Chain(keys)) as (made, server):
        with pytest.raises(CredentialsMissingError, match="line break"):
            await made.send(put(), limit=100)
        assert server.heads == []


async def test_many_at_the_same_time_are_each_signed_and_answered() -> None:
    async with endpoint(fine) as (made, server):
        replies = await asyncio.gather(*[made.send(put(str(number).encode()), limit=100) for number in range(50)])
        assert {reply.status for reply in replies} == {200}
        assert len(server.heads) == 50


@pytest.mark.parametrize("url", ["ftp://h", "h:80", "https://h/path", "https://", "http://h:x", "http://h:99999"])
def test_an_endpoint_that_is_none_is_a_fault(url: str) -> None:
    with pytest.raises(ConfigurationError, match="AWS_ENDPOINT_URL"):
        origin_of(url, ssl.create_default_context())


def test_an_endpoint_names_its_server() -> None:
    context = ssl.create_default_context()
    plain, secure = (
        origin_of("http://127.0.0.1:4566/", context),
        origin_of("https://sqs.eu-west-1.amazonaws.com", context),
    )
    assert (plain.authority, plain.tls) == ("127.0.0.1:4566", None)
    assert (secure.authority, secure.port, secure.tls) == ("sqs.eu-west-1.amazonaws.com", 443, context)
