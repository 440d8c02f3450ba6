"""A submission: what the body of `POST /batch/<api>` or `POST /tasks/<api>` says, and the text that is stored of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dequeuer.formats.go_json import compact, encode
from dequeuer.jobs.spec import DeadLetterQueue, OnBadItem, own_fields

MAX_BODY_BYTES = 10 << 20
MAX_ITEM_BYTES = 250 * 1024
"""Of its JSON text as it was submitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemList:
    """Items in the submission itself.

    Attributes:
        items: the JSON text of their array, as it was submitted; `formats.json_spans.elements` finds them.
        batch_size: items of a batch.
    """

    items: bytes
    batch_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileList:
    """Files in S3: their paths are the items, or the JSON values in them.

    Attributes:
        s3_paths: prefixes, `s3://bucket/folder`.
        includes: globs; None: not submitted.
        excludes: likewise.
        batch_size: items of a batch.
    """

    s3_paths: tuple[str, ...]
    includes: tuple[str, ...] | None
    excludes: tuple[str, ...] | None
    batch_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A job to be run. Of the three sources of items a batch job has exactly one, and a task job none.

    The other fields are those of `jobs.spec.JobSpec`.
    """

    workers: int
    dead_letter_queue: DeadLetterQueue | None = None
    config: Mapping[str, Any] | None = None
    timeout_s: int | None = None
    item_list: ItemList | None = None
    file_path_lister: FileList | None = None
    delimited_files: FileList | None = None
    output_s3_path: str | None = None
    on_bad_item: OnBadItem = "fail"
    priority: int = 0


def dump_payload(submission: Submission) -> bytes:
    """Return the text of `payload.json`: the whole submission of a batch job, as Cortex stores it."""
    queue, items = submission.dead_letter_queue, submission.item_list
    head = {
        "workers": submission.workers,
        "sqs_dead_letter_queue": queue and {"arn": queue.arn, "max_receive_count": queue.max_receive_count},
        "config": submission.config,
        "timeout": submission.timeout_s,
    }
    tail = {
        "file_path_lister": _file_fields(submission.file_path_lister),
        "delimited_files": _file_fields(submission.delimited_files),
    } | own_fields(submission.output_s3_path, submission.on_bad_item, submission.priority)
    # The items are the largest part by far: they are copied once, and never decoded.
    return b"".join(
        [
            encode(head)[:-1].encode(),
            b',"item_list":',
            b'{"items":%b,"batch_size":%d}' % (compact(items.items), items.batch_size) if items else b"null",
            b",",
            encode(tail)[1:].encode(),
        ]
    )


def _file_fields(files: FileList | None) -> dict[str, Any] | None:
    return (
        None
        if files is None
        else {
            "s3_paths": files.s3_paths,
            "includes": files.includes,
            "excludes": files.excludes,
            "batch_size": files.batch_size,
        }
    )
