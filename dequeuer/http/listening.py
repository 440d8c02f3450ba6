"""Listening sockets: one for each address, so that IPv4 and IPv6 work whatever `bindv6only` is."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from typing import Any

EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - the kubelet, Prometheus and clients come from outside of the pod
"""All addresses of IPv4 and of IPv6."""
_NO_SUCH_FAMILY = frozenset({errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EADDRNOTAVAIL})
"""Errors of `socket` or `bind` on a kernel without IPv6 (or without IPv4)."""


async def open_listeners(
    hosts: Sequence[str], port: int, backlog: int, *, make: Callable[..., socket.socket] = socket.socket
) -> list[socket.socket]:
    """Return listening sockets, one for each address that `hosts` resolve to.

    `0.0.0.0` and `::` are skipped on a kernel without their address family, as long as one socket remains. For any
    other address an error is raised.

    Args:
        hosts: IP addresses or host names.
        port: for all of them; 0 takes a free one, the same for all.
        backlog: connections that the kernel keeps until they are accepted.
        make: makes a socket of a family and a type; raises `OSError`.

    Raises:
        OSError: an address is not available; no socket is left open.
        OverflowError: the port is not from 0 to 65535.
    """
    listeners: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for host in hosts:
            for family, address in await _resolve(host, port):
                try:
                    listeners.append(_listen(family, (address[0], port, *address[2:]), backlog, make))
                except OSError as error:
                    if host not in EVERY_ADDRESS or error.errno not in _NO_SUCH_FAMILY:
                        raise
                    missing = error
                    continue
                port = port or listeners[0].getsockname()[1]
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    if missing is not None and not listeners:
        raise missing
    return listeners


async def _resolve(host: str, port: int) -> list[tuple[int, tuple[Any, ...]]]:
    if host in EVERY_ADDRESS:  # not resolved: a resolver may leave out a family that has no address yet
        return [(socket.AF_INET6 if ":" in host else socket.AF_INET, (host, port))]
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses: dict[tuple[int, tuple[Any, ...]], None] = {(family, address): None for family, *_, address in found}
    return list(addresses)  # /etc/hosts may list a name twice


def _listen(family: int, address: tuple[Any, ...], backlog: int, make: Callable[..., socket.socket]) -> socket.socket:
    listener = make(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # Without it `::` binds the IPv4 port as well, and binding `0.0.0.0` fails.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.setblocking(False)
        listener.bind(address)
        listener.listen(backlog)  # here, not later: with SO_REUSEADDR a port in use may be refused only by `listen`
    except BaseException:
        listener.close()
        raise
    return listener


def addresses_text(hosts: Sequence[str], port: int) -> str:
    """Return hosts with a port as text for logs; IPv6 addresses are in brackets."""
    return ", ".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host in hosts)
