"""What all exchanges share, and what each needs of the connection of its client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from dequeuer.proxy.admission import Admission
from dequeuer.proxy.container_connection import ContainerConnection
from dequeuer.proxy.limits import ProxyLimits
from dequeuer.proxy.record import RequestObserver
from dequeuer.proxy.tunnel import Tunnel
from dequeuer.proxy.unfinished_heads import UnfinishedHeads


class Client(Protocol):
    """The connection of the client of an exchange."""

    @property
    def address(self) -> bytes:
        """The address of the client, as `X-Forwarded-For` has it."""

    @property
    def may_persist(self) -> bool:
        """Whether the connection may carry another request, as far as this side is concerned."""

    def write(self, data: bytes) -> None:
        """Send a part of the response."""

    def pause_reading(self) -> None:
        """Read nothing until `resume_reading`."""

    def resume_reading(self) -> None:
        """Read again."""

    def exchange_ended(self, *, keep: bool) -> None:
        """Go on with the next request, or close once everything was sent."""

    def cut(self) -> None:
        """Close in a way that nobody takes for the end of the response."""

    def become_tunnel(self, tunnel: Tunnel) -> None:
        """Pass everything that arrives from now on to the tunnel."""

    def close(self) -> None:
        """Close once everything was sent."""


class Pool(Protocol):
    """The connections to the container."""

    @property
    def keep_alive(self) -> bool:
        """Whether a connection is used for more than one request."""

    def take_idle(self, *, must_be_open: bool) -> ContainerConnection | None:
        """Return an open connection that has no request; `must_be_open`: although the kernel has to be asked."""

    def dial(
        self, on_connected: Callable[[ContainerConnection], None], on_failed: Callable[[], None]
    ) -> asyncio.Task[None]:
        """Make a connection. To be cancelled when it is not wanted any more."""

    def close_idle(self) -> None:
        """Close the connections that were idle for too long."""


@dataclass(slots=True, kw_only=True)
class ProxyParts:
    """What all exchanges share."""

    loop: asyncio.AbstractEventLoop
    limits: ProxyLimits
    admission: Admission
    pool: Pool
    observer: RequestObserver
    unfinished_heads: UnfinishedHeads = field(default_factory=UnfinishedHeads)
