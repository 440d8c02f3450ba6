"""The values that pass through the enqueuer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dequeuer.core.errors import FatalError
from dequeuer.formats.json_values import Value
from dequeuer.jobs.checkpoint import Checkpoint, JobFile
from dequeuer.jobs.enqueue_error import EnqueueError

TOO_LARGE_KIND = "batchapi.message_exceeds_max_size"


class EnqueueFaultError(FatalError):
    """The job cannot be enqueued, however often it is tried: it ends as `enqueue_failed`."""

    def __init__(self, error: EnqueueError) -> None:
        place = "" if error.offset is None else f" at byte {error.offset}"
        super().__init__(f"{error.source}{place}: {error.message}" if error.source else error.message)
        self.error = error


def too_large(what: str, size: int, limit: int) -> str:
    """Return Cortex's text for a message that does not fit. `what`: `item 3`."""
    return (
        f"{what}: cannot enqueue message because its size of {size} bytes exceeds the {limit} bytes limit; "
        "use a smaller batch size or reduce the size of each of item in the batch"
    )


class Skipped(NamedTuple):
    """Items that are left out: one item, or the rest of a file.

    Attributes:
        error: where it is, and why.
        start: offset of the item, as in `Value`.
    """

    error: EnqueueError
    start: int


class Portion(NamedTuple):
    """Some consecutive items.

    Attributes:
        file: they come from; None: from a list of items.
        items: `end` of each is the offset at which the next one is looked for.
        skipped: items that were left out in between.
        end: the offset after all of them.
    """

    file: JobFile | None
    items: Sequence[Value]
    skipped: Sequence[Skipped]
    end: int


class Batch(NamedTuple):
    """A batch as it is sent.

    Attributes:
        number: in the job, from 0.
        first_item: number of its first item in the job, from 0; items that were left out have none.
        body: of its message.
    """

    number: int
    first_item: int
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Batches that are sent together.

    Attributes:
        before: what holds while they are sent. It is stored first.
        batches: in order.
        items: in these batches.
        skipped: items that were left out, up to the last of them.
        after: what holds when all of them are sent.
        bytes_read: of the items.
    """

    before: Checkpoint
    batches: Sequence[Batch]
    items: int
    skipped: Sequence[Skipped]
    after: Checkpoint
    bytes_read: int
