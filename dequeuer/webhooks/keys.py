"""The keys of the signatures, from a file that is read again when it changes: keys are replaced without a restart."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Final

from dequeuer.core.errors import ConfigurationError, clip
from dequeuer.files.reading import UnreadableError, read_bounded
from dequeuer.formats.webhook_signature import InvalidKeysError, parse_keys

MAX_BYTES: Final = 16 * 1024


def load_keys(path: str) -> tuple[bytes, ...]:
    """Return the keys of a file. Raises `ConfigurationError`, whose text quotes no key."""
    try:
        return parse_keys(read_bounded(path, MAX_BYTES).decode("ascii"))
    except (UnreadableError, InvalidKeysError) as error:
        raise ConfigurationError([f'"{clip(path)}" {error}']) from None
    except UnicodeDecodeError:
        raise ConfigurationError([f'"{clip(path)}" holds other characters than ASCII']) from None


class KeyFile:
    """The keys as the file has them now. A change that makes it faulty is reported once; the old keys go on.

    Args:
        path: of the file.
        report: gets the fault in words, or "" when the keys were replaced.
    """

    def __init__(self, path: str, report: Callable[[str], None]) -> None:
        self._path = path
        self._report = report
        self._seen = self._look()
        self._keys = load_keys(path)

    def keys(self) -> Sequence[bytes]:
        """Return the keys."""
        seen = self._look()
        if seen != self._seen:
            self._seen = seen
            try:
                self._keys = load_keys(self._path)
            except ConfigurationError as error:
                self._report(str(error))
            else:
                self._report("")
        return self._keys

    def _look(self) -> tuple[int, int, int] | None:
        """Return what changes with the content: Kubernetes replaces a secret by another file."""
        try:
            found = os.stat(self._path)  # noqa: PTH116 - as cheap as it gets: once for each delivery
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size
