"""The exception tree, named for what the caller does next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

MAX_FOREIGN_TEXT_CHARS = 256
"""Characters of foreign text that may reach a log line or a status object."""


def clip(text: str, limit: int = MAX_FOREIGN_TEXT_CHARS) -> str:
    """Return foreign text fit for one log line: printable, at most `limit` characters."""
    printable = "".join(ch if ch.isprintable() else "\N{REPLACEMENT CHARACTER}" for ch in text[: limit + 1])
    return printable if len(printable) <= limit else printable[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"


def described(error: Exception) -> str:
    """Return what kind of foreign error it is and what it says, clipped. A bare time-out says nothing by itself."""
    text = str(error) or ("no answer in time" if isinstance(error, TimeoutError) else "")
    return clip(f"{type(error).__name__}: {text}" if text else type(error).__name__)


class DequeuerError(Exception):
    """Base of every error raised on purpose."""


class ConfigurationError(DequeuerError):
    """The settings cannot be used: exit 2. Carries every fault, not only the first."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class FatalError(DequeuerError):
    """The process cannot go on (no such queue, access denied at start-up): exit 1."""


class LeaseLostError(DequeuerError):
    """The claim on a message is gone: stop, and write or delete nothing more on its behalf."""


class SourceUnavailableError(DequeuerError):
    """The queue did not take or answer the call (throttled, 5xx, time-out, DNS): try again later."""


class SourceGoneError(FatalError):
    """The queue does not exist."""


class SourceDeniedError(FatalError):
    """The queue refuses the caller, for good as far as it says. Fatal at start-up, later on waited for.

    `code`: what the queue calls it; empty when it does not say.
    """

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.code = code


class StoreUnavailableError(DequeuerError):
    """The store did not take or answer the call (throttled, 5xx, time-out, DNS): try again later."""


class StoreMissingError(DequeuerError):
    """The object is not there."""


class StoreDeniedError(DequeuerError):
    """The store refuses the caller for good: permission, key, region, bucket. Fatal at start-up, later on waited for.

    `code`: what the store calls it; empty when it does not say.
    """

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.code = code


class CredentialsMissingError(DequeuerError):
    """There are no AWS credentials."""


class CredentialsUnavailableError(DequeuerError):
    """Whoever gives out AWS credentials cannot be reached: try again later."""


class ContainerUnavailableError(DequeuerError):
    """The container was not reachable, or the connection broke before the answer was whole.

    Attributes:
        counts: whether it is an attempt, of which a request has `max_attempts`.
    """

    counts: ClassVar[bool] = True


class ContainerNotHttpError(ContainerUnavailableError):
    """The container has never spoken HTTP/1: no request was worked on, and none has failed."""

    counts = False


class ContainerTimeoutError(DequeuerError):
    """The container gave no whole answer within the request timeout."""


class InvalidResponseError(DequeuerError):
    """The container answered something that is not a result: the request has failed."""


class InvalidInputError(DequeuerError):
    """The submitted request cannot be sent as it is: the request has failed."""
