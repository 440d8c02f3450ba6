"""A process that is started again whenever it ends, as Kubernetes does with the containers of a pod."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from dequeuer.core.clock import monotonic
from dequeuer.core.errors import clip
from dequeuer.core.retry import Backoff
from dequeuer.process.child_process import ChildProcess, ProcessSpec

RESTART_BACKOFF: Final = Backoff(initial_s=0.5, max_s=30.0, min_share=1.0)
STEADY_S: Final = 60.0
"""A process that ran for so long is started again after the shortest pause."""


class RestartedProcess:
    """Runs a process until `stop` is called.

    Args:
        spec: the process.
        on_end: called with a text for people when it has ended by itself: how, its last lines, when it starts again.
    """

    def __init__(self, spec: ProcessSpec, on_end: Callable[[str], None]) -> None:
        self._spec = spec
        self._on_end = on_end
        self._stop_requested = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._life: asyncio.Task[None] | None = None
        self._child: ChildProcess | None = None
        self._was_killed = False

    @property
    def name(self) -> str:
        """Shown to the user."""
        return self._spec.name

    @property
    def pid(self) -> int | None:
        """The process id; None: it does not run at the moment."""
        return None if self._child is None else self._child.pid

    def kill(self) -> bool:
        """Send SIGKILL, and start it again after the shortest pause. Return False when it does not run."""
        if self._child is None or self._child.status is not None or self._stop_requested.is_set():
            return False
        self._was_killed = True
        self._child.kill()
        return True

    def start(self) -> None:
        """Start it, in the background."""
        self._life = asyncio.create_task(self._live(), name=f"{self._spec.name}-life")

    async def stop(self, stop_now: asyncio.Event) -> None:
        """Stop it for good; return when it has ended. `stop_now` ends its grace period."""
        self._stop_now = stop_now
        self._stop_requested.set()
        if self._life is not None:
            await self._life

    async def _live(self) -> None:
        failures = 0
        while not self._stop_requested.is_set():
            began, self._was_killed = monotonic(), False
            how = await self._run_once()
            if self._stop_requested.is_set():
                return
            failures = 0 if self._was_killed or monotonic() - began > STEADY_S else failures + 1
            pause_s = RESTART_BACKOFF.pause_s(max(0, failures - 1))
            if not self._was_killed:  # whoever killed it knows
                self._on_end(f"{how}\n    It is started again in {pause_s:g} s.")
            await self._pause(pause_s)

    async def _run_once(self) -> str:
        """Run it until it ends or is stopped; return how it ended."""
        try:
            child = await ChildProcess.start(self._spec)
        except (OSError, ValueError) as error:  # no more processes, no such folder, a NUL character
            return f"{self._spec.name} cannot be started: {clip(str(error))}"
        self._child = child
        ended = asyncio.create_task(child.wait(), name=f"{child.name}-end")
        stopping = asyncio.create_task(self._stop_requested.wait(), name=f"{child.name}-stop")
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            await child.stop(self._stop_now)
        stopping.cancel()
        await asyncio.wait({ended, stopping})
        self._child = None
        child.output.close()
        return child.describe_end()

    async def _pause(self, pause_s: float) -> None:
        try:
            async with asyncio.timeout(pause_s):
                await self._stop_requested.wait()
        except TimeoutError:
            pass
