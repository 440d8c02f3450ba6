"""The exceptions of the project. Their names say what the caller does next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

MAX_FOREIGN_TEXT_CHARS = 256
"""The most characters of text from outside in a log line or a status object."""


def clip(text: str, limit: int = MAX_FOREIGN_TEXT_CHARS) -> str:
    """Return text from outside made safe for one log line: printable, at most `limit` characters."""
    printable = "".join(ch if ch.isprintable() else "\N{REPLACEMENT CHARACTER}" for ch in text[: limit + 1])
    return printable if len(printable) <= limit else printable[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"


def mask(text: str) -> str:
    """Return text in which no credentials or query of a URL are left, fit for an error."""
    return re.sub(r"\?.*", "?***", re.sub(r"//.*@", "//***@", text, flags=re.DOTALL), flags=re.DOTALL)


def quoted(text: str) -> str:
    """Return text that a person gave, in quotes, masked and clipped."""
    return f'"{clip(mask(text))}"'


def describe_error(error: Exception) -> str:
    """Return the class and the text of an error of a library, clipped. A timeout without a text gets one."""
    text = str(error) or ("no response in time" if isinstance(error, TimeoutError) else "")
    return clip(f"{type(error).__name__}: {text}" if text else type(error).__name__)


class DequeuerError(Exception):
    """Base of every error raised on purpose."""


class ConfigurationError(DequeuerError):
    """The settings are not valid: exit status 2. Holds all faults, not only the first."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class FatalError(DequeuerError):
    """The process cannot continue (the queue does not exist, access is denied at start-up): exit status 1."""


class LeaseLostError(DequeuerError):
    """The lease of a message is lost: stop its work, and write or delete nothing more for it."""


class SourceUnavailableError(DequeuerError):
    """A call to the queue failed for now (throttled, 5xx, timeout, DNS): try again later."""


class SourceGoneError(FatalError):
    """The queue does not exist."""


class SourceDeniedError(FatalError):
    """The queue refuses a call; a retry does not help. Fatal at start-up; later the process waits until it is over.

    `code`: the error code of the queue; "" when there is none.
    """

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.code = code


class StoreUnavailableError(DequeuerError):
    """A call to the store failed for now (throttled, 5xx, timeout, DNS): try again later."""


class StoreMissingError(DequeuerError):
    """The object does not exist."""


class ObjectReplacedError(StoreMissingError):
    """The object is no longer the one that was listed or opened: another one was written with its key."""


class StoreDeniedError(DequeuerError):
    """The store refuses a call (permission, KMS key, region, bucket); a retry does not help.

    Fatal at start-up; later the process waits until it is over. `code`: the error code of the store; "" when there is
    none.
    """

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.code = code


class CredentialsMissingError(DequeuerError):
    """There are no AWS credentials."""


class CredentialsUnavailableError(DequeuerError):
    """The provider of AWS credentials cannot be reached: try again later."""


class ContainerUnavailableError(DequeuerError):
    """The container was not reachable, or the connection broke before the response was complete.

    Attributes:
        can_end_message: whether the message fails with this error when it was received `max_attempts` times. The
            receive counts in either case.
    """

    can_end_message: ClassVar[bool] = True


class ContainerNotHttpError(ContainerUnavailableError):
    """The container has never spoken HTTP/1: it has processed no request, so none has failed."""

    can_end_message = False


class ContainerTimeoutError(DequeuerError):
    """The container gave no complete response within the request timeout."""


class InvalidResponseError(DequeuerError):
    """The response of the container is not a result: the request has failed."""


class InvalidInputError(DequeuerError):
    """The submitted request cannot be sent to the container: the request has failed."""
