"""`manifest.json`: what there is of a job's results when it has ended, with checksums, and what is missing.

The objects come first, one a line, and the sums after them: so it can be written while the objects are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from dequeuer.formats.go_json import encode
from dequeuer.formats.go_time import format_time
from dequeuer.jobs.documents import JobEnd, error_fields
from dequeuer.jobs.result_objects import ResultBatch, ResultObject
from dequeuer.jobs.spec import JobSpec

VERSION: Final = 1
"""Of the form. Fields may be added to it without another version."""
MAX_RANGES: Final = 1000
"""Ranges of missing batches that are listed; there may be more."""
_MAX_ORDERED: Final = 100_000_000
"""Batches of a job from which on a listing is not in the order of their numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """The content of an object, as it was read. `sha256`: hexadecimal."""

    size: int
    sha256: str
    lines: int


@dataclass(slots=True, kw_only=True)
class ResultSums:
    """What the objects add up to.

    Attributes:
        total_batches: of the job; None: not all of them were put into the queue.
        total_items: likewise.
        missing_ranges: first and last index of batches without an object; the first `MAX_RANGES`.
        are_all_ranges: there are no more.
    """

    total_batches: int | None
    total_items: int | None
    results: int = 0
    errors: int = 0
    recorded_batches: int = 0
    failed_batches: int = 0
    size: int = 0
    missing_ranges: list[tuple[int, int]] = field(default_factory=list)
    are_all_ranges: bool = True
    _next: int = 0

    @property
    def missing_batches(self) -> int | None:
        """Batches of which nothing is recorded; None when it is not known how many there are."""
        return None if self.total_batches is None else max(0, self.total_batches - self.recorded_batches)

    @property
    def missing_items(self) -> int | None:
        """Items with neither a result nor an error; None when it is not known how many there are."""
        return None if self.total_items is None else max(0, self.total_items - self.results - self.errors)

    def add(self, batch: ResultBatch, digests: list[Digest]) -> None:
        """Add the next batch, with a digest for each of its objects."""
        errors = 0
        for one, digest in zip(batch.objects, digests, strict=True):
            self.size += digest.size
            if one.folder == "errors":
                errors += digest.lines
            else:
                self.results += digest.lines
        self.errors += errors
        self.failed_batches += errors > 0
        if batch.is_recorded:
            self.recorded_batches += 1
            self._add_range(self._next, batch.index - 1)
            self._next = batch.index + 1

    def close(self) -> None:
        """Declare that there are no more batches."""
        if self.total_batches is not None:
            self._add_range(self._next, self.total_batches - 1)

    def _add_range(self, first: int, last: int) -> None:
        if self.total_batches is None or first > last:
            return
        if len(self.missing_ranges) < MAX_RANGES and self.total_batches <= _MAX_ORDERED:
            self.missing_ranges.append((first, last))
        else:
            self.are_all_ranges = False


def manifest_begin(spec: JobSpec) -> str:
    """Return the text before the objects."""
    fields: dict[str, Any] = {"version": VERSION, "job_id": spec.job_id, "api_name": spec.api_name}
    fields["s3_path"] = f"{(spec.output_s3_path or '').rstrip('/')}/{spec.job_id}/"
    return f'{encode(fields)[:-1]},\n"objects":['


def object_text(prefix: str, one: ResultObject, digest: Digest) -> str:
    """Return the text of one object; commas come between them. `prefix`: of all keys, left out in the manifest."""
    fields: dict[str, Any] = {
        "key": one.listed.key.removeprefix(prefix),
        "size": digest.size,
        "lines": digest.lines,
        "sha256": digest.sha256,
    }
    return f"\n{encode(fields)}"


def manifest_end(sums: ResultSums, spec: JobSpec, end: JobEnd) -> str:
    """Return the text after the objects."""
    return "\n],\n" + ",\n".join(f'"{name}":{encode(value)}' for name, value in _sum_fields(sums, spec, end)) + "}\n"


def _sum_fields(sums: ResultSums, spec: JobSpec, end: JobEnd) -> Iterator[tuple[str, Any]]:
    yield "bytes", sums.size
    yield (
        "items",
        {
            "total": sums.total_items,
            "succeeded": sums.results,
            "failed": sums.errors,
            "missing": sums.missing_items,
        },
    )
    yield (
        "batches",
        {
            "total": sums.total_batches,
            "succeeded": max(0, sums.recorded_batches - sums.failed_batches),
            "failed": sums.failed_batches,
            "missing": sums.missing_batches,
        },
    )
    ranges = [list(one) for one in sums.missing_ranges]
    yield "missing_batches", {"ranges": ranges, "are_all": sums.are_all_ranges}
    yield "start_time", format_time(spec.start_time_ns)
    yield "end_time", format_time(end.end_time_ns)
    yield "status", end.state
    if end.error is not None:
        yield "error", error_fields(end.error)
