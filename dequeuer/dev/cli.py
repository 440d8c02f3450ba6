"""`dequeuer dev`: from the command line to the exit status."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dequeuer.dev.environment import leave_aws
from dequeuer.dev.errors import DevError
from dequeuer.dev.options import Options, parse
from dequeuer.dev.view import default_view

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130


def main(argv: Sequence[str]) -> int:
    """Run the local stack; return the exit status. Ends the process (`SystemExit`) after --help and usage errors."""
    options = parse(argv)
    try:
        return asyncio.run(_run(options))
    except DevError as error:
        print(f"dequeuer dev: {error}", file=sys.stderr)
    except KeyboardInterrupt:  # before anything was started, which handles it otherwise
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output is gone (`dequeuer dev | head`); Python would complain once more at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_FAILED


async def _run(options: Options) -> int:
    inherited = dict(os.environ)
    leave_aws(os.environ)
    # Imported only now: the SDK reads the environment.
    from dequeuer.dev.stack import Stack  # noqa: PLC0415 - see above

    with tempfile.TemporaryDirectory(prefix="dequeuer-dev-", ignore_cleanup_errors=True) as directory:
        return await Stack(options, inherited, Path(directory), default_view()).run()
