"""A file that is replaced only by a whole one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from dequeuer.core.errors import ConfigurationError, clip, quoted


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a file beside the one that it replaces when the context ends; after an error it is deleted.

    A process that is killed leaves it: a hidden file that ends in `.part`. The errors name the option `--output`.

    Raises:
        ConfigurationError: no file can be written there.
    """
    target = Path(os.path.realpath(path))  # a link stays a link
    if target.exists() and not target.is_file():
        fault = f"--output: {quoted(str(path))} is no regular file; name one, or redirect standard output"
        raise ConfigurationError([fault])
    part = target.with_name(f".{target.name[:50]}.{secrets.token_hex(4)}.part")
    try:
        file = part.open("xb")
    except OSError as error:
        reason = clip(error.strerror or type(error).__name__)
        raise ConfigurationError(
            [f"--output: {quoted(str(path))} cannot be written ({reason}); name another"]
        ) from None
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException as error:
        if isinstance(error, OSError):
            error.filename = error.filename or str(path)  # a full disk names no file
        part.unlink(missing_ok=True)
        raise
