"""A child process: it runs in a session of its own; its output is read; it can be stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dequeuer.process import die_with_parent
from dequeuer.process.child_output import OutputReader
from dequeuer.process.exit_text import describe_exit, with_last_lines

OUTPUT_END_TIMEOUT_S = 1.0
"""How long to wait for the end of the output after the process has ended: a grandchild may keep the pipe open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """How to run a child process.

    Attributes:
        name: shown to the user.
        command: its program is searched in the `PATH` of `environment`.
        environment: the whole environment; nothing is inherited.
        folder: the working directory; None: that of this process.
        stop_grace_s: time between SIGTERM and SIGKILL.
        on_line: called with every line that the process prints.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    stop_grace_s: float
    on_line: Callable[[str], None]
    folder: Path | None = None


class ChildProcess:
    """A process that is running or has ended. Create it with `start`."""

    def __init__(self, spec: ProcessSpec, process: asyncio.subprocess.Process, output: OutputReader) -> None:
        self.name = spec.name
        self.output = output
        self._grace_s = spec.stop_grace_s
        self._process = process
        self._group_killed = False

    @classmethod
    async def start(cls, spec: ProcessSpec) -> ChildProcess:
        """Start the process. When its command does not exist, it prints an error and ends with status 127.

        Raises:
            OSError: the machine has no room for another process, or there is no such folder.
            ValueError: no process can have this command or environment.
        """
        if any("\0" in text for text in (*spec.command, *spec.environment.values())):
            raise ValueError("a NUL character in the command or the environment")  # uvloop would cut the text there
        loop = asyncio.get_running_loop()
        output = OutputReader(spec.on_line)
        # asyncio's own pipe is not used: its `wait` may also wait for the end of the output, which grandchildren delay.
        read_end, write_end = os.pipe()
        try:
            await loop.connect_read_pipe(lambda: output, os.fdopen(read_end, "rb"))
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(Path(die_with_parent.__file__)), str(os.getpid())),
                *spec.command,
                env=dict(spec.environment),
                cwd=spec.folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write_end,
                stderr=asyncio.subprocess.STDOUT,
                # Ctrl-C in the terminal must reach only the parent, which stops the processes in order.
                start_new_session=True,
            )
        finally:
            os.close(write_end)
        return cls(spec, process, output)

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its session and of its process group."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status (negative for a signal); None while it runs."""
        return self._process.returncode

    def kill(self) -> None:
        """Send SIGKILL."""
        if self._process.returncode is None:
            self._signal(signal.SIGKILL)

    def describe_end(self) -> str:
        """Return how the process ended, and its last lines. Call it after `wait`."""
        return with_last_lines(f"{self.name} {describe_exit(self._process.returncode or 0)}", tuple(self.output.tail))

    async def wait(self) -> int:
        """Wait until the process has ended and its output is read; return the exit status (negative for a signal)."""
        status = await self._process.wait()
        if not self._group_killed:
            # Workers of a server may still run. Kill the group at once, before another process can get the same id.
            self._group_killed = True
            self._signal(signal.SIGKILL)
        with suppress(TimeoutError):
            async with asyncio.timeout(OUTPUT_END_TIMEOUT_S):
                await self.output.ended.wait()
        return status

    async def stop(self, stop_now: asyncio.Event) -> None:
        """Send SIGTERM, after the grace period SIGKILL; return when it has ended. `stop_now` ends the grace period."""
        ended = asyncio.create_task(self.wait(), name=f"{self.name}-end")
        stopping_now = asyncio.create_task(stop_now.wait(), name=f"{self.name}-stopping_now")
        if self._process.returncode is None:
            self._signal(signal.SIGTERM)
            await asyncio.wait({ended, stopping_now}, timeout=self._grace_s, return_when=asyncio.FIRST_COMPLETED)
        self.kill()
        stopping_now.cancel()
        await asyncio.wait({ended, stopping_now})
        self.output.close()

    def _signal(self, number: signal.Signals) -> None:
        # To the whole process group, as a terminal does: the command may be a shell script or a server with workers.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
