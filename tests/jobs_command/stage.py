"""Runs `dequeuer jobs` within the test, or as a process."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping

from dequeuer.commands.output import Output
from dequeuer.jobs_command.calling import run_call
from dequeuer.jobs_command.options import parse
from tests.commands import stage
from tests.commands.stage import ROOT, Ended, Tty, ended

__all__ = ["ROOT", "Ended", "Tty", "call", "ended", "run", "start"]


async def call(url: str, *line: str, terminal: bool = False) -> Ended:
    """Run a command against a gateway."""
    out, err = Tty() if terminal else io.StringIO(), io.StringIO()
    status = await run_call(parse(line), url, Output(out, err))
    return Ended(status, out.getvalue(), err.getvalue())


async def start(
    *line: str, env: Mapping[str, str] | None = None, stdin: int | None = asyncio.subprocess.DEVNULL
) -> asyncio.subprocess.Process:
    """Start the command as a process."""
    return await stage.start("jobs", *line, env=env, stdin=stdin)


async def run(*line: str, env: Mapping[str, str] | None = None, stdin: bytes | None = None) -> Ended:
    """Run the command as a process."""
    return await stage.run("jobs", *line, env=env, stdin=stdin)
