"""A message, the outcomes of its handling, and the fence that stops its work when the lease is lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

FinalState = Literal["completed", "failed", "already_finished", "succeeded", "job_completed", "duplicate"]
"""How a finished message ended; a metric label, so the set of values is fixed."""

REPEAT_ATTRIBUTE = "may_repeat"
"""The attribute of a message that may be one of several for its work, also when it is received for the first time: the
client chose the id, and may repeat it; or a sidecar has sent it again."""
WEBHOOK_ATTRIBUTE = "webhook"
"""The attribute of a message whose request is announced when it has ended: the URL of the receiver."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as the queue delivered it, without the means to settle it.

    Attributes:
        id: the queue's id of the message (not the request id).
        body: the text, as sent.
        receive_count: how often the queue has delivered it, this time included; 1 the first time.
        sent_at: when it was sent, seconds since the epoch; None when not known.
        attributes: the message attributes, as text.
        may_repeat: whether `REPEAT_ATTRIBUTE` is among them: its first receive does not mean new work.
        attributes_chars: characters of all message attributes, binary ones included, which are not in `attributes`.
        system_attributes: those of the queue itself that the source was told to ask for, as text.
        queue_name: of the queue that it came from.
        max_receives: of the redrive policy of that queue; None: there is none.
    """

    id: str
    body: str
    receive_count: int
    sent_at: float | None
    attributes: Mapping[str, str]
    may_repeat: bool = False
    attributes_chars: int = 0
    system_attributes: Mapping[str, str] = field(default_factory=dict)
    queue_name: str = ""
    max_receives: int | None = None


def is_last_receive(message: Message) -> bool:
    """Tell whether the queue moves the message to the dead-letter queue instead of delivering it once more."""
    return _ends_within(message, 0)


def may_be_lost(message: Message) -> bool:
    """Tell whether a release may lead to the dead-letter queue: at the last receive, or the one before it.

    A receive can be lost: the queue answers a poll whose process was killed, and counts it.
    """
    return _ends_within(message, 1)


def _ends_within(message: Message, receives: int) -> bool:
    return message.max_receives is not None and message.receive_count + receives >= message.max_receives


class Fence(Protocol):
    """Checked before every write: after the lease is lost, nothing may be written or deleted for the message."""

    @property
    def asked_at(self) -> float:
        """Loop time when the queue was asked for the message: it cannot have been delivered earlier."""

    def check(self) -> None:
        """Return while the lease is held; raise `LeaseLostError` when it is lost or its time is over."""

    def release_slot(self) -> None:
        """Free the message's slot for another one: the container has given its complete response, and it is a success.

        The slot is counted as `succeeded`. After a failure it is freed by the end of the attempt instead.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The outcome is durable: acknowledge the message. `after_ack` runs after the queue has confirmed the deletion."""

    state: FinalState
    after_ack: Callable[[], Awaitable[None]] | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """No outcome yet: release the message, hidden for `after_s` seconds (0: visible at once).

    `container_unavailable`: the container was busy, could not be reached, or broke the connection.
    `status_code`: of its response; None when there was none.
    """

    after_s: float
    reason: str
    container_unavailable: bool = False
    status_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """A failed attempt, or (`poison`) a message that can never be handled.

    With a redrive policy the message is released (hidden for `after_s` seconds), so that the queue moves it to the
    dead-letter queue in the end. Without one it is deleted. `code`: what failed, for the records of a job.
    """

    after_s: float
    reason: str
    poison: bool = False
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requeue:
    """Send the message again as a new one, then delete it. Unlike `Retry`, this does not raise the receive count."""

    reason: str


Outcome = Done | Retry | Reject | Requeue
