"""Heads that arrive in part are bounded for all connections together, and free what they took however they end."""

from __future__ import annotations

import pytest

from dequeuer.http.request_head import RequestError
from dequeuer.proxy import unfinished_heads
from dequeuer.proxy.limits import ProxyLimits
from dequeuer.proxy.unfinished_heads import UnfinishedHeads
from tests.proxy.conftest import Client, MakeStand, Stand, answering, ok, until

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
HALF = GET[:-2] + b"A: " + b"b" * 600


@pytest.fixture(autouse=True)
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfinished_heads, "MAX_UNFINISHED_BYTES", 1000)


async def refused(client: Client) -> bool:
    head = await client.head()
    return head.startswith(b"HTTP/1.1 431 ") and b"X-Dequeuer-Reason: too_large\r\n" in head


def test_bytes_that_are_too_many_count_until_they_are_dropped() -> None:
    heads = UnfinishedHeads()
    heads.grow(1000)
    with pytest.raises(RequestError):
        heads.grow(1)
    heads.shrink(1)
    heads.shrink(1000)
    heads.grow(1000)


async def half_a_head(stand: Stand) -> Client:
    """Return a client whose second head is known to have arrived in part: it came in one read with its first request."""
    client = await stand.ask(GET + HALF)
    assert (await client.head()).startswith(b"HTTP/1.1 200 ")
    await client.exactly(len(b"hello"))
    return client


async def test_halves_of_heads_above_the_limit_are_refused_and_whole_heads_are_not(make_stand: MakeStand) -> None:
    stand = await make_stand(answering(ok()))
    first = await half_a_head(stand)
    assert await refused(await half_a_head(stand))
    assert (await (await stand.ask(HALF + b"\r\n\r\n")).head()).startswith(b"HTTP/1.1 200 ")
    await first.send(b"\r\n\r\n")
    assert (await first.head()).startswith(b"HTTP/1.1 200 ")


ENDS = {
    "whole": (b"c\r\nConnection: close\r\n\r\n", b"200"),
    "malformed": (b"\n", b"400"),
    "late": (b"", b"408"),
    "left": (b"", b""),
}


@pytest.mark.parametrize(("rest", "status"), ENDS.values(), ids=ENDS)
async def test_what_a_head_took_is_free_once_it_has_ended(make_stand: MakeStand, rest: bytes, status: bytes) -> None:
    limits = ProxyLimits(head_timeout_s=2) if status == b"408" else ProxyLimits()
    stand = await make_stand(answering(ok()), limits=limits)
    for _ in range(3):
        client = await half_a_head(stand)
        await client.send(rest)
        if status:
            assert (await client.head()).startswith(b"HTTP/1.1 " + status)
        client.writer.close()
        await until(lambda: not stand.listener.connections)
