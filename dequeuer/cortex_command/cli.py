"""Runs a command of `dequeuer cortex` and returns its exit status: 0, or 1 with `error: ...` on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from dequeuer import __version__
from dequeuer.commands.output import Output
from dequeuer.core.errors import ConfigurationError, DequeuerError
from dequeuer.cortex_command.advice import advice_for
from dequeuer.cortex_command.arguments import Invocation, UsageError, parse
from dequeuer.cortex_command.cli_file import read_environments
from dequeuer.cortex_command.commands import COMMANDS
from dequeuer.cortex_command.environment_commands import ENVIRONMENT_COMMANDS
from dequeuer.cortex_command.environments import folder_of
from dequeuer.process.standard_streams import BROKEN_PIPE, discard_output, escape_what_cannot_be_encoded
from dequeuer.settings.client_loading import load_cortex_command

OK: Final = 0
FAILED: Final = 1
CORTEX_VERSION: Final = "0.42.1"
"""Whose formats these are."""


def main(argv: Sequence[str], environ: Mapping[str, str] | None = None) -> int:
    """Run the command line. `environ`: None: that of the process."""
    escape_what_cannot_be_encoded()
    output = Output(sys.stdout, sys.stderr)
    try:
        return run(argv, os.environ if environ is None else environ, output)
    except BrokenPipeError:  # `| head` has read enough
        discard_output()
        return BROKEN_PIPE


def run(argv: Sequence[str], environ: Mapping[str, str], output: Output) -> int:
    """Return the exit status of a command line. Raises `BrokenPipeError`."""
    try:
        return _run(parse(argv), environ, output)
    except ConfigurationError as error:
        for fault in error.faults:
            output.note(f"error: {fault}")
    except BrokenPipeError:
        raise
    except (DequeuerError, OSError) as error:
        output.note(f"error: {error}")
    return FAILED


def _run(invocation: Invocation, environ: Mapping[str, str], output: Output) -> int:
    if invocation.command is None or "help" in invocation.switches:
        return _help(invocation, output)
    advice = advice_for(invocation.path, invocation.words)
    if advice is not None:
        raise UsageError(advice)
    folder = folder_of(environ)
    if invocation.path[0] == "env":
        return ENVIRONMENT_COMMANDS[invocation.path[1]](invocation, folder, environ, output)
    if invocation.path == ("version",):
        output.line(f"cli version: {CORTEX_VERSION} (dequeuer {__version__})")
        return OK
    settings = load_cortex_command(environ)
    environments = read_environments(folder)
    from dequeuer.commands.running import run_until_signal  # noqa: PLC0415 - asyncio takes time to import
    from dequeuer.cortex_command.calling import Calls  # noqa: PLC0415 - the HTTP client takes time to import

    calls = Calls(invocation=invocation, environments=environments, settings=settings, output=output)
    return run_until_signal(calls.run())


def _help(invocation: Invocation, output: Output) -> int:
    known = {path: command for path, command in COMMANDS.items() if path[: len(invocation.path)] == invocation.path}
    output.line("Cortex's commands, at a gateway. Usage:")
    for command in known.values():
        output.line(f"  {command.usage:<58}  {command.text}")
    return OK
