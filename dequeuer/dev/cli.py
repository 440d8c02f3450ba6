"""The command line of `dequeuer dev` and its exit status."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dequeuer.dev.display import stdout_display
from dequeuer.dev.environment import remove_aws_settings
from dequeuer.dev.errors import DevError
from dequeuer.dev.options import Options, parse

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130


def main(argv: Sequence[str]) -> int:
    """Run the local stack; return the exit status. Ends the process (`SystemExit`) after --help and usage errors."""
    options = parse(argv)
    try:
        return asyncio.run(_run(options))
    except DevError as error:
        print(f"dequeuer dev: {error}", file=sys.stderr)
    except KeyboardInterrupt:  # before the supervisor was started; from then on it handles SIGINT
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of the output has exited (`dequeuer dev | head`); Python would print another error at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_FAILED


async def _run(options: Options) -> int:
    inherited = dict(os.environ)
    remove_aws_settings(os.environ)
    # Imported after the environment was changed, because the SDK reads it.
    from dequeuer.dev.stack import Stack  # noqa: PLC0415 - see above

    with tempfile.TemporaryDirectory(prefix="dequeuer-dev-", ignore_cleanup_errors=True) as directory:
        return await Stack(options, inherited, Path(directory), stdout_display()).run()
