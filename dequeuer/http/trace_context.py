"""W3C Trace Context: the field `traceparent` is passed on, or begun."""

from __future__ import annotations

import random
import re
from typing import Final

_VALID: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[!-~]*)?")
_SIZE: Final = 55
"""Of a field of version 00; a later version may have more after it."""


def traceparent(value: bytes | None) -> tuple[bytes, str]:
    """Return the field for the container, and the id of the trace.

    A valid field is passed on unchanged. Without one a trace is begun that nobody has decided to record.
    """
    found = _VALID.fullmatch(value) if value else None
    if value is not None and found is not None and (len(value) == _SIZE or not value.startswith(b"00")):
        return value, found[1].decode()
    # One call of the generator: the top bits of neither id may be lost, and neither may be zero.
    ids = f"{random.getrandbits(192) | 1 << 64 | 1:048x}"
    return f"00-{ids[:32]}-{ids[32:]}-00".encode(), ids[:32]
