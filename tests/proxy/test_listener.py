"""Connections of clients: how many, and how they end."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from dequeuer.proxy.limits import ProxyLimits
from dequeuer.proxy.record import RequestRecord
from tests.proxy.conftest import ContainerSide, MakeStand, answering, ok, until

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"


async def test_above_the_limit_the_connection_that_is_idle_longest_is_closed(make_stand: MakeStand) -> None:
    stand = await make_stand(answering(ok()), limits=ProxyLimits(max_connections=2))
    first = await stand.ask(GET)
    await first.head()
    await first.exactly(5)
    second, third = await stand.connect(), await stand.ask(GET)
    assert b"200 OK" in await third.head()
    assert await first.rest() == b""
    await second.send(GET)
    assert b"200 OK" in await second.head()
    assert stand.listener.connections == 2


async def test_above_the_limit_a_new_connection_is_closed_when_all_are_busy(make_stand: MakeStand) -> None:
    go_on = asyncio.Event()

    async def behave(side: ContainerSide) -> None:
        await side.request()
        await go_on.wait()
        side.send(ok())
        await side.until_closed()

    stand = await make_stand(behave, limits=ProxyLimits(max_connections=1))
    first = await stand.ask(GET)
    await until(lambda: stand.admission.executing == 1)
    second = await stand.connect()
    got = b""
    with suppress(ConnectionError):
        await second.send(GET)
        got = await second.rest()
    assert got == b""
    go_on.set()
    assert b"200 OK" in await first.head()


@pytest.mark.parametrize("is_used", [False, True])
async def test_an_idle_connection_is_closed_after_its_time(make_stand: MakeStand, is_used: bool) -> None:
    limits = ProxyLimits(keepalive_timeout_s=0.01) if is_used else ProxyLimits(head_timeout_s=0.01)
    stand = await make_stand(answering(ok()), limits=limits)
    client = await stand.connect()
    if is_used:
        await client.send(GET)
        await client.head()
        await client.exactly(5)
    assert await client.rest() == b""
    assert stand.listener.connections == 0


async def test_deadlines_hold_after_a_bug_in_one_of_them(
    make_stand: MakeStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def request_ended(record: RequestRecord) -> None:
        raise ZeroDivisionError

    bugs: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: bugs.append(context["exception"]))
    stand = await make_stand(answering(ok()), limits=ProxyLimits(head_timeout_s=2))
    client = await stand.connect()
    with monkeypatch.context() as patch:
        patch.setattr(stand.records, "request_ended", request_ended)
        await stand.ask(b"GET / HTTP/1.1\r\n")  # its head never ends
        await until(lambda: bool(bugs))
    assert await client.rest() == b""
    assert {type(bug) for bug in bugs} == {ZeroDivisionError}


async def test_a_drain_lets_requests_end_and_closes_their_connections(make_stand: MakeStand) -> None:
    go_on = asyncio.Event()

    async def behave(side: ContainerSide) -> None:
        await side.request()
        await go_on.wait()
        side.send(ok())
        await side.until_closed()

    stand = await make_stand(behave)
    running, idle = await stand.ask(GET), await stand.connect()
    await until(lambda: stand.admission.executing == 1 and stand.listener.connections == 2)
    stand.listener.stop_listening()
    draining = asyncio.create_task(stand.listener.drain(30))
    with pytest.raises(ConnectionRefusedError):
        await stand.connect()
    assert await idle.rest() == b""
    assert not draining.done()
    go_on.set()
    assert b"\r\nConnection: close\r\n" in await running.head()
    assert await running.rest() == b"hello"
    running.writer.close()
    await asyncio.wait_for(draining, 30)


async def test_a_request_on_an_idle_connection_is_served_after_the_listeners_are_closed(make_stand: MakeStand) -> None:
    stand = await make_stand(answering(ok()))
    client = await stand.connect()
    await until(lambda: stand.listener.connections == 1)
    stand.listener.stop_listening()
    draining = asyncio.create_task(stand.listener.drain(30))
    await asyncio.sleep(0)
    await client.send(GET)
    assert b"\r\nConnection: close\r\n" in await client.head()
    assert await client.rest() == b"hello"
    client.writer.close()
    await asyncio.wait_for(draining, 30)


async def test_what_has_not_ended_after_the_grace_is_cut(make_stand: MakeStand) -> None:
    async def behave(side: ContainerSide) -> None:
        await side.request()
        await side.until_closed()

    stand = await make_stand(behave)
    client = await stand.ask(GET)
    await until(lambda: stand.admission.executing == 1)
    stand.listener.stop_listening()
    assert await stand.listener.drain(0.01) == 1
    assert await client.is_cut()
    assert stand.admission.executing == 0
    [record] = await stand.records.wait_for(1)
    assert (record.reason, record.status) == ("cut", 0)


async def test_a_connection_that_is_replaced_does_not_go_on(make_stand: MakeStand) -> None:
    stand = await make_stand(answering(ok()))
    await stand.connect()
    await until(lambda: stand.listener.connections == 1)
    [connection] = stand.listener._connections
    # What it has sent ahead is read in the same pass of the event loop in which a new connection takes its place.
    connection._ahead = GET
    connection.abort()
    connection._read_ahead()
    assert not stand.requests


async def test_a_drain_without_connections_is_over_at_once(make_stand: MakeStand) -> None:
    stand = await make_stand(answering(ok()))
    stand.listener.stop_listening()
    assert await asyncio.wait_for(stand.listener.drain(3600), 30) == 0
