"""Reads a file that a person named: whole, bounded, and nothing that could block."""

from __future__ import annotations

import stat
from pathlib import Path

from dequeuer.core.errors import clip

STANDARD_INPUT = "-"
"""In place of a path, where a command reads one."""
MAX_DEPTH = 100
"""How deep lists and mappings of such a file may be nested."""


class UnreadableError(Exception):
    """The file is not there, or is not what it should be. The text follows the path in a fault."""


class AbsentError(UnreadableError):
    """Nothing is at the path. A path that cannot be examined is not absent."""


class BelowFileError(AbsentError):
    """Nothing can be at the path, because a file is where one of its folders should be."""


def read_bounded(path: str, max_bytes: int) -> bytes:
    """Return the content of a regular file.

    Raises:
        AbsentError: there is no such file; a `BelowFileError` when there can be none.
        UnreadableError: it is no regular file, it cannot be read, or it is too large.
    """
    try:
        # Opening a pipe would block the start for ever.
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise UnreadableError("is no regular file")
        with Path(path).open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise _kind_of(error)(f"cannot be read ({clip(error.strerror or type(error).__name__)})") from None
    except ValueError:  # a NUL in the path
        raise UnreadableError("cannot be read (its path holds a NUL)") from None
    if len(data) > max_bytes:
        raise UnreadableError(f"is larger than {max_bytes} bytes")
    return data


def _kind_of(error: OSError) -> type[UnreadableError]:
    if isinstance(error, NotADirectoryError):
        return BelowFileError
    return AbsentError if isinstance(error, FileNotFoundError) else UnreadableError
