"""From items to batches, and to windows of batches that are sent together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace
from typing import Final

from dequeuer.enqueuer.model import TOO_LARGE_KIND, Batch, EnqueueFaultError, Portion, Skipped, Window, too_large
from dequeuer.formats.go_json import MAX_TOKENIZED_BYTES, compact
from dequeuer.jobs.checkpoint import Checkpoint, JobFile, Place
from dequeuer.jobs.enqueue_error import EnqueueError

MAX_WINDOW_BYTES: Final = 4 * 1024 * 1024
MAX_WINDOW_BATCHES: Final = 500
MAX_WINDOW_FILES: Final = 1000
"""Each is named in the checkpoint."""
MAX_WINDOW_SKIPPED: Final = 1000
"""Lines of one object of skipped items, about."""
MAX_SKIPPED_IN_MEMORY: Final = 50_000
"""A window does not end inside a batch. With more bad items in one batch the job fails."""
_REFUSED_BY_SQS: Final = (("\ufffe".encode(), b"\\ufffe"), ("\uffff".encode(), b"\\uffff"))


def compact_items(texts: Sequence[bytes]) -> bytes:
    """Return items as they stand in a batch: compact, as Go writes them, without the characters that SQS refuses."""
    is_small = sum(map(len, texts)) <= MAX_TOKENIZED_BYTES
    text = compact(b",".join(texts)) if is_small else b",".join(map(compact, texts))
    if not text.isascii():
        # In valid JSON such characters stand in strings alone. Control characters are escaped in valid JSON.
        for character, escape in _REFUSED_BY_SQS:
            text = text.replace(character, escape)
    return text


async def windows(
    portions: AsyncIterator[Portion], checkpoint: Checkpoint, *, batch_size: int, body_limit: int
) -> AsyncGenerator[Window, None]:
    """Yield windows from the checkpoint on.

    Args:
        portions: begin where the checkpoint says.
        checkpoint: see `Checkpoint`.
        batch_size: items of a batch.
        body_limit: of a message, bytes.

    Raises:
        EnqueueFaultError: a batch does not fit into a message; also those of `portions`.
    """
    builder = _WindowBuilder(checkpoint, batch_size, body_limit)
    async for portion in portions:
        builder.begin_portion(portion)
        at, count = 0, len(portion.items)
        while at < count:
            at = builder.take(portion, at)
            if builder.is_full:
                yield builder.finish()
        builder.end_portion(portion)
        if builder.is_full:
            yield builder.finish()
        # All data may be there already: the requests of the window before need the event loop, too.
        await asyncio.sleep(0)
    builder.finish_batch()
    if not builder.is_empty:
        yield builder.finish(is_last=True)


class _WindowBuilder:
    """The batch and the window that are being filled."""

    def __init__(self, checkpoint: Checkpoint, batch_size: int, body_limit: int) -> None:
        self._batch_size = batch_size
        self._body_limit = body_limit
        self._before = checkpoint
        self._after = checkpoint.place
        """Behind the last item that is in a batch; behind everything that was read when no batch is begun."""
        self._file = checkpoint.place.file
        """Where the items come from now."""
        self._skipped: list[tuple[JobFile | None, Skipped]] = []
        self._parts: list[bytes] = []
        """Of the batch: items that were taken together."""
        self._count = self._part_bytes = 0
        self._begin_window(checkpoint)

    def _begin_window(self, before: Checkpoint) -> None:
        self._before = before
        self._files: list[JobFile] = []
        self._batches: list[Batch] = []
        self._items = self._bytes = self._read = self._files_seen = 0

    @property
    def is_full(self) -> bool:
        """Whether the window is to be sent. It never ends inside a batch."""
        return not self._parts and (
            self._bytes >= MAX_WINDOW_BYTES
            or len(self._batches) >= MAX_WINDOW_BATCHES
            or self._files_seen >= MAX_WINDOW_FILES
            or len(self._skipped) >= MAX_WINDOW_SKIPPED
        )

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to send or to record."""
        return not self._batches and not self._skipped

    def begin_portion(self, portion: Portion) -> None:
        """Record where items come from."""
        if portion.file is not self._file:
            self._file = portion.file
            self._files_seen += 1
        is_named = portion.file is self._before.place.file or (self._files and self._files[-1] is portion.file)
        # Files without items are not named: a restart would find nothing in them.
        if portion.file is not None and not is_named and (portion.items or portion.skipped):
            self._files.append(portion.file)
        self._skipped += [(portion.file, one) for one in portion.skipped]
        if len(self._skipped) > MAX_SKIPPED_IN_MEMORY:
            fault = portion.skipped[-1].error
            message = f"more than {MAX_SKIPPED_IN_MEMORY} bad items in one batch; the last one: {fault.message}"
            raise EnqueueFaultError(EnqueueError(message=message, source=fault.source, offset=fault.offset))

    def take(self, portion: Portion, at: int) -> int:
        """Take items for one batch from position `at` on; return the position after them."""
        taken = portion.items[at : at + self._batch_size - self._count]
        if not self._parts:
            self._first = Place(file=portion.file, offset=taken[0].start)
        part = compact_items([item.text for item in taken])
        self._parts.append(part)
        self._part_bytes += len(part) + 1
        self._count += len(taken)
        self._read += taken[-1].end - taken[0].start
        is_whole = self._count == self._batch_size
        if is_whole or self._part_bytes + 1 > self._body_limit:
            self.finish_batch()
        if is_whole:
            self._after = Place(file=portion.file, offset=taken[-1].end)
        return at + len(taken)

    def finish_batch(self) -> None:
        """Make a batch of the items that were taken. Raises `EnqueueFaultError` when it is too large."""
        if not self._parts:
            return
        index = self._before.batches + len(self._batches)
        body = b"[" + b",".join(self._parts) + b"]"
        if len(body) > self._body_limit:
            raise self._too_large(index, len(body))
        self._batches.append(Batch(index, self._before.items + self._items, body.decode()))
        self._items += self._count
        self._bytes += len(body)
        self._parts, self._count, self._part_bytes = [], 0, 0

    def end_portion(self, portion: Portion) -> None:
        """Record that everything in the portion was taken."""
        if not self._parts:
            self._after = Place(file=portion.file, offset=portion.end)

    def finish(self, *, is_last: bool = False) -> Window:
        """Return the window, and begin the next one."""
        after, before = self._after, self._before
        if is_last:
            skipped, self._skipped = self._skipped, []
        else:
            # Those behind the last batch belong to the next window: a restart would find them again.
            count = len(self._skipped)
            while (
                count
                and self._skipped[count - 1][0] is after.file
                and self._skipped[count - 1][1].start >= after.offset
            ):
                count -= 1
            skipped, self._skipped = self._skipped[:count], self._skipped[count:]
        window = Window(
            before=replace(before, window=tuple(self._files), is_last=is_last),
            batches=self._batches,
            items=self._items,
            skipped=[one for _, one in skipped],
            after=Checkpoint(
                batches=before.batches + len(self._batches),
                items=before.items + self._items,
                skipped=before.skipped + len(skipped),
                place=after,
                is_last=is_last,
                is_complete=is_last,
            ),
            bytes_read=self._read,
        )
        self._begin_window(window.after)
        return window

    def _too_large(self, index: int, size: int) -> EnqueueFaultError:
        first, file = index * self._batch_size, self._first.file
        what = (
            f"item {first}" if self._batch_size == 1 else f"items with index between {first} to {first + self._count}"
        )
        return EnqueueFaultError(
            EnqueueError(
                message=too_large(what, size, self._body_limit),
                kind=TOO_LARGE_KIND,
                source=None if file is None else file.path,
                offset=None if file is None else self._first.offset,
            )
        )
