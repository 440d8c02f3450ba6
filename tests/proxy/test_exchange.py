"""What becomes of one request between a client and the container."""

from __future__ import annotations

import asyncio

import pytest

from dequeuer.core import clock
from dequeuer.proxy.exchange import RESEND_WITHIN_S
from dequeuer.proxy.limits import ProxyLimits
from tests.hostile.server import reset
from tests.proxy.conftest import Behaviour, Client, ContainerSide, MakeStand, answering, ok, until
from tests.still import held_back

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"


def post(body: bytes, *fields: bytes) -> bytes:
    lines = b"".join(line + b"\r\n" for line in fields)
    return b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n%b\r\n%b" % (len(body), lines, body)


def own(head: bytes) -> tuple[int, str]:
    """Return status and reason of a response of the proxy itself."""
    name = next((line for line in head.split(b"\r\n") if line.startswith(b"X-Dequeuer-Reason: ")), b": ")
    return int(head.split(b" ")[1]), name.split(b": ")[1].decode()


async def response(client: Client) -> tuple[bytes, bytes]:
    """Return head and body of a response with a length."""
    head = await client.head()
    size = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    return head, await client.exactly(size)


async def test_a_request_and_its_response_pass(make_stand: MakeStand) -> None:
    stand = await make_stand(answering(b"HTTP/1.1 201 Made It\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 5\r\n\r\nhello"))
    client = await stand.ask(post(b"body", b"X-B: 1", b"x-b: 2"))
    assert await client.head() == b"HTTP/1.1 201 Made It\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 5\r\n\r\n"
    assert await client.exactly(5) == b"hello"
    head, _, body = stand.requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[:4] == [b"POST /a HTTP/1.1", b"Host: h", b"X-B: 1", b"x-b: 2"]
    assert b"X-Forwarded-For: 127.0.0.1" in lines
    assert body == b"body"
    [record] = await stand.records.wait_for(1)
    assert (record.method, record.target, record.status, record.reason) == (b"POST", b"/a", 201, "")
    assert (record.bytes_in, record.bytes_out) == (4, 5)
    assert record.began_at <= record.admitted_at <= record.first_byte_at <= record.ended_at


async def test_both_connections_are_kept(make_stand: MakeStand) -> None:
    connections: list[int] = []

    async def behave(side: ContainerSide) -> None:
        connections.append(side.number)
        await answering(ok())(side)

    stand = await make_stand(behave)
    client = await stand.connect()
    for _ in range(3):
        await client.send(GET)
        await response(client)
    assert connections == [0]


async def test_each_request_has_a_connection_of_its_own_where_none_is_kept(make_stand: MakeStand) -> None:
    connections: list[int] = []

    async def behave(side: ContainerSide) -> None:
        connections.append(side.number)
        await answering(ok())(side)

    stand = await make_stand(behave, keep_alive=False)
    client = await stand.connect()
    for _ in range(2):
        await client.send(GET)
        await response(client)
    assert connections == [0, 1]
    assert all(b"\r\nConnection: close\r\n" in request for request in stand.requests)


async def test_requests_that_are_sent_ahead_are_answered_in_order(make_stand: MakeStand) -> None:
    stand = await make_stand(answering(ok(b"1"), ok(b"2"), ok(b"3")))
    client = await stand.ask(GET + post(b"x") + GET)
    assert [(await response(client))[1] for _ in range(3)] == [b"1", b"2", b"3"]
    assert [request.split(b" ")[0] for request in stand.requests] == [b"GET", b"POST", b"GET"]


async def test_a_malformed_request_after_a_valid_one_is_answered_in_order(make_stand: MakeStand) -> None:
    stand = await make_stand(answering(ok(b"1")))
    client = await stand.ask(GET + b"GET /\x00 HTTP/1.1\r\nHost: h\r\n\r\n" + GET)
    assert (await response(client))[1] == b"1"
    assert own((await response(client))[0]) == (400, "bad_request")
    assert await client.rest() == b""
    assert len(stand.requests) == 1


