"""From the SDK's exceptions to ours: one visible map."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from dequeuer.errors import (
    DequeuerError,
    LeaseLostError,
    SourceDeniedError,
    SourceGoneError,
    SourceUnavailableError,
    clip,
)
from dequeuer.events import ErrorKind

_GONE = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "QueueDeletedRecently"})
_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidSecurity",
        "KmsAccessDenied",
        "MissingAuthenticationToken",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_REFUSED = frozenset({"ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"})


def bare(code: str) -> str:
    """Strip what the query protocol puts before an error code."""
    return code.rsplit("#", 1)[-1]


def translate(error: Exception) -> tuple[ErrorKind, DequeuerError]:
    """Return the kind for metrics and the exception for the caller.

    Anything unknown counts as unavailable: it is tried again, logged and counted, never fatal.
    """
    if isinstance(error, ClientError):
        details = error.response.get("Error", {})
        code, text = str(details.get("Code", "")), clip(f"{details.get('Code')}: {details.get('Message')}")
        return from_code(code, text)
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return "denied", SourceDeniedError(f"{clip(str(error))}: give the pod a role or AWS_ACCESS_KEY_ID")
    if isinstance(error, BotoCoreError | OSError | TimeoutError):
        return "unavailable", SourceUnavailableError(clip(f"{type(error).__name__}: {error}"))
    return "unavailable", SourceUnavailableError(type(error).__name__)


def from_code(code: str, text: str) -> tuple[ErrorKind, DequeuerError]:
    """Translate an error code of SQS, of a whole request or of one entry of a batch."""
    name = bare(code)
    if name in _GONE or code in _GONE:
        return "missing", SourceGoneError(f"the queue does not exist ({text}): check DEQUEUER_QUEUE_URL and the region")
    if name in _DENIED or name.startswith("Kms.AccessDenied"):
        return "denied", SourceDeniedError(text)
    if name in _REFUSED or name.rsplit(".", 1)[-1] in _REFUSED:
        return "refused", LeaseLostError(text)
    return "unavailable", SourceUnavailableError(text)
