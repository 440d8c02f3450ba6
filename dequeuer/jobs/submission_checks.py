"""The checks of a submission, in Cortex's order and with its texts. Each yields its faults instead of stopping there.

A field whose type is wrong has a fault already (`formats.go_unmarshal`), so its value is not checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from dequeuer.core.errors import clip
from dequeuer.formats.go_unmarshal import MAX_STRINGS
from dequeuer.formats.json_spans import larger_elements, value_start
from dequeuer.jobs.errors import FOREIGN, Fault
from dequeuer.jobs.globs import MAX_LIST_CHARS, GlobError, compile_glob
from dequeuer.jobs.s3_path import INVALID_S3_PATH, OUTPUT_PATH, InvalidS3PathError, parse_s3_path
from dequeuer.jobs.spec import MAX_WORKERS
from dequeuer.jobs.submission import MAX_ITEM_BYTES

SOURCES: Final = ("item_list", "file_path_lister", "delimited_files")
LISTERS: Final = SOURCES[1:]
MAX_GLOBS: Final = 1000
"""Patterns of one list."""
MAX_PRIORITY: Final = 100
MAX_CONFIG_BYTES: Final = 1 << 20
"""Of its JSON text. Kubernetes limits the ConfigMap that carries it to the same size."""
MAX_FAULTS_OF_LIST: Final = 20
"""Of the entries of one list: a hundred thousand wrong paths are not told one by one."""

Fields = dict[str, Any]
"""What was submitted, by name: see `formats.go_unmarshal.Unmarshalled`."""


class Checks:
    """Checks what was submitted. `ill_typed`: names of fields that have a fault of type, with dots between."""

    def __init__(self, fields: Fields, ill_typed: Iterable[str]) -> None:
        self._fields = fields
        self._ill_typed = frozenset(ill_typed)

    def schema(self) -> Iterator[Fault]:
        """Yield the faults that concern the form of a batch job."""
        yield from self._sources()
        if "item_list" in self._fields:
            yield from self._items(self._fields["item_list"])
        for name in SOURCES:
            if name in self._fields:
                yield from self._at_least_one(name, "batch_size")
        yield from self._at_least_one("workers")
        if self._is_sound("workers") and (workers := self._fields.get("workers", 0)) > MAX_WORKERS:
            message = f"workers: must be less than or equal to {MAX_WORKERS} (got {workers})"
            yield Fault("configreader.must_be_less_than_or_equal_to", message)
        if "timeout" in self._fields:
            yield from self._at_least_one("timeout")
        queue = self._fields.get("sqs_dead_letter_queue")
        if queue is not None:
            if not queue.get("arn") and self._is_sound("sqs_dead_letter_queue", "arn"):
                yield Fault("configreader.cannot_be_empty", "sqs_dead_letter_queue: arn: cannot be empty")
            yield from self._at_least_one("sqs_dead_letter_queue", "max_receive_count")

    def task_schema(self) -> Iterator[Fault]:
        """Yield the faults that concern the form of a task job."""
        workers = self._fields.get("workers", 1)
        if workers != 1 and self._is_sound("workers"):
            message = f"workers: invalid value (got {workers}, must be 1)"
            yield Fault("configreader.invalid_int", message)
        if "timeout" in self._fields:
            yield from self._at_least_one("timeout")

    def own(self) -> Iterator[Fault]:
        """Yield the faults of fields that Cortex does not have, and of the size that it leaves to Kubernetes."""
        size = len(self._fields.get("config", b""))
        if size > MAX_CONFIG_BYTES:
            message = f"config has size {size} bytes which exceeds the limit ({MAX_CONFIG_BYTES} bytes)"
            yield Fault("job.config_size_exceeds_limit", message)
        if "output" in self._fields and self._is_sound("output", "s3_path"):
            yield from _output_faults(self._fields["output"].get("s3_path", ""))
        on_bad_item = self._fields.get("on_bad_item", "fail")
        if on_bad_item not in {"fail", "skip"}:
            message = f'on_bad_item: invalid value (got "{clip(on_bad_item)}", must be "fail" or "skip")'
            yield Fault("configreader.invalid_str", message)
        priority = self._fields.get("priority", 0)
        if priority < 0:
            yield _less_than("priority", 0, priority)
        elif priority > MAX_PRIORITY:
            message = f"priority: must be less than or equal to {MAX_PRIORITY} (got {priority})"
            yield Fault("configreader.must_be_less_than_or_equal_to", message)

    def lister(self, name: str) -> Iterator[Fault]:
        """Yield the faults of the paths and globs of a source that is there."""
        files = self._fields[name]
        if not files.get("s3_paths") and self._is_sound(name, "s3_paths"):
            yield Fault(_TOO_FEW, f"{name}: s3_paths: must contain at least 1 elements")
        for patterns in ("includes", "excludes"):
            if self._is_sound(name, patterns):
                yield from _glob_faults(f"{name}: {patterns}", files.get(patterns, []))
        if self._is_sound(name, "s3_paths"):
            paths = files.get("s3_paths", [])
            yield from _too_many(f"{name}: s3_paths", paths, MAX_STRINGS) or _s3_path_faults(name, paths)

    def _sources(self) -> Iterator[Fault]:
        given = [name for name in SOURCES if name in self._fields or not self._is_sound(name)]
        if not given:
            message = f"specify exactly one of the following keys: {_or(SOURCES)}"
            yield Fault("job.specify_exactly_one_key", message)
        elif len(given) > 1:
            message = f"please specify either the {_or(given)} field (but not more than one at the same time)"
            yield Fault("job.conflicting_fields", message)

    def _items(self, fields: Fields) -> Iterator[Fault]:
        items: bytes = fields.get("items", b"[]")
        if not self._is_sound("item_list", "items"):
            return
        if items[value_start(items, 1)] == ord("]"):
            yield Fault(_TOO_FEW, "items: must contain at least 1 elements")
        if len(items) <= MAX_ITEM_BYTES:
            return
        for index, size in larger_elements(items, MAX_ITEM_BYTES):
            message = f"item {index} has size {size} bytes which exceeds the limit ({MAX_ITEM_BYTES} bytes)"
            yield Fault("batchapi.item_size_exceeds_limit", message)

    def _at_least_one(self, *path: str) -> Iterator[Fault]:
        fields = self._fields
        for name in path[:-1]:
            fields = fields[name]
        value = fields.get(path[-1], 0)
        if value < 1 and self._is_sound(*path):
            yield _less_than(": ".join(path), 1, value)

    def _is_sound(self, *path: str) -> bool:
        return all(".".join(path[: end + 1]) not in self._ill_typed for end in range(len(path)))


_TOO_FEW: Final = "configreader.too_few_elements"


def _less_than(name: str, least: int, value: int) -> Fault:
    message = f"{name}: must be greater than or equal to {least} (got {value})"
    return Fault("configreader.must_be_greater_than_or_equal_to", message)


def _glob_faults(name: str, patterns: list[str]) -> Iterator[Fault]:
    yield from _too_many(name, patterns, MAX_GLOBS) or islice(_wrong_globs(name, patterns), MAX_FAULTS_OF_LIST)


def _too_many(name: str, values: list[str], limit: int) -> list[Fault]:
    message = f"{name}: must contain at most {limit} elements"
    return [Fault("configreader.too_many_elements", message)] if len(values) > limit else []


def _wrong_globs(name: str, patterns: list[str]) -> Iterator[Fault]:
    size = sum(map(len, patterns))
    if size > MAX_LIST_CHARS:
        yield Fault(FOREIGN, f"{name}: {size} characters in all exceed the limit ({MAX_LIST_CHARS} characters)")
        return
    for pattern in patterns:
        try:
            compile_glob(pattern)
        except GlobError as error:
            yield Fault(FOREIGN, f"{name}: {clip(pattern)}: {error}" if pattern else f"{name}: {error}")


def _s3_path_faults(name: str, paths: list[str]) -> Iterator[Fault]:
    yield from islice(_wrong_s3_paths(name, paths), MAX_FAULTS_OF_LIST)


def _wrong_s3_paths(name: str, paths: list[str]) -> Iterator[Fault]:
    for path in paths:
        try:
            parse_s3_path(path)
        except InvalidS3PathError:
            yield Fault(INVALID_S3_PATH, f"{name}: {InvalidS3PathError(clip(path))}")


def _output_faults(path: str) -> Iterator[Fault]:
    yield from (found := [*_s3_path_faults("output: s3_path", [path])])
    # The workers would be started in vain: their sidecars refuse it.
    if not found and re.fullmatch(OUTPUT_PATH, path) is None:
        message = f'output: s3_path: must be up to 905 printable ASCII characters (got "{clip(path)}")'
        yield Fault(INVALID_S3_PATH, message)


def _or(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)}{',' if len(first) > 1 else ''} or {last}"
