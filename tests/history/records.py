"""What each party of a run saw, one record a fact. Simulated and real runs write the same ones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

What = Literal[
    "submitted",  # a client put a message into the queue
    "handed_out",  # the queue gave a delivery to a sidecar; `seconds` is its lease
    "got",  # the delivery arrived, `seconds` after it was asked for; real runs cannot tell
    "dead_lettered",  # the queue gave up on the message
    "asked",  # a sidecar sent a request (`op`) that settles, writes or deletes
    "done",  # such a request took effect, whether or not its answer arrived
    "believed",  # the queue said yes to an acknowledgement with a stale receipt, and deleted nothing; in simulation only
    "called",  # the container got a request
    "answered",  # the container gave its answer, whether or not it arrived
    "left",  # the container's request is over, for whatever reason
    "fenced",  # a sidecar gave up a delivery
    "drain",  # a sidecar was asked to end
    "ended",  # a sidecar ended by itself; in simulation only
    "refused",  # a call (`name`) of a sidecar is refused for good from now on, as far as it can know; in simulation only
    "allowed",  # the first call of that name that is not refused any more
    "killed",  # a sidecar ended without a chance to say so
]
Op = Literal["", "write", "delete", "ack", "release", "extend"]

BROKE = 1
"""`status` of a `left`: the container broke the connection, or refused it. 0: it was answered, or hung up on."""
ON_COMPLETE = "/on-job-complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One fact. Which fields count depends on `what`.

    Attributes:
        at: seconds on the clock of the run.
        sidecar: which one asked, was handed out to, or called.
        ref: the request id, or the batch.
        delivery: one receipt of one message.
        op: what was asked or done.
        name: of the action that is refused or allowed; of the object below the request's prefix; the path of the call; what kind of message was submitted:
            `completion`, or `hopeless` for one that fails without a call.
        digest: of the object's or the answer's content.
        status: of the answer; of a `left`, see `BROKE`.
        seconds: of a lease, an extension or a release.
        count: the receive count.
        call: one request to the container.
        whole: whether an answer reached the sidecar whole, as far as the container can know.
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
    count: int = 0
    call: str = ""
    whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Final:
    """How things stand once the run is over.

    Attributes:
        queued: refs of messages that the queue still has, hidden ones included.
        dead: refs in the dead-letter queue.
        objects: for each request, its objects with the digest of their content.
    """

    queued: frozenset[str] = frozenset()
    dead: frozenset[str] = frozenset()
    objects: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def save(records: Iterable[Record], path: Path) -> None:
    """Write a history, one JSON object a line, to look at."""
    with path.open("w", encoding="utf-8") as lines:
        for record in records:
            facts = {name: value for name, value in asdict(record).items() if value not in {"", 0}}
            lines.write(json.dumps(facts) + "\n")
