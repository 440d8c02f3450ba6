"""Whether the container speaks HTTP/1. While all its responses have been invalid, no messages are received.

The default probe only connects to the port. So it succeeds also for a TLS server, for an HTTP/2 server without HTTP/1,
and for a database. Without this condition every message would be sent there and would fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from dequeuer.core.events import ContainerProtocolChanged, Observer
from dequeuer.core.readiness import Condition
from dequeuer.core.retry import Backoff
from dequeuer.http.protocols import HTTP1

CHECK_BACKOFF: Final = Backoff(initial_s=1.0, max_s=30.0, min_share=0.5)

Identify = Callable[[], Awaitable[str | None]]
"""Finds out which protocol the container speaks: `HTTP1` or the name of another one; "" when it sends nothing, None
when nothing listens on the port. Raises nothing."""


class HttpCheck:
    """Remembers whether the container speaks HTTP/1. One valid response proves it for the life of the process.

    Attributes:
        is_proven: the container has given a valid response. From then on, an invalid one fails its own request only.
        looks_like: the protocol that it seems to speak, while no messages are received because of it; else "".
        may_receive: closed while `looks_like` is set.
    """

    def __init__(self, identify: Identify, observer: Observer) -> None:
        self._identify = identify
        self._observer = observer
        self._identifying: asyncio.Task[str | None] | None = None
        self.is_proven = False
        self.looks_like = ""
        self.may_receive = Condition()

    def record_valid_response(self) -> None:
        """Record that the container has given a valid response."""
        self.is_proven = True
        self._open()

    async def judge_invalid_response(self, looks_like: str) -> str:
        """Find out whether an invalid response, or none, shows that the container does not speak HTTP/1.

        Args:
            looks_like: the protocol that the response looks like; "" when there was no response: then the container is
                asked for its protocol.

        Returns:
            The protocol that the container seems to speak; "" when it may speak HTTP/1.
        """
        name = looks_like or await self._identify_shared()
        if name == HTTP1:
            self.record_valid_response()
        if self.is_proven or not name:
            return ""
        self._close(name)
        return name

    async def run(self) -> None:
        """While no messages are received, repeat the check with backoff. Returns after a valid response."""
        failures = 0
        while not self.is_proven:
            await self.may_receive.wait_closed()
            while not self.may_receive.is_open:
                await asyncio.sleep(CHECK_BACKOFF.pause_s(failures))
                name = await self._identify_shared()
                if name == HTTP1:
                    self.record_valid_response()
                elif name == "":
                    # The container sends nothing: open, so that the next message shows what it speaks.
                    self._open()
                elif name is not None and not self.may_receive.is_open:
                    self._close(name)
                # Nothing listens: the container is being replaced. The new one must not wait for a long backoff.
                failures = 0 if name is None else failures + 1

    async def _identify_shared(self) -> str | None:
        """Identify the protocol; calls at the same time share one check."""
        if self._identifying is None or self._identifying.done():
            self._identifying = asyncio.create_task(self._identify_once(), name="identify")
        return await asyncio.shield(self._identifying)

    async def _identify_once(self) -> str | None:
        return await self._identify()

    def _close(self, name: str) -> None:
        if name == self.looks_like:
            return
        self.looks_like = name
        self.may_receive.set(is_open=False)
        self._observer(ContainerProtocolChanged(looks_like=name))

    def _open(self) -> None:
        if not self.looks_like:
            return
        self.looks_like = ""
        self.may_receive.set(is_open=True)
        self._observer(ContainerProtocolChanged(looks_like=""))
