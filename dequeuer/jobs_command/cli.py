"""Runs a command of `dequeuer jobs` and returns its exit status."""

from __future__ import annotations

import os
from collections.abc import Sequence

from dequeuer.commands.main import run_command, token_of
from dequeuer.commands.output import Output
from dequeuer.jobs_command.options import Options, parse
from dequeuer.settings.client_loading import load_jobs_command


def main(argv: Sequence[str]) -> int:
    """Run the command line. Ends the process (`SystemExit`) after --help and usage errors."""
    options = parse(argv)
    return run_command("dequeuer jobs", lambda output: _run(options, output))


def _run(options: Options, output: Output) -> int:
    settings = load_jobs_command(options.settings, os.environ, needs_gateway=options.command != "logs")
    from dequeuer.commands.running import run_until_signal  # noqa: PLC0415 - asyncio takes time to import

    if options.command == "logs":
        from dequeuer.jobs_command.logs import print_logs  # noqa: PLC0415 - it needs no HTTP client

        return run_until_signal(print_logs(options, settings.work_folder, output))
    from dequeuer.jobs_command.calling import run_call  # noqa: PLC0415 - the HTTP client takes time to import

    token = token_of(settings.token_path)
    return run_until_signal(run_call(options, settings.gateway_url, output, token))
