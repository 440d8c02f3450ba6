"""A connection that was upgraded: bytes in both directions, until one side ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from dequeuer.proxy.websocket_frames import GOING_AWAY, FrameBoundaries


class TunnelEnd(Protocol):
    """One side of a tunnel."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def pause_reading(self) -> None:
        """Read nothing until `resume_reading`."""

    def resume_reading(self) -> None:
        """Read again."""

    def close(self) -> None:
        """Close once everything was sent."""


class Tunnel:
    """Passes bytes between a client and the container.

    Args:
        client: one side.
        container: the other side.
        on_end: called once, when it has ended.
        is_websocket: whether the client can be told that the server goes away.
    """

    __slots__ = ("_client", "_container", "_frames", "_going_away", "_on_end", "_told", "bytes_in", "bytes_out")

    def __init__(
        self, client: TunnelEnd, container: TunnelEnd, on_end: Callable[[Tunnel], None], *, is_websocket: bool
    ) -> None:
        self._client = client
        self._container = container
        self._on_end: Callable[[Tunnel], None] | None = on_end
        self._frames = FrameBoundaries() if is_websocket else None
        self._going_away = self._told = False
        self.bytes_in = self.bytes_out = 0

    def from_client(self, data: bytes) -> None:
        """Pass on what the client has sent; b"": it has closed the connection."""
        if not data:
            self.end()
            return
        self.bytes_in += len(data)
        self._container.write(data)

    def from_container(self, data: bytes) -> None:
        """Pass on what the container has sent; b"": it has closed the connection."""
        if not data:
            self.end()
        elif not self._told:  # after a close frame nothing may follow
            boundary = self._frames.feed(data) if self._frames is not None else -1
            if self._going_away and boundary >= 0:
                self._pass_to_client(data[:boundary])
                self._tell()
            else:
                self._pass_to_client(data)

    def _pass_to_client(self, data: bytes) -> None:
        self.bytes_out += len(data)
        self._client.write(data)

    def go_away(self) -> None:
        """Tell the client of a WebSocket, between two frames, that the server goes away (1001).

        The client answers with a close frame, which is passed on: so the container ends the WebSocket, too.
        """
        if self._frames is None or self._going_away:
            return
        self._going_away = True
        if self._frames.is_between_frames:
            self._tell()

    def _tell(self) -> None:
        self._told = True
        self._client.write(GOING_AWAY)

    def client_writable(self, is_writable: bool) -> None:  # noqa: FBT001 - a protocol of callbacks
        """Slow the container down, or let it go on."""
        if is_writable:
            self._container.resume_reading()
        else:
            self._container.pause_reading()

    def container_writable(self, is_writable: bool) -> None:  # noqa: FBT001 - a protocol of callbacks
        """Slow the client down, or let it go on."""
        if is_writable:
            self._client.resume_reading()
        else:
            self._client.pause_reading()

    def end(self) -> None:
        """Close both sides; what was written is still sent."""
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(self)
            self._container.close()
            self._client.close()
