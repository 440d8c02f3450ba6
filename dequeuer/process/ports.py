"""Free TCP ports on loopback."""

from __future__ import annotations

import socket
from contextlib import ExitStack

HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """Return different ports that no process listens on now. Another program may take one before it is used."""
    with ExitStack() as stack:
        # All sockets stay open until the last port is known: otherwise the same port could be returned twice.
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]
