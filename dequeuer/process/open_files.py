"""How many files and connections the process may have open."""

from __future__ import annotations

import contextlib
import resource


def raise_open_files_limit() -> int:
    """Raise the soft limit to the hard one, and return the limit that holds then.

    The soft limit is often 1024, for programs that use `select`.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):  # a sandbox may forbid it
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
