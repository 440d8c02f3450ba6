"""Runs a command of `dequeuer jobs` and returns its exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from dequeuer.core.errors import ConfigurationError
from dequeuer.jobs_command import exit_statuses
from dequeuer.jobs_command.options import Options, parse
from dequeuer.jobs_command.output import Output
from dequeuer.process.standard_streams import BROKEN_PIPE, discard_output, escape_what_cannot_be_encoded
from dequeuer.settings.jobs_command import JobsCommandSettings
from dequeuer.settings.loading import load_jobs_command


def main(argv: Sequence[str]) -> int:
    """Run the command line. Ends the process (`SystemExit`) after --help and usage errors."""
    options = parse(argv)
    escape_what_cannot_be_encoded()
    output = Output(sys.stdout, sys.stderr)
    try:
        settings = load_jobs_command(options.settings, os.environ, needs_gateway=options.command != "logs")
        return _run(options, settings, output)
    except ConfigurationError as error:
        for fault in error.faults:
            output.note(f"dequeuer jobs: {fault}")
        return exit_statuses.USAGE
    except BrokenPipeError:  # `| head` has read enough
        discard_output()
        return BROKEN_PIPE
    except OSError as error:
        output.note(f"dequeuer jobs: {error}")
        return exit_statuses.REFUSED


def _run(options: Options, settings: JobsCommandSettings, output: Output) -> int:
    from dequeuer.jobs_command.running import run_until_signal  # noqa: PLC0415 - asyncio takes time to import

    if options.command == "logs":
        from dequeuer.jobs_command.logs import print_logs  # noqa: PLC0415 - it needs no HTTP client

        return run_until_signal(print_logs(options, settings.work_folder, output))
    from dequeuer.jobs_command.calling import run_call  # noqa: PLC0415 - the HTTP client takes time to import

    token = None
    if settings.token_path is not None:
        from dequeuer.client.token import read_token  # noqa: PLC0415 - only with such a file

        token = read_token(settings.token_path)
    return run_until_signal(run_call(options, settings.gateway_url, output, token))
