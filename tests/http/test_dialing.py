"""In which order and when the addresses of a server are tried."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from dequeuer.http import dialing
from dequeuer.http.errors import UnreachableError
from dequeuer.http.origin import Origin
from dequeuer.http.pool import Pool
from tests.http.canned import ClientConnection, always_send, ok, serving

GET = (b"GET / HTTP/1.1\r\nhost: h\r\n\r\n", b"")
NAME = "service.invalid"


def resolve(monkeypatch: pytest.MonkeyPatch, *found: tuple[str, int]) -> list[str]:
    """Make every name resolve to these addresses; return the names that are resolved."""
    asked: list[str] = []

    async def getaddrinfo(host: str, _port: int, **_more: Any) -> list[Any]:
        asked.append(host)
        families = [socket.AF_INET6 if ":" in address else socket.AF_INET for address, _ in found]
        return [(family, socket.SOCK_STREAM, 6, "", each) for family, each in zip(families, found, strict=True)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    return asked


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """A port that neither accepts nor refuses connections: its backlog is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def refused() -> tuple[str, int]:
    """A port on which no server listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address: tuple[str, int] = probe.getsockname()
        return address


@contextlib.asynccontextmanager
async def pool(origin: Origin, timeout_s: float = dialing.CONNECT_TIMEOUT_S) -> AsyncIterator[Pool]:
    made = Pool(origin, connect_timeout_s=timeout_s)
    try:
        yield made
    finally:
        await made.close()


async def hang_up(_dialogue: ClientConnection) -> None:
    return


async def ask(made: Pool) -> bytes:
    return (await made.exchange(GET, timeout_s=20, limit=1000)).body


async def test_a_black_holed_first_address_does_not_fail_the_dial(monkeypatch: pytest.MonkeyPatch) -> None:
    with black_hole() as hole:
        async with serving(always_send(ok(b"fine"))) as server, pool(Origin(host=NAME, port=80)) as made:
            resolve(monkeypatch, ("127.0.0.1", hole), ("127.0.0.1", hole), ("127.0.0.1", server.origin.port))
            assert await ask(made) == b"fine"


async def test_an_address_that_refuses_costs_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialing, "CONNECTION_ATTEMPT_DELAY_S", 1000)
    async with serving(always_send(ok(b"fine"))) as server, pool(Origin(host=NAME, port=80)) as made:
        resolve(monkeypatch, refused(), refused(), ("127.0.0.1", server.origin.port))
        assert await ask(made) == b"fine"


async def test_black_holes_alone_end_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialing, "CONNECTION_ATTEMPT_DELAY_S", 0.01)
    with black_hole() as hole:
        async with pool(Origin(host=NAME, port=80), 0.1) as made:
            resolve(monkeypatch, ("127.0.0.1", hole), ("127.0.0.1", hole))
            with pytest.raises(UnreachableError, match="no connection in time"):
                await ask(made)


async def test_the_error_of_the_first_address_is_reported_when_all_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    async with pool(Origin(host=NAME, port=80)) as made:
        resolve(monkeypatch, refused(), refused())
        with pytest.raises(UnreachableError, match="refused") as caught:
            await ask(made)
        assert caught.value.nobody_listens
        resolve(monkeypatch)
        with pytest.raises(UnreachableError):
            await ask(made)


async def test_an_address_that_takes_the_connection_and_no_handshake_is_asked_last_the_next_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context = ssl.create_default_context()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        first = mute.getsockname()
        async with serving(hang_up) as server, pool(Origin(host=NAME, port=443, tls=context), 3) as made:
            resolve(monkeypatch, first, ("127.0.0.1", server.origin.port))
            with pytest.raises(UnreachableError, match="no connection in time"):
                await ask(made)
            assert server.connections == 0
            with pytest.raises(UnreachableError):
                await ask(made)
            assert server.connections == 1


def test_families_take_turns() -> None:
    four, six = socket.AF_INET, socket.AF_INET6
    found = [(four, 1, 6, "", ("a", 1)), (four, 1, 6, "", ("b", 1)), (six, 1, 6, "", ("c", 1, 0, 0))]
    assert [address[0] for _, address in dialing._addresses([*found, found[0]])] == ["a", "c", "b"]


async def test_an_address_needs_no_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = resolve(monkeypatch)
    async with serving(always_send(ok(b"fine"))) as server, pool(server.origin) as made:
        assert await ask(made) == b"fine"
    assert asked == []


async def test_the_alternative_host_is_used_only_when_the_port_is_closed_and_is_remembered() -> None:
    async with serving(always_send(ok(b"six", "Connection: close")), host="::1") as server:
        port = server.origin.port
        async with pool(Origin(host="127.0.0.1", port=port, alternatives=("::1",))) as made:
            assert [await ask(made) for _ in range(3)] == [b"six"] * 3
            assert made._dialer._hosts == ("::1", "127.0.0.1")
        async with (
            serving(always_send(ok(b"four")), port=port),
            pool(Origin(host="127.0.0.1", port=port, alternatives=("::1",))) as made,
        ):
            assert await ask(made) == b"four"


async def test_the_alternative_host_is_forgotten_when_its_port_is_closed() -> None:
    async with serving(always_send(ok(b"six", "Connection: close")), host="::1") as server:
        port = server.origin.port
        made = Pool(Origin(host="127.0.0.1", port=port, alternatives=("::1",)))
        assert await ask(made) == b"six"
    with pytest.raises(UnreachableError, match=f"127.0.0.1:{port} .*refused"):
        await ask(made)
    async with serving(always_send(ok(b"four")), port=port):
        assert await ask(made) == b"four"
        await made.close()


async def test_a_black_holed_host_has_no_alternative() -> None:
    with black_hole() as hole:
        origin = Origin(host="127.0.0.1", port=hole, alternatives=("::1",))
        async with serving(always_send(ok(b"six")), host="::1", port=hole), pool(origin, 0.1) as made:
            with pytest.raises(UnreachableError, match="in time"):
                await ask(made)


async def test_cancelling_leaves_no_socket_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    with black_hole() as hole:
        async with pool(Origin(host=NAME, port=80)) as made:
            resolve(monkeypatch, ("127.0.0.1", hole), ("127.0.0.1", hole))
            asking = asyncio.create_task(ask(made))
            await asyncio.sleep(0.05)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            await asyncio.sleep(0)
            assert not [task for task in asyncio.all_tasks() if task.get_name() == "connect"]
