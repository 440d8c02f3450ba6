"""The file of the option `--output`, which is replaced only by a whole one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from dequeuer.core.errors import ConfigurationError, clip, quoted
from dequeuer.files.replacing import replaced


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a file as `replaced` does. The errors name the option.

    Raises:
        ConfigurationError: no file can be written there.
    """
    if path.exists() and not path.is_file():
        fault = f"--output: {quoted(str(path))} is no regular file; name one, or redirect standard output"
        raise ConfigurationError([fault])
    with ExitStack() as stack:
        try:
            file = stack.enter_context(replaced(path))
        except OSError as error:
            reason = clip(error.strerror or type(error).__name__)
            raise ConfigurationError(
                [f"--output: {quoted(str(path))} cannot be written ({reason}); name another"]
            ) from None
        yield file
