"""Runs a command for requests and returns its exit status."""

from __future__ import annotations

import os
from collections.abc import Sequence

from dequeuer.commands.main import run_command, token_of
from dequeuer.commands.output import Output
from dequeuer.requests_command.arguments import parse
from dequeuer.requests_command.options import Options
from dequeuer.settings.client_loading import load_requests_command


def main(argv: Sequence[str]) -> int:
    """Run the command line, whose first word is the command. Ends the process after --help and usage errors."""
    options = parse(argv)
    return run_command(options.name, lambda output: _run(options, output))


def _run(options: Options, output: Output) -> int:
    settings = load_requests_command(options.settings, os.environ)
    token = token_of(settings.token_path)
    from dequeuer.commands.running import run_until_signal  # noqa: PLC0415 - asyncio takes time to import
    from dequeuer.requests_command.calling import run_call  # noqa: PLC0415 - the HTTP client takes time to import

    return run_until_signal(run_call(options, settings.gateway_url, output, token))
