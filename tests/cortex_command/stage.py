"""Runs `dequeuer cortex` within the test, or as a process."""

from __future__ import annotations

import asyncio
import io
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from dequeuer.commands.output import Output
from dequeuer.core.errors import ConfigurationError, DequeuerError
from dequeuer.cortex_command.arguments import parse
from dequeuer.cortex_command.calling import Calls
from dequeuer.cortex_command.cli import run
from dequeuer.cortex_command.cli_file import read_environments
from dequeuer.settings.client_loading import load_cortex_command
from tests.jobs_command.stage import ROOT, Ended, Tty


def write_environments(folder: Path, default: str | None = None, /, **urls: str) -> Path:
    """Write a `cli.yaml`; return its path."""
    path = folder / "cli.yaml"
    environments = [{"name": name, "operator_endpoint": url} for name, url in urls.items()]
    path.write_text(yaml.safe_dump({"default_environment": default, "environments": environments}))
    return path


def local(folder: Path, *line: str, environ: Mapping[str, str] | None = None) -> Ended:
    """Run a command that asks no gateway."""
    out, err = io.StringIO(), io.StringIO()
    status = run(line, {"CORTEX_CLI_CONFIG_DIR": str(folder), **(environ or {})}, Output(out, err))
    return Ended(status, out.getvalue(), err.getvalue())


async def call(folder: Path, *line: str, environ: Mapping[str, str] | None = None, terminal: bool = False) -> Ended:
    """Run a command that asks a gateway, in this event loop."""
    out, err = Tty() if terminal else io.StringIO(), io.StringIO()
    output = Output(out, err)
    try:
        calls = Calls(
            invocation=parse(line),
            environments=read_environments(folder),
            settings=load_cortex_command(environ or {}),
            output=output,
        )
        status = await calls.run()
    except ConfigurationError as error:
        status = 1
        output.note(f"error: {' '.join(error.faults)}")
    except DequeuerError as error:
        status = 1
        output.note(f"error: {error}")
    return Ended(status, out.getvalue(), err.getvalue())


async def process(folder: Path, *line: str, environ: Mapping[str, str] | None = None) -> Ended:
    """Run the program of its own as a process, as the Python package of Cortex does."""
    started = await start(folder, *line, environ=environ)
    out, err = await started.communicate()
    assert started.returncode is not None
    return Ended(started.returncode, out.decode(), err.decode())


async def start(folder: Path, *line: str, environ: Mapping[str, str] | None = None) -> asyncio.subprocess.Process:
    """Start it."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from dequeuer.__main__ import cortex; cortex()", *line),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith(("DEQUEUER_", "CORTEX_"))},
            "PYTHONPATH": str(ROOT),
            "CORTEX_CLI_CONFIG_DIR": str(folder),
            "CORTEX_CLI_INVOKER": "python",
            **(environ or {}),
        },
    )


def content(folder: Path) -> Any:
    """Return what the file holds."""
    return yaml.safe_load((folder / "cli.yaml").read_text())
