"""How far an enqueuer has come: `checkpoint.json`, written before each window of batches is sent.

A checkpoint says where the next batch begins, and from which files the window after it is made. So a restart makes the
same batches again, whatever has appeared in the listing meanwhile; a changed file is recognised by its ETag.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from dequeuer.core.errors import DequeuerError
from dequeuer.formats.go_json import decode_object
from dequeuer.jobs.file_search import Position
from dequeuer.jobs.s3_path import S3Path
from dequeuer.sinks.base import ListedObject


class InvalidCheckpointError(DequeuerError):
    """The stored checkpoint is not one: nobody knows what is in the queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFile:
    """A file of a job. `position`: in the search; `listed`: as it was found."""

    position: Position
    bucket: str
    listed: ListedObject

    @property
    def path(self) -> str:
        """`s3://bucket/key`."""
        return str(S3Path(self.bucket, self.listed.key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the next item is. `offset`: bytes of its content, after decompression; items of a list of items.

    `file` is None for a list of items, and at the beginning of a job.
    """

    file: JobFile | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The state of an enqueuer.

    Attributes:
        batches: all batches with a smaller index are in the queue.
        items: how many items they have.
        skipped: items before `place` that were left out.
        place: where the batch with the index `batches` begins.
        window: the files, besides that of `place`, that the window which may be under way is made from, in order.
        is_last: there are no files after those.
        is_complete: every batch is in the queue.
        total: how much there is, for the progress: bytes of files for `delimited_files`, else items; None: not known.
    """

    batches: int = 0
    items: int = 0
    skipped: int = 0
    place: Place = Place()
    window: tuple[JobFile, ...] = ()
    is_last: bool = False
    is_complete: bool = False
    total: int | None = None


def dump_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Return the text of `checkpoint.json`."""
    place = checkpoint.place
    fields = {
        "batches": checkpoint.batches,
        "items": checkpoint.items,
        "skipped": checkpoint.skipped,
        "file": None if place.file is None else _file_fields(place.file),
        "offset": place.offset,
        "window": [_file_fields(file) for file in checkpoint.window],
        "is_last": checkpoint.is_last,
        "is_complete": checkpoint.is_complete,
        "total": checkpoint.total,
    }
    return json.dumps(fields, separators=(",", ":")).encode()


def parse_checkpoint(text: bytes) -> Checkpoint:
    """Return the checkpoint. Raises `InvalidCheckpointError`."""
    try:
        fields = decode_object(text)
        file, total = fields["file"], fields["total"]
        return Checkpoint(
            batches=int(fields["batches"]),
            items=int(fields["items"]),
            skipped=int(fields["skipped"]),
            place=Place(file=None if file is None else _file(file), offset=int(fields["offset"])),
            window=tuple(_file(one) for one in fields["window"]),
            is_last=bool(fields["is_last"]),
            is_complete=bool(fields["is_complete"]),
            total=None if total is None else int(total),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidCheckpointError("checkpoint.json cannot be read") from error


def _file_fields(file: JobFile) -> list[Any]:
    listed = file.listed
    return [file.position.path_index, file.bucket, listed.key, listed.size, listed.e_tag]


def _file(fields: Any) -> JobFile:
    path_index, bucket, key, size, e_tag = fields
    return JobFile(
        position=Position(path_index=int(path_index), key=str(key)),
        bucket=str(bucket),
        listed=ListedObject(key=str(key), size=int(size), e_tag=str(e_tag)),
    )
