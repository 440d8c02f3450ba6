"""What was given, in an error text: without secrets."""

from __future__ import annotations

import re

from dequeuer.core.errors import clip


def mask(text: str) -> str:
    """Return text in which no credentials or query of a URL are left, fit for an error."""
    return re.sub(r"\?.*", "?***", re.sub(r"//.*@", "//***@", text, flags=re.DOTALL), flags=re.DOTALL)


def quoted(text: str) -> str:
    """Return text that was given, masked, clipped and in quotes."""
    return f'"{clip(mask(text))}"'
