"""Whether the container speaks HTTP/1: while it has only ever given invalid answers, nothing is received for it.

The default probe connects to the port and asks nothing, so it is content with a TLS server, an HTTP/2 server without
HTTP/1, or a database. Without this condition each message would be sent to it and would fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from dequeuer.core.events import ContainerProtocolChanged, Observer
from dequeuer.core.readiness import Condition
from dequeuer.core.retry import Backoff
from dequeuer.http.protocols import HTTP1

BACKOFF: Final = Backoff(initial_s=1.0, max_s=30.0, min_share=0.5)

Identify = Callable[[], Awaitable[str | None]]
"""Finds out what the container speaks: `HTTP1`, another protocol's name, "" when it says nothing, None when nobody
listens. Raises nothing."""


class HttpCheck:
    """What is known of the container's protocol. One valid answer settles it for the life of the process.

    Attributes:
        is_proven: it has given a valid answer; an invalid one is the fault of its own request from then on.
        looks_like: what it seems to speak, while nothing is received for it; else "".
        may_receive: closed meanwhile.
    """

    def __init__(self, identify: Identify, observer: Observer) -> None:
        self._identify = identify
        self._observer = observer
        self._asking: asyncio.Task[str | None] | None = None
        self.is_proven = False
        self.looks_like = ""
        self.may_receive = Condition()

    def prove(self) -> None:
        """Record that the container gave a valid answer."""
        self.is_proven = True
        self._open()

    async def doubt(self, looks_like: str) -> str:
        """Judge the container after an invalid answer, or none, by one that is not proven.

        Args:
            looks_like: what the invalid answer looks like; "" when there was none, and the container is asked.

        Returns:
            What it looks like; "" when it may speak HTTP/1 all the same.
        """
        name = looks_like or await self._ask()
        if name == HTTP1:
            self.prove()
        if self.is_proven or not name:
            return ""
        self._close(name)
        return name

    async def run(self) -> None:
        """Ask again, with backoff, while nothing is received for the container; until that is settled."""
        failures = 0
        while not self.is_proven:
            await self.may_receive.wait_closed()
            while not self.may_receive.is_open:
                await asyncio.sleep(BACKOFF.pause_s(failures))
                name = await self._ask()
                if name == HTTP1:
                    self.prove()
                elif name == "":
                    # It answers nothing: the next message shows what it speaks.
                    self._open()
                elif name is not None and not self.may_receive.is_open:
                    self._close(name)
                # A container that is not there is being replaced: the new one does not have to wait.
                failures = 0 if name is None else failures + 1

    async def _ask(self) -> str | None:
        """Ask once for all who want to know at the same time."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_once(), name="identify")
        return await asyncio.shield(self._asking)

    async def _ask_once(self) -> str | None:
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
