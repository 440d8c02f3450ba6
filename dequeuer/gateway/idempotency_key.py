"""The header `Idempotency-Key`: the name that a client gives to a submission, so that it can send it again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dequeuer.gateway.problems import ProblemError

IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
MAX_KEY_CHARS: Final = 255
# A structured-field string (RFC 9651): printable ASCII, with a backslash before a quote and a backslash.
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"\Z')
# Many clients send a UUID without quotes. A comma or semicolon would be the syntax of a list or of a parameter.
_BARE = re.compile(r"[!#-+\--:<-\[\]-~]+\Z")


class InvalidKeyError(ProblemError):
    """The header is malformed."""

    def __init__(self, text: str) -> None:
        super().__init__(400, "invalid_idempotency_key", text)


class KeyInUseError(ProblemError):
    """A request with this key is being stored. The client can try again."""

    def __init__(self, text: str, *, retry_after_s: int = 1) -> None:
        super().__init__(409, "idempotency_key_in_use", text, retry_after_s=retry_after_s)


class KeyReusedError(ProblemError):
    """The key belongs to another payload."""

    def __init__(self, text: str) -> None:
        super().__init__(422, "idempotency_key_reused", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """A key, as it is told apart.

    Attributes:
        caller: who sent it; "" when callers are not told apart. Two callers may use the same key.
        value: of the header, without quotes.
    """

    caller: str
    value: str

    @property
    def digest(self) -> str:
        """What the key's records are named by, hexadecimal: safe in a key of S3, whatever the caller has sent."""
        return hashlib.sha256(f"{self.caller}\n{self.value}".encode()).hexdigest()


def read_key(values: Sequence[str], caller: str) -> IdempotencyKey | None:
    """Return the key of a submission; None without one.

    Args:
        values: of all headers with that name.
        caller: who is known to have sent it; never what the client says of itself.

    Raises `InvalidKeyError`.
    """
    if not values:
        return None
    if len(values) > 1:
        message = f"{IDEMPOTENCY_HEADER} is there {len(values)} times: send it once"
        raise InvalidKeyError(message)
    text = values[0].strip(" \t")
    quoted = _QUOTED.match(text)
    if quoted is not None:
        value = re.sub(r"\\(.)", r"\1", quoted[1])
    elif _BARE.match(text) is not None:
        value = text
    else:
        value = ""
    if not 1 <= len(value) <= MAX_KEY_CHARS:
        message = (
            f"{IDEMPOTENCY_HEADER} ({len(text)} characters) is not 1 to {MAX_KEY_CHARS} printable ones in quotes: "
            'send a value such as "8e03978e-40d5-43dd-bc93-6894a57f9324"'
        )
        raise InvalidKeyError(message)
    return IdempotencyKey(caller=caller, value=value)
