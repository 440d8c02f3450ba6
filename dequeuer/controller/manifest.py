"""Writes `manifest.json` while the objects that it names are read, in bounded memory and without a file."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Final

from dequeuer.concurrency.in_order import in_order
from dequeuer.controller.objects import JSON_TYPE, RETRIES
from dequeuer.core.errors import StoreUnavailableError
from dequeuer.jobs.documents import JobEnd
from dequeuer.jobs.manifest import Digest, ResultSums, manifest_begin, manifest_end, object_text
from dequeuer.jobs.result_objects import ResultBatch, result_batches
from dequeuer.jobs.result_store import ResultStore
from dequeuer.jobs.spec import JobSpec
from dequeuer.sinks.base import Check, ObjectStore
from dequeuer.sinks.layout import OutputKeys

MAX_BATCHES_AHEAD: Final = 16
"""Batches that are read at the same time, one object of each."""
_TEXT_BYTES: Final = 64 * 1024


class ManifestWriter:
    """Writes the manifest of one job, once.

    Args:
        store: the bucket of the results.
        keys: of the results.
        spec: of the job.
        check: called directly before the manifest becomes visible.
    """

    def __init__(self, store: ObjectStore, keys: OutputKeys, spec: JobSpec, check: Check) -> None:
        self._store = store
        self._reads = ResultStore(store, RETRIES)
        self._keys = keys
        self._spec = spec
        self._check = check

    async def exists(self) -> bool:
        """Return whether there is a manifest. It is never written again."""
        return await self._reads.exists(self._keys.manifest)

    async def write(self, sums: ResultSums, settle: Callable[[ResultSums], Awaitable[JobEnd]]) -> None:
        """Read all results, and write the manifest.

        Args:
            sums: of nothing yet.
            settle: called with the sums of everything, before the manifest is whole; returns how the job ended.

        Raises:
            StoreUnavailableError, StoreDeniedError: nothing was written.
        """
        async with aclosing(self._text(sums, settle)) as text:
            is_written = await self._store.put_stream(self._keys.manifest, text, JSON_TYPE, check=self._check)
        # The store can also refuse because two controllers write at the same time and neither has won.
        if not is_written and not await self.exists():
            raise StoreUnavailableError("the manifest was neither written nor is it there")

    async def _text(
        self, sums: ResultSums, settle: Callable[[ResultSums], Awaitable[JobEnd]]
    ) -> AsyncGenerator[bytes, None]:
        text, separator = manifest_begin(self._spec), ""
        batches = result_batches(self._reads, self._keys)
        async with aclosing(in_order(batches, self._digests, max_ahead=MAX_BATCHES_AHEAD)) as read:
            async for batch, digests in read:
                sums.add(batch, digests)
                for one, digest in zip(batch.objects, digests, strict=True):
                    text += separator + object_text(self._keys.prefix, one, digest)
                    separator = ","
                if len(text) >= _TEXT_BYTES:
                    yield text.encode()
                    text = ""
        sums.close()
        end = await settle(sums)
        yield (text + manifest_end(sums, self._spec, end)).encode()

    async def _digests(self, batch: ResultBatch) -> list[Digest]:
        # Again and alone: one stream in millions breaks, and a job may have that many objects.
        return [await RETRIES.call(StoreUnavailableError, self._digest, one.listed.key) for one in batch.objects]

    async def _digest(self, key: str) -> Digest:
        size, lines, last, checksum = 0, 0, b"\n", hashlib.sha256()
        async with aclosing(self._reads.chunks(key)) as chunks:
            async for chunk in chunks:
                checksum.update(chunk)
                size += len(chunk)
                lines += chunk.count(b"\n")
                last = chunk[-1:] or last
        return Digest(size=size, sha256=checksum.hexdigest(), lines=lines + (last != b"\n"))
