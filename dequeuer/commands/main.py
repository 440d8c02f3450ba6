"""Runs a command from its settings to its exit status, whatever goes wrong on this machine."""

from __future__ import annotations

import sys
from collections.abc import Callable

from dequeuer.commands import exit_statuses
from dequeuer.commands.output import Output
from dequeuer.core.errors import ConfigurationError
from dequeuer.process.standard_streams import BROKEN_PIPE, discard_output, escape_what_cannot_be_encoded


def run_command(name: str, command: Callable[[Output], int]) -> int:
    """Return the exit status of a command.

    Args:
        name: of the command, before each line about an error.
        command: may raise `ConfigurationError` and `OSError`.
    """
    escape_what_cannot_be_encoded()
    output = Output(sys.stdout, sys.stderr)
    try:
        return command(output)
    except ConfigurationError as error:
        for fault in error.faults:
            output.note(f"{name}: {fault}")
        return exit_statuses.USAGE
    except BrokenPipeError:  # `| head` has read enough
        discard_output()
        return BROKEN_PIPE
    except OSError as error:
        output.note(f"{name}: {error}")
        return exit_statuses.REFUSED


def token_of(path: str | None) -> str | None:
    """Return the token in the file of the setting; None without the setting. Raises `ConfigurationError`."""
    if path is None:
        return None
    from dequeuer.client.token import read_token  # noqa: PLC0415 - only with such a file

    return read_token(path)
