"""The history of a run: one record for each fact. Simulated and real runs write the same records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

What = Literal[
    "submitted",  # a client put a message into the queue
    "delivered",  # the queue delivered a message to a sidecar; `seconds` is its lease
    "received",  # the delivery arrived, `seconds` after it was asked for; in simulation only
    "renewed",  # a sidecar has the response that its lease is extended by `seconds`; in simulation only
    "dead_lettered",  # the queue moved the message to the dead-letter queue
    "asked",  # a sidecar sent a request (`op`) that settles, writes, deletes, or sends a message again
    "done",  # such a request took effect, whether or not its response arrived
    "stale_ack_accepted",  # an acknowledgement with a stale receipt was accepted, and had no effect; in simulation only
    "called",  # the container got a request
    "answered",  # the container sent its response, whether or not it arrived
    "left",  # the request to the container is over, for any reason
    "fenced",  # a sidecar stopped work on a delivery, because its lease is lost
    "stopped",  # no process has run for the `seconds` before; in simulation only
    "cancelled",  # a client has asked for the cancellation of a request; in simulation only
    "saw",  # a sidecar has learnt that a request is to be cancelled; in simulation only
    "told",  # a client got the response to a submission with a key (`name`): `ref` is the id that it was told; in simulation only
    "paused",  # a sidecar has learnt that nothing is to be received; in simulation only
    "resumed",  # and that messages are to be received again; in simulation only
    "announced",  # the end of a request (`name`) is in the outbox of webhooks; in simulation only
    "published",  # the end of a request (`name`) was taken by the target of events; in simulation only
    "drain",  # a sidecar was asked to stop
    "ended",  # a sidecar ended by itself; in simulation only
    "refused",  # calls (`name`) of a sidecar are refused from now on, and a retry does not help; in simulation only
    "allowed",  # the first call of that name that is not refused again
    "killed",  # a sidecar was killed
]
Op = Literal["", "write", "delete", "ack", "release", "extend", "send"]

BROKE = 1
"""`status` of a `left`: the container broke the connection or refused it. 0: it responded, or the sidecar hung up."""
ON_COMPLETE = "/on-job-complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One fact. Which fields are used depends on `what`.

    Attributes:
        at: seconds on the clock of the run.
        sidecar: the one that made the request, or received the message.
        ref: the request id, or the batch.
        delivery: one receipt of one message.
        op: the kind of request.
        name: of the action that is refused or allowed; of the object below the request's prefix; the path of the call;
            the kind of message that was submitted: `completion`, or `invalid_input` for one that fails without a call.
        digest: of the content of the object or the response; in simulation only: of a `status/failed` its code, of the
            claim of a key its state and its request, of a call and of a submission the beginning of the payload.
        status: of the response, 0: none came; of a `left`, see `BROKE`.
        seconds: of a lease, an extension or a release; of a submission, how soon its deadline is, 0: it has none.
        waited_s: of a delivery: for how long the receive was at the queue, or stopped with its process, seconds.
        count: the receive count.
        call: one request to the container.
        whole: whether a response arrived complete, as far as the container can know.
    """

    at: float
    what: What
    sidecar: str = ""
    ref: str = ""
    delivery: str = ""
    op: Op = ""
    name: str = ""
    digest: str = ""
    status: int = 0
    seconds: float = 0.0
    waited_s: float = 0.0
    count: int = 0
    call: str = ""
    whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Final:
    """The state after the end of the run.

    Attributes:
        queued: refs of messages that are still in the queue, hidden ones included.
        dead: refs in the dead-letter queue.
        objects: for each request, its objects with the digest of their content.
    """

    queued: frozenset[str] = frozenset()
    dead: frozenset[str] = frozenset()
    objects: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def save(records: Iterable[Record], path: Path) -> None:
    """Write a history for people to read, one JSON object a line."""
    with path.open("w", encoding="utf-8") as lines:
        for record in records:
            facts = {name: value for name, value in asdict(record).items() if value not in {"", 0}}
            lines.write(json.dumps(facts) + "\n")