async def test_chunks_are_framed_anew(make_stand: MakeStand) -> None:
    received = b""

    async def behave(side: ContainerSide) -> None:
        nonlocal received
        await side.head()
        received += await side.reader.readexactly(8)
        side.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\na\r\n")
        received += await side.reader.readuntil(b"\r\n\r\n")
        side.send(b"0\r\nX-U: z\r\nContent-Type: no\r\n\r\n")
        await side.until_closed()

    stand = await make_stand(behave)
    client = await stand.ask(CHUNKED + b"3;ext\r\nabc\r\n")
    assert b"Transfer-Encoding: chunked\r\n" in await client.head()
    assert await client.exactly(6) == b"1\r\na\r\n"
    await client.send(b"0\r\nX-T: y\r\nHost: no\r\n\r\n")
    assert await client.head() == b"0\r\nX-U: z\r\n\r\n"
    assert received == b"3\r\nabc\r\n0\r\nX-T: y\r\n\r\n"


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize("status", [204, 304])
async def test_a_response_without_a_body_has_none(make_stand: MakeStand, method: bytes, status: int) -> None:
    stand = await make_stand(answering(b"HTTP/1.1 %d X\r\nETag: x\r\n\r\n" % status))
    client = await stand.connect()
    for _ in range(2):
        await client.send(method + b" / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert await client.head() == b"HTTP/1.1 %d X\r\nETag: x\r\n\r\n" % status


async def test_the_length_of_a_response_to_head_passes(make_stand: MakeStand) -> None:
    stand = await make_stand(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"))
    client = await stand.ask(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert await client.head() == b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    await client.send(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert await client.head() == b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


async def test_a_response_until_the_end_of_the_connection_gets_chunks(make_stand: MakeStand) -> None:
    async def behave(side: ContainerSide) -> None:
        await side.head()
        side.send(b"HTTP/1.1 200 OK\r\n\r\nhello")

    stand = await make_stand(behave)
    client = await stand.ask(GET)
    assert await client.head() == b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert await client.exactly(15) == b"5\r\nhello\r\n0\r\n\r\n"


async def test_interim_responses_pass(make_stand: MakeStand) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    stand = await make_stand(answering(hints + hints + ok()))
    client = await stand.ask(GET)
    assert [await client.head(), await client.head()] == [hints, hints]
    assert (await response(client))[1] == b"hello"


async def test_a_client_that_waits_for_100_continue_gets_that_of_the_container(make_stand: MakeStand) -> None:
    async def behave(side: ContainerSide) -> None:
        assert b"\r\nExpect: 100-continue\r\n" in await side.head()
        side.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        side.send(ok(await side.reader.readexactly(4)))
        await side.until_closed()

    stand = await make_stand(behave)
    client = await stand.ask(post(b"", b"Expect: 100-continue").replace(b"Content-Length: 0", b"Content-Length: 4"))
    assert await client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
    await client.send(b"body")
    assert (await response(client))[1] == b"body"
    await client.send(GET)


async def test_a_refusal_before_100_continue_closes(make_stand: MakeStand) -> None:
    async def behave(side: ContainerSide) -> None:
        await side.head()
        side.send(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
        await side.until_closed()

    stand = await make_stand(behave)
    client = await stand.ask(post(b"", b"Expect: 100-continue").replace(b"Content-Length: 0", b"Content-Length: 4"))
    assert await client.head() == b"HTTP/1.1 401 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    assert await client.rest() == b""


async def test_http10_gets_what_it_understands(make_stand: MakeStand) -> None:
    async def behave(side: ContainerSide) -> None:
        assert b"\r\nHost: localhost\r\n" in await side.head()
        side.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        side.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        await side.until_closed()

    stand = await make_stand(behave)
    client = await stand.ask(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert await client.rest() == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"


async def test_http10_keeps_its_connection_where_it_asks_and_there_is_a_length(make_stand: MakeStand) -> None:
    stand = await make_stand(answering(ok()))
    client = await stand.connect()
    for _ in range(2):
        await client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert b"\r\nConnection: keep-alive\r\n" in (await response(client))[0]


async def test_a_response_that_ends_before_its_request_closes_both(make_stand: MakeStand) -> None:
    closed = asyncio.Event()

    async def behave(side: ContainerSide) -> None:
        await side.head()
        side.send(b"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno")
        await side.until_closed()
        closed.set()

    stand = await make_stand(behave)
    client = await stand.ask(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nbegin")
    assert (await response(client))[1] == b"no"
    await client.send(b"more that nobody reads")
    assert await client.rest() == b""
    await asyncio.wait_for(closed.wait(), 30)


async def test_a_connection_whose_request_was_refused_with_a_body_is_not_used_again(make_stand: MakeStand) -> None:
    numbers: list[int] = []

    async def behave(side: ContainerSide) -> None:
        numbers.append(side.number)
        await answering(b"HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n")(side)

    stand = await make_stand(behave)
    client = await stand.connect()
    for _ in range(2):
        await client.send(post(b"GET /hidden HTTP/1.1\r\n\r\n"))
        await response(client)
    assert numbers == [0, 1]


async def test_the_container_refuses_the_connection(make_stand: MakeStand) -> None:
    stand = await make_stand(answering(ok()), container_listens=False)
    client = await stand.ask(post(b"x"))
    assert own((await response(client))[0]) == (502, "upstream_unreachable")
    await client.send(GET)
    assert own((await response(client))[0]) == (502, "upstream_unreachable")
    assert stand.admission.executing == 0


async def test_the_container_closes_without_a_response(make_stand: MakeStand) -> None:
    async def behave(side: ContainerSide) -> None:
        await side.request()

    stand = await make_stand(behave)
    client = await stand.ask(post(b"x"))
    assert own((await response(client))[0]) == (502, "upstream_broken")
    assert len(stand.requests) == 1
    [record] = await stand.records.wait_for(1)
    assert (record.status, record.reason) == (502, "upstream_broken")


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 40,
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000,
        b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
    ],
    ids=["SSH", "two lengths", "space", "endless 100", "endless head", "101 that nobody asked for"],
)
async def test_a_malformed_response_is_502(make_stand: MakeStand, data: bytes) -> None:
    async def behave(side: ContainerSide) -> None:
        await side.request()
        side.send(data)
        await side.until_closed()

    stand = await make_stand(behave)
    client = await stand.ask(b"GET / HTTP/1.0\r\nHost: h\r\n\r\n")
    assert own((await response(client))[0]) == (502, "upstream_malformed")


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz",
    ],
)
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_a_response_that_breaks_is_cut(make_stand: MakeStand, data: bytes, version: bytes) -> None:
    async def behave(side: ContainerSide) -> None:
        await side.request()
        side.send(data)

    stand = await make_stand(behave)
    client = await stand.ask(b"GET / HTTP/%b\r\nHost: h\r\n\r\n" % version)
    await client.head()
    assert await client.is_cut()
    [record] = await stand.records.wait_for(1)
    assert (record.status, record.reason) == (200, "cut")


async def test_a_get_on_a_connection_that_the_container_closes_is_sent_again(make_stand: MakeStand) -> None:
    async def behave(side: ContainerSide) -> None:
        await side.request()
        side.send(ok(b"%d" % side.number))
        if side.number == 0:
            await side.request()  # and close without a response
        else:
            await side.until_closed()

    stand = await make_stand(behave)
    client = await stand.connect()
    for number in (b"0", b"1"):
        await client.send(GET)
        assert (await response(client))[1] == number
    assert len(stand.requests) == 3


async def is_not_sent_again(make_stand: MakeStand, behave: Behaviour, request: bytes) -> None:
    """Check that the second of two equal requests gets 502, and reaches the container once."""
    stand = await make_stand(behave)
    client = await stand.ask(request)
    await response(client)
    await client.send(request)
    assert own((await response(client))[0]) == (502, "upstream_broken")
    assert len(stand.requests) == 2


@pytest.mark.parametrize("body", [b"2", b""])
async def test_a_post_is_never_sent_again(make_stand: MakeStand, body: bytes) -> None:
    async def behave(side: ContainerSide) -> None:
        await side.request()
        side.send(ok())
        await side.request()

    await is_not_sent_again(make_stand, behave, post(body))


async def test_a_get_that_the_container_had_for_a_while_is_not_sent_again(
    make_stand: MakeStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The container was killed while it executed it, perhaps because of it."""

    async def behave(side: ContainerSide) -> None:
        await side.request()
        side.send(ok())
        await side.request()
        now = clock.monotonic()
        monkeypatch.setattr(clock, "monotonic", lambda: now + RESEND_WITHIN_S)

    await is_not_sent_again(make_stand, behave, GET)


async def test_a_get_whose_response_has_begun_is_not_sent_again(make_stand: MakeStand) -> None:
    async def behave(side: ContainerSide) -> None:
        await side.request()
        side.send(ok())
        await side.request()
        side.send(b"HTTP/1.1 2")

    await is_not_sent_again(make_stand, behave, GET)


async def test_a_post_takes_a_new_connection_when_the_idle_one_was_closed_unseen(make_stand: MakeStand) -> None:
    async def behave(side: ContainerSide) -> None:
        await side.request()
        side.send(ok(b"%d" % side.number))

    stand = await make_stand(behave)
    client = await stand.connect()
    for number in range(5):
        await client.send(post(b"x"))
        assert (await response(client))[1] == b"%d" % number


async def test_requests_above_the_limits_are_refused_and_others_wait(make_stand: MakeStand) -> None:
    go_on = asyncio.Event()

    async def behave(side: ContainerSide) -> None:
        while True:
            await side.request()
            await go_on.wait()
            side.send(ok())

    stand = await make_stand(behave, max_concurrency=1, max_queued=1)
    first, second = await stand.ask(GET), await stand.ask(GET)
    await until(lambda: stand.admission.queued == 1)
    third = await stand.ask(GET)
    head, body = await response(third)
    assert own(head) == (503, "queue_full")
    assert body == b"pending request queue full\n"
    assert b"Content-Type: text/plain; charset=utf-8\r\n" in head
    assert b"Retry-After: 1\r\n" in head
    go_on.set()
    assert (await response(first))[1] == (await response(second))[1] == b"hello"
    await third.send(GET)
    assert (await response(third))[1] == b"hello"


async def test_a_probe_of_the_kubelet_waits_for_nothing(make_stand: MakeStand) -> None:
    stand = await make_stand(answering(ok()), is_ready=False)
    client = await stand.ask(b"GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: kube-probe/1.30\r\n\r\n")
    assert (await response(client))[1] == b"hello"


async def test_a_request_waits_for_the_container_to_be_ready(make_stand: MakeStand) -> None:
    stand = await make_stand(answering(ok()), is_ready=False)
    client = await stand.ask(post(b"early"))
    await until(lambda: stand.admission.queued == 1)
    assert not stand.requests
    stand.admission.set_ready(True)
    assert (await response(client))[1] == b"hello"
    assert stand.requests[0].endswith(b"early")


@pytest.mark.parametrize("moment", ["queued", "executed", "answered"])
async def test_a_client_that_leaves_frees_what_it_held(make_stand: MakeStand, moment: str) -> None:
    closed = asyncio.Event()
    asked = asyncio.Event()

    async def behave(side: ContainerSide) -> None:
        await side.request()
        asked.set()
        if moment == "answered":
            side.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin")
        await side.until_closed()
        closed.set()

    stand = await make_stand(behave, is_ready=moment != "queued")
    client = await stand.ask(post(b"x"))
    if moment == "queued":
        await until(lambda: stand.admission.queued == 1)
    else:
        await asked.wait()
    if moment == "answered":
        await client.head()
    client.writer.close()
    [record] = await stand.records.wait_for(1)
    assert (record.reason, record.status) == ("client_gone", 200 if moment == "answered" else 0)
    assert (stand.admission.executing, stand.admission.queued) == (0, 0)
    if moment != "queued":
        await asyncio.wait_for(closed.wait(), 30)


async def test_a_client_that_uploads_in_the_queue_is_not_read_without_end(make_stand: MakeStand) -> None:
    stand = await make_stand(answering(ok()), is_ready=False)
    client = await stand.connect()
    size = 32 << 20
    client.writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
    await until(lambda: stand.admission.queued == 1)
    assert await held_back(client.writer) > size // 2
    stand.admission.set_ready(True)
    assert (await response(client))[1] == b"hello"
    [record] = await stand.records.wait_for(1)
    assert record.bytes_in == size


async def test_a_client_that_leaves_unseen_is_taken_out_of_the_queue(make_stand: MakeStand) -> None:
    stand = await make_stand(answering(ok()), is_ready=False)
    client = await stand.connect()
    client.writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (8 << 20) + bytes(8 << 20))
    await until(lambda: stand.admission.queued == 1)
    # A client whose process ends closes with a FIN, which waits behind what it has sent; a reset does not.
    reset(client.writer)
    [record] = await stand.records.wait_for(1)
    assert record.reason == "client_gone"
    assert stand.admission.queued == 0


async def test_a_body_that_is_too_large_is_413(make_stand: MakeStand) -> None:
    stand = await make_stand(answering(ok()), limits=ProxyLimits(max_body_bytes=4))
    client = await stand.ask(post(b"12345"))
    assert own((await response(client))[0]) == (413, "too_large")
    client = await stand.ask(CHUNKED + b"5\r\n12345\r\n")
    assert own((await response(client))[0]) == (413, "too_large")
    client = await stand.ask(post(b"1234"))
    assert (await response(client))[1] == b"hello"
    assert len(stand.requests) == 1


async def test_a_container_that_takes_too_long_is_504(make_stand: MakeStand) -> None:
    async def behave(side: ContainerSide) -> None:
        await side.request()
        await side.until_closed()

    stand = await make_stand(behave, limits=ProxyLimits(request_timeout_s=0.01))
    client = await stand.ask(GET)
    assert own((await response(client))[0]) == (504, "timeout")
    assert stand.admission.executing == 0


async def test_a_body_that_does_not_come_is_408(make_stand: MakeStand) -> None:
    async def behave(side: ContainerSide) -> None:
        await side.head()
        await side.until_closed()

    stand = await make_stand(behave, limits=ProxyLimits(body_timeout_s=0.01))
    client = await stand.ask(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx")
    assert own((await response(client))[0]) == (408, "timeout")
    assert await client.rest() == b""


async def test_a_head_that_does_not_end_is_408(make_stand: MakeStand) -> None:
    stand = await make_stand(
        answering(ok()), limits=ProxyLimits(head_timeout_s=2)
    )  # longer than until the begin is sent
    client = await stand.ask(b"GET / HTTP/1.1\r\nHost")
    assert own((await response(client))[0]) == (408, "timeout")
    assert await client.rest() == b""


async def test_a_malformed_request_reaches_nobody(make_stand: MakeStand) -> None:
    stand = await make_stand(answering(ok()))
    client = await stand.ask(b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx")
    assert own((await response(client))[0]) == (400, "bad_request")
    assert await client.rest() == b""
    assert not stand.requests
    [record] = await stand.records.wait_for(1)
    assert (record.method, record.status, record.reason) == (b"", 400, "bad_request")


@pytest.mark.parametrize("rest", [b"Expect: cow\r\n\r\n", b"A : b\r\n\r\n", b"A: b\n"])
async def test_the_refusal_of_a_malformed_head_request_has_no_body(make_stand: MakeStand, rest: bytes) -> None:
    stand = await make_stand(answering(ok()))
    client = await stand.ask(b"HEAD / HTTP/1.1\r\nHost: h\r\n" + rest)
    assert (await client.head()).startswith(b"HTTP/1.1 4")
    assert await client.rest() == b""


async def test_malformed_chunks_end_the_request_for_the_container_too(make_stand: MakeStand) -> None:
    async def behave(side: ContainerSide) -> None:
        await side.head()
        rest.append(await side.until_closed())
        closed.set()

    rest: list[bytes] = []
    closed = asyncio.Event()
    stand = await make_stand(behave)
    client = await stand.ask(CHUNKED + b"3\r\nabc\r\n")
    await until(lambda: bool(stand.requests))
    await client.send(b"3 \r\nabc\r\n0\r\n\r\n")
    assert own((await response(client))[0]) == (400, "bad_request")
    await asyncio.wait_for(closed.wait(), 30)
    assert rest == [b"3\r\nabc\r\n"]


async def test_a_request_that_is_refused_in_one_read_with_the_next_one_closes(make_stand: MakeStand) -> None:
    stand = await make_stand(answering(ok()))
    trailers = b"".join(b"X: y\r\n" for _ in range(65))
    client = await stand.ask(CHUNKED + b"0\r\n" + trailers + b"\r\n" + GET)
    head, _ = await response(client)
    assert own(head) == (400, "bad_request")
    assert b"\r\nConnection: close\r\n" in head
    assert await client.rest() == b""
    assert not stand.requests


async def test_empty_lines_before_a_request_are_ignored(make_stand: MakeStand) -> None:
    stand = await make_stand(answering(ok()))
    client = await stand.ask(b"\r\n" * 1000)
    await client.send(b"\r")
    await client.send(b"\n" + GET)
    assert (await response(client))[1] == b"hello"


async def test_a_connection_that_goes_on_twice_stays_idle_for_its_time(make_stand: MakeStand) -> None:
    stand = await make_stand(answering(ok()))
    client = await stand.ask(GET)
    await response(client)
    [connection] = stand.listener._connections
    await until(lambda: bool(connection.checked_from))
    before = connection.checked_from
    # The end of a response and the room in the buffer may both let it go on, when the first has taken everything.
    connection._read_ahead()
    assert connection.checked_from == before
