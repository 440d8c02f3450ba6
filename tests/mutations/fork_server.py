"""Runs tests again and again, each time in a fork that has imported what nobody mutates: `fork_server.py FOLDER`.

It reads a line of JSON from standard input for each run, `{"tests": [...], "timeout_s": 120}`, and writes a line with the
exit status of pytest; a negative number is the signal that ended it, SIGALRM after its time. Nothing of the project is
imported before the fork: each run meets the files as they are then.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys

import pytest

# Of the packages that most tests need. Those that a fork does not find here it imports itself.
PACKAGES = (
    *("aiohttp.test_utils", "aiohttp.web", "brotli", "httptools", "hypothesis", "looptime", "multidict"),
    *("prometheus_client", "pydantic", "pytest_asyncio.plugin", "structlog", "tenacity", "uvloop", "yaml", "yarl"),
)
OPTIONS = (
    *("-q", "-x", "-p", "no:xdist"),
    # In tox the cache would be that of the environment.
    *("-o", "cache_dir=.pytest_cache"),
    # Tracebacks of Python itself: on Python 3.11 pytest's own can end in an internal error (a SystemError of `ast`).
    "--tb=native",
    # The plugins of PACKAGES. Their asserts are not those of this project.
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)


def run(tests: list[str], timeout_s: int) -> int:
    """Run pytest in a fork; return its exit status."""
    fork = os.fork()
    if fork == 0:
        signal.alarm(timeout_s)
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nothing, stream)
        status = pytest.main([*OPTIONS, *tests])
        os._exit(int(status))
    return os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1])


def main() -> None:
    """Serve until standard input ends."""
    for name in PACKAGES:
        importlib.import_module(name)
    os.chdir(sys.argv[1])
    sys.path[0] = sys.argv[1]
    for line in sys.stdin:
        print(run(**json.loads(line)), flush=True)


if __name__ == "__main__":
    main()
