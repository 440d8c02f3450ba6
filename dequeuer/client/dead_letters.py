"""The dead letters of an API, as a client sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from dequeuer.client.errors import InvalidAnswerError
from dequeuer.client.fields import moment_of, objects_of, text_of, whole_of

MAX_LETTERS: Final = 100
"""Of one look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message of a dead-letter queue.

    Attributes:
        message_id: of the queue.
        receives: how often it was received, looks included; None: not known.
        id: of its request; "" when it names none.
        state: of its request; "" when there is none any more.
        sent: when it was sent to the queue of the API; None: not known.
    """

    message_id: str
    receives: int | None = None
    id: str = ""
    state: str = ""
    sent: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters:
    """What a look has found. `queue`: its name; `messages`: about how many it has; `letters`: some of them.

    `fields`: all of it, for programs.
    """

    fields: Mapping[str, Any]
    queue: str
    messages: int
    letters: tuple[DeadLetter, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Redriven:
    """What a redrive has done. `moved`: messages; `left`: about how many there are still: call again.

    `fields`: all of it, for programs.
    """

    fields: Mapping[str, Any]
    moved: int
    left: int


def dead_letters_of(fields: Mapping[str, Any]) -> DeadLetters:
    """Return what a look has found. Raises `InvalidAnswerError`."""
    messages = whole_of(fields.get("messages"))
    if messages is None:
        raise InvalidAnswerError("the gateway does not answer with dead letters")
    return DeadLetters(
        fields=fields,
        queue=text_of(fields.get("queue")),
        messages=messages,
        letters=tuple(
            DeadLetter(
                message_id=text_of(one.get("message_id")),
                receives=whole_of(one.get("receives")),
                id=text_of(one.get("id")),
                state=text_of(one.get("status")),
                sent=moment_of(one.get("sent")),
            )
            for one in objects_of(fields.get("dead_letters"), MAX_LETTERS)
        ),
    )


def redriven_of(fields: Mapping[str, Any]) -> Redriven:
    """Return what a redrive has done. Raises `InvalidAnswerError`."""
    moved, left = whole_of(fields.get("moved")), whole_of(fields.get("left"))
    if moved is None or left is None:
        raise InvalidAnswerError("the gateway does not say how many dead letters it has moved")
    return Redriven(fields=fields, moved=moved, left=left)
