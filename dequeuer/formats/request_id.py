"""The format of a request id. It is that of Cortex and must not change."""

from __future__ import annotations

import re

# \Z, not $: with $ a key could end with a line break.
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}\Z")


def is_request_id(text: str) -> bool:
    """Return whether `text` is a valid request id, which may become part of a key."""
    return _REQUEST_ID.match(text) is not None
