"""The kinds of worlds that `python -m tests.simulation` runs: an option for each, and what its table says of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from tests.history.records import Record
from tests.simulation.keys import KeyOutcome, simulate_keys
from tests.simulation.world import Outcome, simulate

MESSAGES_PER_WORLD: Final = 400
KEYS_PER_WORLD: Final = 100
"""Each is submitted several times, and its clients wait for minutes when a gateway was killed."""
_COUNTED: Final = frozenset(
    {"submitted", "delivered", "called", "fenced", "dead_lettered", "announced", "cancelled", "paused"}
)
"""What the table has of the records without an operation."""


def _of_messages(history: Sequence[Record]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for record in history:
        if record.what in _COUNTED:
            counts[record.what] += 1
        elif record.what == "done":
            counts[f"{record.op} {record.name}".strip() if record.name.startswith("status/") else record.op] += 1
    return counts


def _of_keys(history: Sequence[Record]) -> Counter[str]:
    counts: Counter[str] = Counter({"keys": KEYS_PER_WORLD})
    for record in history:
        if record.what in {"submitted", "called"}:
            counts[record.what] += 1
        elif record.what == "told":
            counts[f"told {record.status or 'nothing'}"] += 1
    return counts


@dataclass(frozen=True, kw_only=True)
class Lives:
    """Worlds of one kind.

    Attributes:
        option: of the command; its value is how many messages or requests there are in all.
        what: the world has.
        play: runs the world of a seed. Another process can be told to call it.
        per_world: how many messages or requests a world has.
        count: returns what the table says of a history.
        default: of the option.
    """

    option: str
    what: str
    play: Callable[[int], Outcome | KeyOutcome]
    per_world: int = MESSAGES_PER_WORLD
    count: Callable[[Sequence[Record]], Counter[str]] = _of_messages
    default: int = 0


_play = partial(simulate, messages=MESSAGES_PER_WORLD)

MESSAGES: Final = Lives(option="--lives", what="messages", play=_play, default=100_000)
KINDS: Final = (
    MESSAGES,
    Lives(option="--queue-lives", what="messages of any queue", play=partial(_play, kind="queue")),
    Lives(
        option="--webhook-lives",
        what="requests with webhooks and events",
        play=partial(_play, kind="async", announces=True),
    ),
    Lives(
        option="--cancel-lives",
        what="requests with cancellations and deadlines",
        play=partial(_play, kind="async", cancels=True),
    ),
    Lives(option="--pause-lives", what="requests with pauses", play=partial(_play, kind="async", pauses=True)),
    Lives(
        option="--own-end-lives",
        what="requests of sidecars that end by themselves",
        play=partial(_play, kind="async", own_ends=True),
    ),
    Lives(
        option="--key-lives",
        what="requests with idempotency keys, with gateways that are killed",
        play=partial(simulate_keys, keys=KEYS_PER_WORLD),
        per_world=KEYS_PER_WORLD,
        count=_of_keys,
    ),
)
