"""The token that a client sends to a gateway, from a file: variables and command lines are seen by others."""

from __future__ import annotations

import re
from typing import Final

from dequeuer.core.errors import ConfigurationError, clip
from dequeuer.files.reading import UnreadableError, read_bounded

MAX_BYTES: Final = 4096
# RFC 6750, section 2.1: what else it held could add a header of its own.
_TOKEN: Final = re.compile(rb"[A-Za-z0-9._~+/-]{1,500}=*")


def read_token(path: str) -> str:
    """Return the token in a file; space around it is left out. Blocks while it is read.

    Raises:
        ConfigurationError: it cannot be read, or holds no token. The text shows nothing of it.
    """
    try:
        data = read_bounded(path, MAX_BYTES).strip()
    except UnreadableError as error:
        raise ConfigurationError([f"{clip(path)}: {error}; allowed: a readable file with a token"]) from None
    if _TOKEN.fullmatch(data) is None:
        raise ConfigurationError([f"{clip(path)}: holds no token; allowed: what `dequeuer token` prints, alone"])
    return data.decode()
