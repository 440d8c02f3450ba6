"""The files of a job in their order, also after a restart; and how faults of buckets are told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol

from dequeuer.core.errors import ObjectReplacedError, StoreDeniedError, StoreMissingError
from dequeuer.enqueuer.model import EnqueueFaultError
from dequeuer.jobs.checkpoint import Checkpoint, JobFile
from dequeuer.jobs.enqueue_error import EnqueueError
from dequeuer.jobs.file_search import Buckets, FileSearch, search_files
from dequeuer.jobs.globs import GlobError
from dequeuer.jobs.s3_path import INVALID_S3_PATH, InvalidS3PathError
from dequeuer.sinks.base import RangedReads

NO_FILES_KIND, NO_FILES = "batchapi.no_s3_files_found", "no s3 files match search criteria"
VANISHED = "the file was deleted after it was listed"
REPLACED = "the file was changed after it was listed"


class SourceBuckets(Buckets, Protocol):
    """Buckets that are listed and read."""

    def objects(self, bucket: str) -> RangedReads:
        """Return the objects of a bucket."""


class StartedFile(NamedTuple):
    """A file, and the offset at which to begin."""

    file: JobFile
    offset: int


class JobFiles:
    """The files of a job.

    Args:
        buckets: where they are.
        search: which they are.
        checkpoint: those before it are left out; those that it names are taken although they may be gone.
    """

    def __init__(self, buckets: SourceBuckets, search: FileSearch, checkpoint: Checkpoint) -> None:
        self._buckets = buckets
        self._search = search
        self._checkpoint = checkpoint

    def reads(self, file: JobFile) -> RangedReads:
        """Return the objects of its bucket."""
        return self._buckets.objects(file.bucket)

    async def __aiter__(self) -> AsyncIterator[StartedFile]:
        """Yield the files from the checkpoint on. Raises `EnqueueFaultError`."""
        checkpoint = self._checkpoint
        last = checkpoint.place.file
        if last is not None:
            yield StartedFile(last, checkpoint.place.offset)
        for last in checkpoint.window:
            yield StartedFile(last, 0)
        if checkpoint.is_last:
            return
        is_empty = last is None
        try:
            async for found in search_files(self._buckets, self._search, after=last.position if last else None):
                is_empty = False
                yield StartedFile(JobFile(position=found.position, bucket=found.path.bucket, listed=found.listed), 0)
        except InvalidS3PathError as error:
            raise EnqueueFaultError(EnqueueError(message=str(error), kind=INVALID_S3_PATH)) from None
        except GlobError as error:
            raise EnqueueFaultError(EnqueueError(message=str(error))) from None
        except StoreDeniedError as error:
            raise EnqueueFaultError(EnqueueError(message=f"the files cannot be listed: {error}")) from error
        if is_empty:
            raise EnqueueFaultError(EnqueueError(message=NO_FILES, kind=NO_FILES_KIND))


def fault_of(file: JobFile, message: str, offset: int | None = None, kind: str = "error") -> EnqueueError:
    """Return a fault of a file."""
    return EnqueueError(message=message, kind=kind, source=file.path, offset=offset)


def unreadable(file: JobFile, error: StoreMissingError | StoreDeniedError) -> EnqueueFaultError:
    """Return the error for a file that cannot be read."""
    if isinstance(error, ObjectReplacedError):
        message = REPLACED
    elif isinstance(error, StoreMissingError):
        message = VANISHED
    else:
        message = f"the file cannot be read: {error}"
    return EnqueueFaultError(fault_of(file, message))
