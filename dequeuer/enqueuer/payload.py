"""What the stored submission says about the items of the job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from dequeuer.core.errors import DequeuerError
from dequeuer.enqueuer.model import EnqueueFaultError
from dequeuer.formats.go_json import Number, decode
from dequeuer.formats.json_spans import Span, members, value_start
from dequeuer.formats.json_text import check_json
from dequeuer.jobs.enqueue_error import EnqueueError
from dequeuer.jobs.file_search import FileSearch

Lister: TypeAlias = Literal["file_path_lister", "delimited_files"]
LISTERS: tuple[Lister, ...] = ("file_path_lister", "delimited_files")


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemArray:
    """Items in the submission itself. `text`: of the submission; `start`: of the array of items in it."""

    text: bytes
    start: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Files in S3: their paths are the items, or the values in them."""

    lister: Lister
    search: FileSearch


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPayload:
    """Where the items are, how many make a batch, and what becomes of an item that cannot be sent."""

    source: ItemArray | Files
    batch_size: int
    skips_bad_items: bool


def parse_payload(text: bytes) -> JobPayload:
    """Return what `payload.json` says. No objects are built of the items.

    Raises:
        EnqueueFaultError: it is not a submission.
    """
    try:
        check_json(text)
        fields = _fields(text, value_start(text, 0))
    except (DequeuerError, ValueError, IndexError) as error:
        raise _invalid("it is not JSON") from error
    given = [name for name in ("item_list", *LISTERS) if text[slice(*fields.get(name, (0, 0)))] not in (b"", b"null")]
    if len(given) != 1:
        raise _invalid("it has not exactly one of item_list, file_path_lister and delimited_files")
    on_bad_item = fields.get("on_bad_item")
    skips = on_bad_item is not None and text[slice(*on_bad_item)] == b'"skip"'
    inner = _fields(text, fields[given[0]][0])
    if given[0] == "item_list":
        items = inner.get("items")
        if items is None or text[items[0] : items[0] + 1] != b"[":
            raise _invalid("item_list.items is no array")
        source: ItemArray | Files = ItemArray(text=text, start=items[0])
        size: Any = decode(text[slice(*inner.get("batch_size", (0, 0)))].decode() or "null")
    else:
        lister = decode(text[slice(*fields[given[0]])].decode())
        source = Files(
            lister="file_path_lister" if given[0] == LISTERS[0] else "delimited_files", search=_search(lister)
        )
        size = lister.get("batch_size")
    if not isinstance(size, Number) or not size.isdecimal() or int(size) < 1:
        raise _invalid("batch_size is not a whole number from 1")
    return JobPayload(source=source, batch_size=int(size), skips_bad_items=skips)


def _fields(text: bytes, start: int) -> Mapping[str, Span]:
    if text[start : start + 1] != b"{":
        raise _invalid("it is not an object with objects")
    return dict(members(text, start))


def _search(fields: Mapping[str, Any]) -> FileSearch:
    lists = [fields.get(name) or [] for name in ("s3_paths", "includes", "excludes")]
    for texts in lists:
        if not isinstance(texts, list) or not all(
            isinstance(one, str) and not isinstance(one, Number) for one in texts
        ):
            raise _invalid("paths and globs are not lists of strings")
    s3_paths, includes, excludes = lists
    return FileSearch(s3_paths=tuple(s3_paths), includes=tuple(includes), excludes=tuple(excludes))


def _invalid(reason: str) -> EnqueueFaultError:
    return EnqueueFaultError(EnqueueError(message=f"payload.json cannot be used: {reason}"))
