"""One part of the stack: a process in a session of its own, its output, and its end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dequeuer.dev import guard
from dequeuer.dev.errors import PartDiedError
from dequeuer.dev.output import Output

LAST_WORDS_S = 1.0
"""How long the output of a part that has ended is waited for: a grandchild may keep the pipe open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to run a part.

    Attributes:
        name: as it is shown.
        command: found by `PATH` of `environment`.
        environment: all of it; nothing is inherited.
        stop_grace_s: between SIGTERM and SIGKILL.
        on_line: gets every line that is printed.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    stop_grace_s: float
    on_line: Callable[[str], None]


class Part:
    """A process that runs, or has run. Made by `start`."""

    def __init__(self, plan: Plan, process: asyncio.subprocess.Process, output: Output) -> None:
        self.name = plan.name
        self.output = output
        self._grace_s = plan.stop_grace_s
        self._process = process
        self._swept = False

    @classmethod
    async def start(cls, plan: Plan) -> Part:
        """Start it. A command that does not exist is a part that ends with status 127 and says so."""
        loop = asyncio.get_running_loop()
        output = Output(plan.on_line)
        # A pipe of ours, not asyncio's: its `wait` may want the end of the output, too, which grandchildren delay.
        read_end, write_end = os.pipe()
        try:
            await loop.connect_read_pipe(lambda: output, os.fdopen(read_end, "rb"))
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(Path(guard.__file__)), str(os.getpid())),
                *plan.command,
                env=dict(plan.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write_end,
                stderr=asyncio.subprocess.STDOUT,
                # Ctrl-C in the terminal reaches us alone: the order in which the parts end is ours.
                start_new_session=True,
            )
        finally:
            os.close(write_end)
        return cls(plan, process, output)

    @property
    def pid(self) -> int:
        """The process, which is its session's and group's leader."""
        return self._process.pid

    async def wait(self) -> int:
        """Return the exit status (negative: a signal), once its last lines have been read."""
        status = await self._process.wait()
        if not self._swept:
            # At once, while the number cannot have been given to a stranger: workers of a server may remain.
            self._swept = True
            self._signal(signal.SIGKILL)
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S):
                await self.output.ended.wait()
        return status

    def death(self) -> PartDiedError:
        """Return the error that tells of its end. Only after `wait`."""
        return PartDiedError(self.name, self._process.returncode or 0, tuple(self.output.tail))

    async def stop(self, hurry: asyncio.Event) -> None:
        """Ask it to end, then make it; returns when it is gone. `hurry` ends the patience."""
        ended = asyncio.create_task(self.wait(), name=f"{self.name}-end")
        hurried = asyncio.create_task(hurry.wait(), name=f"{self.name}-hurried")
        if self._process.returncode is None:
            self._signal(signal.SIGTERM)
            await asyncio.wait({ended, hurried}, timeout=self._grace_s, return_when=asyncio.FIRST_COMPLETED)
        if self._process.returncode is None:
            self._signal(signal.SIGKILL)
        hurried.cancel()
        await asyncio.wait({ended, hurried})
        self.output.close()

    def _signal(self, number: signal.Signals) -> None:
        # The whole group, as a terminal does it: a server with workers, a shell script.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
