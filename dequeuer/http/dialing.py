"""Making connections: every address of a server is tried before the connection timeout is over."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from itertools import chain, zip_longest
from typing import Any, Generic, TypeAlias, TypeVar

from dequeuer.http.errors import UnreachableError
from dequeuer.http.origin import Origin

CONNECT_TIMEOUT_S = 5.0
"""For a connection to any of the addresses, TLS included."""
RESOLVE_TIMEOUT_S = 12.0
"""For resolving a name: a resolver waits 5 s for its first server before it asks the second one, and may ask twice."""
CONNECTION_ATTEMPT_DELAY_S = 0.25
"""RFC 8305, section 5, recommends this delay between attempts to connect to different addresses."""
MAX_ADDRESSES = 16
"""Addresses of one name that are tried: with more of them the last one would be tried too late."""

Address: TypeAlias = tuple[int, tuple[Any, ...]]
"""An address family, and a socket address of it."""
CheckAddress: TypeAlias = Callable[[str], None]
"""Raises `AddressRefusedError` for an address that must not be connected to."""

ConnectionT = TypeVar("ConnectionT", bound=asyncio.Protocol)


class Dialer(Generic[ConnectionT]):
    """Connects to one origin.

    Connections to the addresses of a name are started `CONNECTION_ATTEMPT_DELAY_S` apart, or as soon as the one before
    fails; the first that succeeds is used (RFC 8305). The origin's alternatives are tried only when the connection is
    refused.

    Args:
        origin: the server.
        protocol: makes the connection's protocol.
        timeout_s: for a connection to any of the addresses, TLS included.
        check_address: is called with each address before any connection is made, and raises `AddressRefusedError`. The
            name is not resolved again after it: a server of names that changes its answer gains nothing.
    """

    def __init__(
        self,
        origin: Origin,
        protocol: Callable[[], ConnectionT],
        timeout_s: float,
        check_address: CheckAddress | None = None,
    ) -> None:
        self._origin = origin
        self._check_address = check_address
        self._timeout_s = timeout_s
        self._protocol = protocol
        self._hosts: Sequence[str] = (origin.host, *origin.alternatives)
        self._failed: Address | None = None

    async def dial(self, loop: asyncio.AbstractEventLoop) -> ConnectionT:
        """Return a new connection. Raises `UnreachableError`, and what `check_address` raises."""
        first: UnreachableError | None = None
        for host in self._hosts:
            try:
                connection = await self._dial(loop, host)
            except UnreachableError as error:
                first = first or error
                if not error.nobody_listens:
                    break
            else:
                if host != self._hosts[0]:
                    # Tried first from now on: later connections do not begin with a refused attempt.
                    self._hosts = (host, *[other for other in self._hosts if other != host])
                return connection
        self._hosts = (self._origin.host, *self._origin.alternatives)
        raise first or UnreachableError(self._origin.authority, "no address")

    async def _dial(self, loop: asyncio.AbstractEventLoop, host: str) -> ConnectionT:
        authority = self._origin.authority
        try:
            found = _numeric(host, self._origin.port)
            if found is None:
                async with asyncio.timeout(RESOLVE_TIMEOUT_S):
                    found = await _resolved(loop, host, self._origin.port)
            if self._check_address is not None:
                for _, address in found:
                    self._check_address(address[0])
            async with asyncio.timeout(self._timeout_s):
                # An address where the last connection failed after it was accepted is tried last.
                return await self._open(loop, sorted(found, key=lambda address: address == self._failed))
        except TimeoutError:
            raise UnreachableError(authority, "no connection in time") from None
        except (OSError, ValueError) as error:
            refused = isinstance(error, ConnectionRefusedError)
            raise UnreachableError(authority, _reason(error), nobody_listens=refused) from error

    async def _open(self, loop: asyncio.AbstractEventLoop, found: Sequence[Address]) -> ConnectionT:
        tls = self._origin.tls
        connected, address = await _first_connection(loop, found)
        try:
            _, connection = await loop.create_connection(
                self._protocol, sock=connected, ssl=tls, server_hostname=None if tls is None else self._origin.host
            )
        except BaseException:
            self._failed = address
            connected.close()
            raise
        return connection


def _reason(error: Exception) -> str:
    if not isinstance(error, OSError):
        return type(error).__name__
    if error.errno is not None and error.errno > 0 and not isinstance(error, ssl.SSLError):
        return os.strerror(error.errno)  # event loops add addresses to the text
    return error.strerror or type(error).__name__


def _numeric(host: str, port: int) -> Sequence[Address] | None:
    """Return the address that a literal stands for, without the resolver's thread; None: `host` is a name."""
    with contextlib.suppress(OSError, ValueError):
        return _addresses(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST))
    return None


async def _resolved(loop: asyncio.AbstractEventLoop, host: str, port: int) -> Sequence[Address]:
    return _addresses(await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))


def _addresses(found: Sequence[tuple[int, int, int, str, tuple[Any, ...]]]) -> Sequence[Address]:
    """Return each address once, IPv6 and IPv4 alternating (RFC 8305, section 4)."""
    families: dict[int, list[Address]] = {}
    for family, _, _, _, address in found:
        families.setdefault(family, []).append((family, address))
    turns = chain.from_iterable(zip_longest(*families.values()))
    return list(dict.fromkeys(one for one in turns if one is not None))[:MAX_ADDRESSES]


async def _first_connection(loop: asyncio.AbstractEventLoop, found: Sequence[Address]) -> tuple[socket.socket, Address]:
    """Return the first socket that is connected. Raises the error of the first address that failed when all fail."""
    left = list(found)
    running: dict[asyncio.Task[socket.socket], Address] = {}
    error: BaseException = OSError("the name has no address")
    is_first = True
    try:
        while left or running:
            if left:
                address = left.pop(0)
                running[asyncio.create_task(_connect_to(loop, address), name="connect")] = address
            done, _ = await asyncio.wait(
                running, timeout=CONNECTION_ATTEMPT_DELAY_S if left else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                address = running.pop(task)
                failure = task.exception()
                if failure is None:
                    return task.result(), address
                error, is_first = (failure if is_first else error), False
        raise error
    finally:
        for task in running:
            task.cancel()
            task.add_done_callback(_discard)


async def _connect_to(loop: asyncio.AbstractEventLoop, found: Address) -> socket.socket:
    family, address = found
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(made, address)
        _check_not_self_connected(made)
    except BaseException:
        made.close()
        raise
    return made


def _check_not_self_connected(made: socket.socket) -> None:
    # Linux can connect a socket to itself when the port is in the ephemeral range and no server listens on it.
    if made.getsockname() == made.getpeername():
        raise ConnectionRefusedError(errno.ECONNREFUSED, "nobody listens on the port")


def _discard(task: asyncio.Task[socket.socket]) -> None:
    """Close a connection that was made after another one had been chosen."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()
