"""A client that sends any bytes, in pieces, and keeps what comes back."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

READ_BYTES = 2**16
PAUSE_S = 0.002
"""Between two pieces, so that they arrive in reads of their own."""


@dataclass(frozen=True, slots=True)
class Received:
    """What came back.

    Attributes:
        is_closed: by the other side.
        is_reset: the other side did so with a reset.
    """

    data: bytes
    is_closed: bool
    is_reset: bool = False


def converse(
    port: int, pieces: Sequence[bytes], enough: Callable[[bytes], bool] = lambda _data: False, *, timeout_s: float = 30
) -> Received:
    """Send all pieces; receive until the other side closes, or it is `enough`. Time that runs out is an error."""
    with socket.create_connection(("127.0.0.1", port), timeout_s) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        return _Conversation(connection, pieces, enough).run(time.monotonic() + timeout_s)


class _Conversation:
    def __init__(self, connection: socket.socket, pieces: Sequence[bytes], enough: Callable[[bytes], bool]) -> None:
        self._connection = connection
        self._pieces = [memoryview(piece) for piece in pieces if piece]
        self._enough = enough
        self._received = bytearray()

    def run(self, ends: float) -> Received:
        with selectors.DefaultSelector() as selector:
            selector.register(self._connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
            while self._pieces or not self._enough(bytes(self._received)):
                if not self._pieces:
                    selector.modify(self._connection, selectors.EVENT_READ)
                ready = selector.select(ends - time.monotonic())
                if not ready:
                    raise AssertionError(f"neither answered nor closed: {bytes(self._received)!r:.500}")
                for _, events in ready:
                    try:
                        if events & selectors.EVENT_READ and not self._receive():
                            return Received(bytes(self._received), is_closed=True)
                        if events & selectors.EVENT_WRITE:
                            self._send()
                    except (ConnectionResetError, BrokenPipeError):
                        return Received(bytes(self._received), is_closed=True, is_reset=True)
        return Received(bytes(self._received), is_closed=False)

    def _receive(self) -> bool:
        data = self._connection.recv(READ_BYTES)
        self._received += data
        return bool(data)

    def _send(self) -> None:
        if self._pieces:
            sent = self._connection.send(self._pieces[0])
            self._pieces[0] = self._pieces[0][sent:]
            if not self._pieces[0]:
                self._pieces.pop(0)
                if self._pieces:
                    time.sleep(PAUSE_S)
