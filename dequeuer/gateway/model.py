"""A submitted request, its status report, and the check of names that become part of a key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dequeuer.core.errors import clip
from dequeuer.formats.api_name import is_api_name
from dequeuer.formats.failure import StoredFailure
from dequeuer.formats.request_id import is_request_id
from dequeuer.gateway.errors import InvalidRequestError
from dequeuer.sinks.base import Payload


class PayloadWitness(Protocol):
    """Sees which payload of a submission is stored.

    `is_created_once`: another submission of the same id may store another payload. So the payload is never put into the
    message, and its object is created only if it is not there.
    """

    is_created_once: bool

    async def before_message(self, *, existed: bool) -> None:
        """Check the submission before its message is sent; nothing is sent if this raises.

        `existed`: a payload was there already.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A request that a client submits.

    Attributes:
        api_name: validated by `Gateway`.
        request_id: validated by `Gateway`.
        queue_url: the queue that the message is sent to.
        headers: the content of headers.json.
        content_type: of the payload.
        size: the Content-Length in bytes; None when the client sent none.
        attributes: of the message, texts by name.
        priority: that its client asked for; "": none.
        group: whose message it is, for queues that share themselves between callers; "": nobody's.
        body: can be read once. If it raises, nothing is enqueued and `submit` raises the same error.
        witness: of a submission with an idempotency key.
    """

    api_name: str
    request_id: str
    queue_url: str
    headers: bytes
    content_type: str
    size: int | None
    body: AsyncIterator[bytes]
    attributes: Mapping[str, str] = field(default_factory=dict)
    priority: str = ""
    group: str = ""
    witness: PayloadWitness | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitResult:
    """The result of a submission.

    Attributes:
        request_id: of the request; with an idempotency key, it may be that of an earlier submission.
        size: bytes of the payload.
        existing_status: the status that a request with this id already had; None when it is new.
    """

    request_id: str
    size: int
    existing_status: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRequest:
    """What there is of a request.

    Attributes:
        status: one of the statuses of the async API.
        times: when each of its objects was written, seconds since the epoch, by its name below the request.
        result_bytes: size of its result; None when the listing has none.
    """

    status: str
    times: Mapping[str, float]
    result_bytes: int | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the status changes no more."""
        return self.status in {"completed", "failed"}

    @property
    def cancelled_at(self) -> float | None:
        """When its cancellation was asked for first; None: it was not."""
        return self.times.get("cancel")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The status of a request, with what is known of it.

    Attributes:
        found: what there is of it.
        result: opened, can be read once; None unless the request is completed and its result still exists.
        left_out_bytes: size of a result that is larger than wanted, and not opened; None: none is left out.
        failure: why it failed; None when it did not.
        attempts: that were tried again, oldest first.
        progress: what its container has reported last; empty once it has ended.
    """

    found: FoundRequest
    result: Payload | None = None
    left_out_bytes: int | None = None
    failure: StoredFailure | None = None
    attempts: Sequence[Mapping[str, object]] = ()
    progress: Mapping[str, object] = field(default_factory=dict)


def check_api_name(text: str) -> str:
    """Return the name if it is safe as part of a key, else raise `InvalidRequestError`."""
    if not is_api_name(text):
        message = (
            f'the API name "{clip(text)}" is not valid: 1 to 128 letters, digits, ".", "_" and "-", '
            "beginning with a letter or digit"
        )
        raise InvalidRequestError(message)
    return text


def check_request_id(text: str) -> str:
    """Return the id if it is safe as part of a key, else raise `InvalidRequestError`."""
    if not is_request_id(text):
        message = (
            f'the request id "{clip(text)}" is not valid: 1 to 128 letters, digits, ".", "_", ":" and "-", '
            "beginning with a letter or digit"
        )
        raise InvalidRequestError(message)
    return text
