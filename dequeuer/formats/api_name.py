"""The form of the name of an API at a gateway. It becomes a part of keys and of paths."""

from __future__ import annotations

import re
from typing import Final

API_NAME_PATTERN: Final = "[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
"""Of a whole name. APIs with jobs have shorter ones (`jobs.names`)."""

_is_name: Final = re.compile(API_NAME_PATTERN).fullmatch


def is_api_name(text: str) -> bool:
    """Return whether `text` may be the name of an API, and so part of a key or of a path."""
    return _is_name(text) is not None
