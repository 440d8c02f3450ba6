"""Signatures of webhooks, as Standard Webhooks 1.0 defines them: HMAC-SHA256 of id, time and body.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import Final

PREFIX: Final = "whsec_"
MIN_KEY_BYTES: Final = 24
MAX_KEY_BYTES: Final = 64
MAX_KEYS: Final = 8
"""Each is one signature in the header of every delivery."""


class InvalidKeysError(Exception):
    """The text has no keys, or a line is none. The error quotes nothing of it."""


def parse_keys(text: str) -> tuple[bytes, ...]:
    """Return the keys of a text: `whsec_<base64>`, one a line; empty lines and those that begin with # do not count.

    Raises `InvalidKeysError`.
    """
    keys = []
    for number, line in enumerate(text.splitlines(), start=1):
        written = line.strip()
        if written and not written.startswith("#"):
            keys.append(_key(written, number))
    if not keys:
        raise InvalidKeysError("holds no key")
    if len(keys) > MAX_KEYS:
        raise InvalidKeysError(f"holds more than {MAX_KEYS} keys")
    return tuple(keys)


def _key(written: str, number: int) -> bytes:
    if not written.startswith(PREFIX):
        raise InvalidKeysError(f"line {number} does not begin with {PREFIX}")
    try:
        key = base64.b64decode(written.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidKeysError(f"line {number} is not base64 behind {PREFIX}") from None
    if not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
        raise InvalidKeysError(f"line {number} has a key of {len(key)} bytes: {MIN_KEY_BYTES} to {MAX_KEY_BYTES}")
    return key


def signatures(keys: Sequence[bytes], webhook_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature`: one signature for each key, so that receivers may know any of them."""
    content = b"%b.%d.%b" % (webhook_id.encode(), timestamp, body)
    digests = (base64.b64encode(hmac.digest(key, content, "sha256")).decode() for key in keys)
    return " ".join(f"v1,{digest}" for digest in digests)
