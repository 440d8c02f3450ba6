"""The content of `status/failed`: why a request failed. Those of Cortex are empty.

It is a JSON object with the fields `error`, `code`, `status_code` and `attempts`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, Literal, get_args

from dequeuer.core.errors import clip
from dequeuer.formats.json_reading import object_or_none

FailureCode = Literal[
    "container_status",
    "invalid_result",
    "timeout",
    "unreachable",
    "missing_payload",
    "invalid_input",
    "store_refused",
    "cancelled",
    "expired",
    "bug",
]
"""container_status: the container answered with another status. invalid_result: with something that is not a result.
timeout: not in time. unreachable: not at all. missing_payload, invalid_input: what was submitted is gone, or malformed.
store_refused: the store refuses what the request needs. cancelled: by a client, or at its deadline while it ran.
expired: its deadline had passed before it was begun. bug: of the sidecar."""
FAILURE_CODES: Final[frozenset[str]] = frozenset(get_args(FailureCode))
MAX_FAILURE_BYTES: Final = 16 * 1024
"""More than any content that is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFailure:
    """Why a request failed.

    Attributes:
        error: for people, one sentence.
        code: for programs.
        status_code: of the container's response; None when there was none.
    """

    error: str
    code: FailureCode
    status_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFailure:
    """What a `status/failed` says. A field is None when it is missing or of another type: also others write them."""

    error: str | None = None
    code: str | None = None
    status_code: int | None = None
    attempts: int | None = None


def encode_failure(failure: RequestFailure, attempts: int) -> bytes:
    """Return the content. The text is clipped. `attempts`: receives so far."""
    return json.dumps(
        {
            "error": clip(failure.error),
            "code": failure.code,
            "status_code": failure.status_code,
            "attempts": attempts,
        }
    ).encode()


def decode_failure(content: bytes) -> StoredFailure:
    """Return what is said, whatever the content is. Unknown codes are left out."""
    document = object_or_none(content)
    if document is None:
        return StoredFailure()
    error, code = document.get("error"), document.get("code")
    return StoredFailure(
        error=clip(error) if isinstance(error, str) else None,
        code=code if isinstance(code, str) and code in FAILURE_CODES else None,
        status_code=_number(document.get("status_code")),
        attempts=_number(document.get("attempts")),
    )


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
