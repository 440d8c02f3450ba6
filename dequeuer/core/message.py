"""A message, what may become of it, and the fence that guards work done on its behalf."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

FinalState = Literal["completed", "failed", "already_finished", "succeeded", "job_completed", "duplicate"]
"""How finished work ended; a metric label, so the set is closed."""

REPEAT_ATTRIBUTE = "may_repeat"
"""Of a message that may not be the only one of its request: its client chose the id, and may send it twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as the queue delivered it. It knows nothing of how it is settled.

    Attributes:
        id: the queue's id of the message (not the request id).
        body: the text, as sent.
        receive_count: how often the queue has handed it out, this time included; 1 the first time.
        sent_at: when it was sent, seconds since the epoch; None when the queue does not say.
        attributes: the message attributes, as text.
    """

    id: str
    body: str
    receive_count: int
    sent_at: float | None
    attributes: Mapping[str, str]


class Fence(Protocol):
    """Stands between work and its effects: once the lease is gone, nothing more may be written."""

    @property
    def asked_at(self) -> float:
        """Loop time when the queue was asked for the message: it was not handed out before."""

    def check(self) -> None:
        """Return while the lease is held; raise `LeaseLostError` as soon as its time is over."""

    def release_slot(self) -> None:
        """Tell that the container has done the work and given its whole answer: its place is free for another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The outcome is durable: acknowledge. `after_ack` runs only once the queue has confirmed it."""

    state: FinalState
    after_ack: Callable[[], Awaitable[None]] | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Nothing is decided: give the message back, hidden for `after_s` seconds (0 = at once).

    `refused`: the container did not take the work, as it was too busy or not reachable.
    """

    after_s: float
    reason: str
    container_unavailable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """A failed attempt, or a message that can never work.

    With a redrive policy it is given back (hidden for `after_s`), so that the queue moves it to the
    dead-letter queue; without one it is deleted.
    """

    after_s: float
    reason: str
    poison: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Requeue:
    """Put back as new: sent again, then deleted. Costs no receive, unlike `Retry`."""

    reason: str


Outcome = Done | Retry | Reject | Requeue
