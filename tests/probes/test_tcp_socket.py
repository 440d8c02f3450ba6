"""The TCP probe with real sockets."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from dequeuer.probes.base import ProbeResult, ProbeTiming
from dequeuer.probes.tcp_socket import TcpSocketProbe, judge

PATIENT = ProbeTiming(timeout_s=30)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(16)
        yield listening


async def test_a_listening_port_is_ready(listener: socket.socket) -> None:
    result = await TcpSocketProbe(name="web:tcp_socket", port=listener.getsockname()[1], timing=PATIENT).check()
    assert result == ProbeResult(ok=True, detail="connected")


async def test_the_connection_is_closed_and_nothing_is_sent(listener: socket.socket) -> None:
    await TcpSocketProbe(name="web:tcp_socket", port=listener.getsockname()[1], timing=PATIENT).check()
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(30)
        assert connection.recv(1) == b""


async def test_a_name_is_looked_up(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    assert (await TcpSocketProbe(name="x", host="localhost", port=port, timing=PATIENT).check()).ok


async def test_a_port_without_a_listener_is_not_ready() -> None:
    with socket.socket() as bound:  # bound but not listening: no other process can take the port
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        result = await TcpSocketProbe(name="web:tcp_socket", port=port, timing=PATIENT).check()
    assert not result.ok
    assert result.detail.startswith(f"no connection to 127.0.0.1:{port}: [Errno 111]")


async def test_when_nothing_listens_the_alternative_host_is_tried() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listening:
        port = listening.getsockname()[1]
        assert (await TcpSocketProbe(name="x", port=port, alternatives=("::1",), timing=PATIENT).check()).ok
        assert not (await TcpSocketProbe(name="x", port=port, timing=PATIENT).check()).ok
    result = await TcpSocketProbe(name="x", port=port, alternatives=("::1",), timing=PATIENT).check()
    assert result.detail.startswith(f"no connection to 127.0.0.1:{port}: ")


@pytest.mark.parametrize("host", ["x" * 300, "a..b", ".", "no-such-host.invalid"])
async def test_a_host_that_cannot_be_found_is_a_failure(host: str) -> None:
    result = await TcpSocketProbe(name="x", host=host, port=1, timing=PATIENT).check()
    assert not result.ok
    assert len(result.detail) <= 256


async def test_a_black_hole_is_a_failure_after_the_timeout(listener: socket.socket) -> None:
    listener.listen(0)
    address = listener.getsockname()
    fillers = [socket.socket() for _ in range(4)]
    try:
        for filler in fillers:  # when its queue is full, Linux drops further connections
            filler.setblocking(False)
            filler.connect_ex(address)
        result = await TcpSocketProbe(name="x", port=address[1], timing=ProbeTiming(timeout_s=0.2)).check()
    finally:
        for filler in fillers:
            filler.close()
    assert result == ProbeResult(ok=False, detail=f"no connection to 127.0.0.1:{address[1]} within 0.2 s")


async def test_a_peer_that_resets_at_once_was_connected_to(listener: socket.socket) -> None:
    check = asyncio.create_task(
        TcpSocketProbe(name="x", port=listener.getsockname()[1], timing=PATIENT).check(),
    )
    listener.setblocking(False)
    connection, _ = await asyncio.get_running_loop().sock_accept(listener)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()
    assert (await check).ok


async def test_a_cancelled_check_is_cancelled(listener: socket.socket) -> None:
    listener.listen(0)
    address = listener.getsockname()
    fillers = [socket.socket() for _ in range(4)]
    try:
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        check = asyncio.create_task(TcpSocketProbe(name="x", port=address[1], timing=PATIENT).check())
        await asyncio.sleep(0)
        check.cancel()
        with pytest.raises(asyncio.CancelledError):
            await check
    finally:
        for filler in fillers:
            filler.close()


def test_a_socket_connected_to_itself_is_not_ready() -> None:
    assert not judge(("127.0.0.1", 40000), ("127.0.0.1", 40000)).ok
    assert judge(("127.0.0.1", 40001), ("127.0.0.1", 40000)).ok
    assert judge(None, None).ok
