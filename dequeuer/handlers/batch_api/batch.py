"""Which batch of its job a message is, and which items of the job it has: in the attributes of the message."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from dequeuer.core.errors import InvalidInputError
from dequeuer.core.message import Message
from dequeuer.formats.json_spans import elements

BATCH_INDEX: Final = "batch_index"
"""Number of the batch in the job, from 0."""
ITEM_INDEX: Final = "item_index"
"""Number of its first item in the job, from 0."""
RETRY_NUMBER: Final = "batch_part"
"""Of items that are tried again: how often they were tried before. A batch as it was enqueued has none."""
ITEM_INDEXES: Final = "item_indexes"
"""Of items that are tried again: their indexes in the job, such as `3,7-9`."""
_ITEMS_AT_A_TIME: Final = 4096
_number = re.compile(r"[0-9]{1,15}\Z").match
_ranges = re.compile(r"[0-9]{1,15}(?:-[0-9]{1,15})?(?:,[0-9]{1,15}(?:-[0-9]{1,15})?)*+\Z").match
_NOT_NAMED: Final = "the message does not say which items of the job it has"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch, or those of its items that are tried again.

    Attributes:
        index: of the batch in the job.
        retry_number: 0, or how often the items were tried before.
        items: the index of each item in the job, ascending.
    """

    index: int
    retry_number: int
    items: Sequence[int]

    @property
    def name(self) -> str:
        """The name of its objects."""
        return batch_name(self.index, self.retry_number)


def batch_name(index: int, retry_number: int) -> str:
    """Return the name of the objects of a batch: `00000012`; of items that are tried again `00000012-1`."""
    return f"{index:08}-{retry_number}" if retry_number else f"{index:08}"


def number_of(message: Message, attribute: str) -> int | None:
    """Return an attribute as a number; None when it is missing or not a number."""
    text = message.attributes.get(attribute, "")
    return int(text) if _number(text) else None


async def count_items(body: bytes) -> int:
    """Return the number of items in the body of a message, a JSON array. Yields to the event loop."""
    count = 0
    for _ in elements(body, body.index(b"[")):
        count += 1
        if count % _ITEMS_AT_A_TIME == 0:
            await asyncio.sleep(0)
    return count


def batch_of(message: Message, count: int) -> Batch:
    """Return which batch a message with `count` items is. Raises `InvalidInputError`."""
    index, retry_number = number_of(message, BATCH_INDEX), number_of(message, RETRY_NUMBER) or 0
    if index is None:
        raise InvalidInputError(_NOT_NAMED)
    if retry_number:
        items = _parse_ranges(message.attributes.get(ITEM_INDEXES, ""), count)
        return Batch(index=index, retry_number=retry_number, items=items)
    first = number_of(message, ITEM_INDEX)
    if first is None:
        raise InvalidInputError(_NOT_NAMED)
    return Batch(index=index, retry_number=0, items=range(first, first + count))


def format_ranges(numbers: Iterable[int]) -> str:
    """Return ascending numbers as text: `3,7-9`."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][1] + 1 == number:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def _parse_ranges(text: str, count: int) -> Sequence[int]:
    if not _ranges(text):
        raise InvalidInputError(_NOT_NAMED)
    spans = []
    for span_text in text.split(","):
        first, _, last = span_text.partition("-")
        spans.append(range(int(first), int(last or first) + 1))
    # Checked before the ranges are expanded: a hostile one can have 10^15 numbers.
    is_ascending = all(spans) and all(before[-1] < after[0] for before, after in pairwise(spans))
    if not is_ascending or sum(span[-1] - span[0] + 1 for span in spans) != count:
        raise InvalidInputError("the message names other items than it has")
    return [number for span in spans for number in span]
