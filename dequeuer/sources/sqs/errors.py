"""Maps the errors of SQS to exceptions of the core, for both clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from dequeuer.core.errors import (
    CredentialsMissingError,
    DequeuerError,
    LeaseLostError,
    SourceDeniedError,
    SourceGoneError,
    SourceUnavailableError,
    clip,
    describe_error,
)
from dequeuer.core.events import ErrorKind, SourceCalled, SourceOp
from dequeuer.core.refusal_codes import NO_CREDENTIALS, is_refusal
from dequeuer.http.errors import HttpTransportError

Translate: TypeAlias = Callable[[Exception], tuple[ErrorKind, DequeuerError]]

_GONE = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "QueueDeletedRecently"})
_REFUSED = frozenset({"ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"})


def bare(code: str) -> str:
    """Return an error code without its namespace."""
    return code.rsplit("#", 1)[-1]


class SqsResponseError(Exception):
    """SQS responded with an error: HTTP status, error code and text."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(clip(f"{code or status}: {text}"))
        self.status = status
        self.code = code


def translate(error: Exception) -> tuple[ErrorKind, DequeuerError]:
    """Return the kind for metrics, and the exception for the caller.

    An error without a code, or one that does not come from SQS, counts as unavailable: it is retried, never fatal.
    """
    if isinstance(error, SqsResponseError):
        return from_code(error.code, str(error), error.status, where(error))
    if isinstance(error, CredentialsMissingError):
        return "denied", SourceDeniedError(clip(str(error)), NO_CREDENTIALS)
    if isinstance(error, DequeuerError | HttpTransportError | OSError | TimeoutError):
        return "unavailable", SourceUnavailableError(describe_error(error))
    return "unavailable", SourceUnavailableError(type(error).__name__)


def where(error: Exception) -> str:
    """Return queue, endpoint and region of the failed call: the notes that the client has added to the error."""
    return "; ".join(getattr(error, "__notes__", ()))


def from_code(code: str, text: str, status: int = 0, asked: str = "") -> tuple[ErrorKind, DequeuerError]:
    """Translate an error code of a whole request, or of one entry of a batch request (`status` 0).

    `asked`: see `where`.
    """
    name = bare(code)
    if name in _GONE or code in _GONE:
        return "missing", SourceGoneError(
            f"the queue does not exist ({asked or text}): check DEQUEUER_QUEUE_URL and the region"
        )
    if name in _REFUSED or name.rsplit(".", 1)[-1] in _REFUSED:
        return "refused", LeaseLostError(text)
    if is_refusal(status, code):
        return "denied", SourceDeniedError(text, code)
    return "unavailable", SourceUnavailableError(text)


def error_of_send(error: DequeuerError) -> DequeuerError:
    """Return the error of a call that sends. A refused parameter or message is no lost lease: it has no handle."""
    return SourceDeniedError(str(error)) if isinstance(error, LeaseLostError) else error


def failed_call(
    op: SourceOp, kind: ErrorKind, error: Exception, *, duration_s: float = 0.0, queue: str = ""
) -> SourceCalled:
    """Return the event of a call that failed, or of one entry of a call. `kind` and `error`: see `Translate`."""
    code = error.code if isinstance(error, SourceDeniedError) else ""
    return SourceCalled(op=op, messages=0, duration_s=duration_s, error=kind, detail=str(error), code=code, queue=queue)
