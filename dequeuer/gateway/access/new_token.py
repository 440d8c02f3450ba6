"""Makes a token for a caller of the gateway, and its entry in the file of tokens."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

HELP: Final = """Make a token for a caller of the gateway, and print it with its hash.

Usage:
  dequeuer token

The caller gets the token; the file that DEQUEUER_TOKENS names gets the hash. Nothing is stored.
"""
_BYTES: Final = 32
_TEXT: Final = """token (for the caller, in the header `Authorization: Bearer <token>`; it is not shown again):
{token}

entry of the file that DEQUEUER_TOKENS names (correct name, apis and may):
- name: my-caller
  sha256: ["{digest}"]
  apis: ["*"]
  may: [submit, read, control]
"""


def new_token_text() -> str:
    """Return a new token and its entry, for a terminal."""
    token = f"dq_{secrets.token_urlsafe(_BYTES)}"  # the prefix is what scanners of leaked secrets look for
    return _TEXT.format(token=token, digest=hashlib.sha256(token.encode()).hexdigest())
