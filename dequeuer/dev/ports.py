"""TCP ports on loopback."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from dequeuer.dev.errors import DevError

HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """Return different ports that no process listens on now. Another program may take one before it is used."""
    with ExitStack() as stack:
        # All sockets stay open until the last port is known: otherwise the same port could be returned twice.
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]


def is_served(port: int) -> bool:
    """Return whether a process listens on the port."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


def check_free(port: int, purpose: str, advice: str) -> None:
    """Raise `DevError` unless the port can be listened on."""
    with socket.socket() as probe:
        # As servers do it: closed connections that linger (TIME_WAIT) do not make the port busy.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError as error:
            raise DevError(f"port {port} ({purpose}) needs more rights than you have: take one above 1023") from error
        except OSError as error:
            raise DevError(f"port {port} ({purpose}) is in use by another program: {advice}") from error
    if is_served(port):  # by a process that shares the port (SO_REUSEPORT)
        raise DevError(f"port {port} ({purpose}) is in use by another program: {advice}")
