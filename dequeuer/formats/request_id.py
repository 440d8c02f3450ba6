"""The format of a request id. It is that of Cortex and must not change; and the ids that the gateway makes.

Those are UUIDs of version 8 (RFC 9562). Their first 48 bits are the time at which they were made, counted down: in the
order of their keys the newest request comes first, so requests are listed without an index of them.
"""

from __future__ import annotations

import re
import secrets
from typing import Final

LAST_MS: Final = (1 << 48) - 1
"""The first 48 bits of an id are this number minus the milliseconds since the epoch."""
MADE_ID: Final = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")
"""An id that the gateway has made. The two groups are its time, hexadecimal."""

ID_PATTERN: Final = "[A-Za-z0-9][A-Za-z0-9._:-]{0,127}"
"""Of a whole id."""
# \Z, not $: with $ a key could end with a line break.
_REQUEST_ID = re.compile(rf"{ID_PATTERN}\Z")


def is_request_id(text: str) -> bool:
    """Return whether `text` is a valid request id, which may become part of a key."""
    return _REQUEST_ID.match(text) is not None


def make_request_id(now_s: float) -> str:
    """Return a new id, 74 bits of it random. `now_s`: seconds since the epoch."""
    left = first_id_of(now_s)
    rest = secrets.randbits(74)
    return f"{left}-8{rest >> 62:03x}-{0x8000 | (rest >> 48 & 0x3FFF):04x}-{rest & 0xFFFFFFFFFFFF:012x}"


def first_id_of(at_s: float) -> str:
    """Return what an id of this time begins with: it comes after those that were made later.

    `at_s`: seconds since the epoch.
    """
    digits = f"{LAST_MS - int(at_s * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}"
