"""How many entries a list may have, of requests, of jobs and of dead letters."""

from __future__ import annotations

from typing import Final

MAX_LISTED: Final = 100
DEFAULT_LISTED: Final = 20
ALLOWED_LIMITS: Final = f"a whole number from 1 to {MAX_LISTED}"


def read_limit(text: str | None) -> int | None:
    """Return the limit that a client asks for. `text`: None: it asks for none. None: there is no such limit."""
    if text is None:
        return DEFAULT_LISTED
    is_limit = text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= MAX_LISTED
    return int(text) if is_limit else None
