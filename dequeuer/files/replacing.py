"""Replaces a file by a whole one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

OWN_FILE: Final = 0o600
"""Rights of a file that is its owner's alone."""


@contextmanager
def replaced(path: Path, rights: int | None = None) -> Iterator[BinaryIO]:
    """Yield a file beside the one that it replaces when the context ends; after an error it is deleted.

    A process that is killed leaves it: a hidden file that ends in `.part`. A link stays a link.

    Args:
        path: of the file that is replaced.
        rights: of the new file, which until its end is its owner's alone; None: those of any new file of the process.

    Raises:
        OSError: no file can be written there; before the context begins, if it cannot be made.
    """
    target = Path(os.path.realpath(path))
    part = target.with_name(f".{target.name[:50]}.{secrets.token_hex(4)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    file = os.fdopen(os.open(part, flags, 0o666 if rights is None else OWN_FILE), "wb")
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if rights is not None:
            part.chmod(rights)
        part.replace(target)
    except BaseException as error:
        if isinstance(error, OSError):
            error.filename = error.filename or str(path)  # a full disk names no file
        part.unlink(missing_ok=True)
        raise
