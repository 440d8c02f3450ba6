"""The file of hosts that containers see instead of the machine's."""

from __future__ import annotations

from typing import Final

from dequeuer.core.errors import ConfigurationError
from dequeuer.files.reading import UnreadableError, read_bounded

MAX_BYTES: Final = 1024 * 1024


def read_hosts(path: str | None) -> str:
    """Return the content of `DEQUEUER_HOSTS_PATH`; "": containers see what the machine has. Blocks.

    Raises:
        ConfigurationError: it cannot be read.
    """
    if path is None:
        return ""
    try:
        return read_bounded(path, MAX_BYTES).decode()
    except UnreadableError as error:
        reason = str(error)
    except UnicodeDecodeError:
        reason = "is not UTF-8"
    raise ConfigurationError([f"DEQUEUER_HOSTS_PATH: {reason}; allowed: a file like /etc/hosts, up to 1 MiB"])
