"""Maps refusals of S3 to errors of the core. Their texts quote nothing of a response but its error code."""

from __future__ import annotations

import re
from typing import TypeAlias

from dequeuer.core.errors import (
    CredentialsMissingError,
    ObjectReplacedError,
    StoreDeniedError,
    StoreMissingError,
    StoreUnavailableError,
    clip,
)
from dequeuer.core.events import ErrorKind
from dequeuer.core.refusal_codes import BUCKET, NO_CREDENTIALS, REGION, is_refusal

_CODE_TAG = re.compile(rb"<(?:\w+:)?Code>\s*([A-Za-z0-9.]{1,64})\s*</")
_CODE = re.compile(r"[A-Za-z0-9.]{1,64}")
_CODE_WITHIN_BYTES = 4096

LOST_PART = "InvalidPart"
"""CompleteMultipartUpload names a part that S3 does not have, or that has another ETag. A retry cannot help."""

REPLACED = "the object was replaced while it was being read"

StoreError: TypeAlias = StoreDeniedError | StoreMissingError | StoreUnavailableError
STORE_ERRORS = (StoreDeniedError, StoreMissingError, StoreUnavailableError)


def code_in(body: bytes) -> str:
    """Return the error code of a response; empty when it has none."""
    found = _CODE_TAG.search(body, 0, _CODE_WITHIN_BYTES)
    return found[1].decode() if found else ""


def error_code(text: str | None) -> str:
    """Return the content of a `Code` element if it has the form of a code, so that it is safe to log; else nothing."""
    return text if text is not None and _CODE.fullmatch(text) else ""


def refused(status: int, code: str) -> StoreError:
    """Return the error for a refusal.

    Args:
        status: HTTP status; 200 when the error was in the body of a response with status 200.
        code: error code of S3; empty when there is none.
    """
    if code == "NoSuchBucket":
        return StoreDeniedError("the bucket does not exist: check DEQUEUER_BUCKET and the region", code)
    text = f"S3 answered {status} {code}".rstrip()
    if (status == 404 and code not in BUCKET) or code == LOST_PART:
        return StoreMissingError(text)
    if status == 412:
        return ObjectReplacedError(REPLACED)
    if not is_refusal(status, code):
        return StoreUnavailableError(text)
    return StoreDeniedError(
        f"{text}: the bucket is in another region: check AWS_REGION" if code in REGION else text, code
    )


def error_without_response(error: Exception) -> StoreError:
    """Return the error for a request without a response."""
    return (
        StoreDeniedError(str(error), NO_CREDENTIALS)
        if isinstance(error, CredentialsMissingError)
        else StoreUnavailableError(clip(str(error)))
    )


def kind_of(error: StoreError) -> ErrorKind:
    """Return the kind of an error for metrics."""
    if isinstance(error, StoreMissingError):
        return "missing"
    return "denied" if isinstance(error, StoreDeniedError) else "unavailable"
