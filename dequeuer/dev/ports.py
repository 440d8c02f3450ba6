"""TCP ports on loopback."""

from __future__ import annotations

import socket

from dequeuer.dev.errors import DevError
from dequeuer.process.ports import HOST


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
