"""From the body of a request to a submission, or to all of its faults."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dequeuer.core.errors import InvalidResponseError
from dequeuer.formats.go_json import TooDeepError, decode, sort_names
from dequeuer.formats.go_json_errors import syntax_error
from dequeuer.formats.go_unmarshal import FieldType, Struct, unmarshal
from dequeuer.formats.json_spans import value_start
from dequeuer.formats.json_text import InvalidJsonError, check_json
from dequeuer.jobs.errors import FOREIGN, Fault
from dequeuer.jobs.file_search import FileSearch
from dequeuer.jobs.spec import DeadLetterQueue
from dequeuer.jobs.submission import FileList, ItemList, Submission
from dequeuer.jobs.submission_checks import LISTERS, MAX_CONFIG_BYTES, Checks, Fields

_OWN = Struct("spec", "Output", {"s3_path": "string"})
_QUEUE = Struct("spec", "SQSDeadLetterQueue", {"arn": "string", "max_receive_count": "int"})
_ITEM_LIST = Struct("schema", "ItemList", {"items": "[]json.RawMessage", "batch_size": "int"})
_TASK = Struct(
    "schema",
    "TaskJobSubmission",
    {"workers": "int", "config": "map[string]interface {}", "timeout": "int", "priority": "int"},
)


def _files(name: str) -> Struct:
    lists: dict[str, FieldType] = {"s3_paths": "[]string", "includes": "[]string", "excludes": "[]string"}
    return Struct("schema", name, lists | {"batch_size": "int"})


_BATCH = Struct(
    "schema",
    "BatchJobSubmission",
    {
        **_TASK.fields,
        "sqs_dead_letter_queue": _QUEUE,
        "item_list": _ITEM_LIST,
        "file_path_lister": _files("FilePathLister"),
        "delimited_files": _files("DelimitedFiles"),
        "output": _OWN,
        "on_bad_item": "string",
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What the body says.

    Attributes:
        submission: None when there are faults.
        faults: in the order of the checks.
        searches: the files of the sources that are sound, by the name of the source: whether any exist is for the
            caller to check.
        is_unreadable: the body is not JSON, or values in it are of other types.
    """

    submission: Submission | None
    faults: tuple[Fault, ...]
    searches: dict[str, FileSearch]
    is_unreadable: bool


def parse_batch_submission(body: bytes, version: str) -> Parsed:
    """Parse and check the body of a submission to a BatchAPI.

    It takes up to 1.5 s for each MiB of hostile text, so call it in a thread; its memory is a few times `body`.

    Args:
        body: `MAX_BODY_BYTES` at most.
        version: of Cortex; error texts lead to its documents.
    """
    fault = _syntax_fault(body)
    hint = _hint("job submission schema", version)
    if fault is not None:
        return _refused([fault], hint)
    found = unmarshal(body, _BATCH, value_start(body, 0))
    checks = Checks(found.fields, found.faults)
    config, config_faults = _config(found.fields)
    own = [*checks.own(), *config_faults]
    faults = _hinted(
        [*(Fault(FOREIGN, text) for text in found.faults.values()), *_schema_faults(checks, found.faults)], hint
    )
    searches: dict[str, FileSearch] = {}
    for name in LISTERS:
        if name not in found.fields:
            continue
        of_lister = list(checks.lister(name))
        faults += of_lister
        if not of_lister and not any(field.startswith(f"{name}.") for field in found.faults):
            searches[name] = _search(found.fields[name])
    faults += own
    submission = None if faults else _submission(found.fields, config)
    return Parsed(submission=submission, faults=tuple(faults), searches=searches, is_unreadable=bool(found.faults))


def parse_task_submission(body: bytes, version: str) -> Parsed:
    """Parse and check the body of a submission to a TaskAPI; see `parse_batch_submission`."""
    fault = _syntax_fault(body)
    hint = _hint("task job submission schema", version)
    if fault is not None:
        return _refused([fault], hint)
    found = unmarshal(body, _TASK, value_start(body, 0))
    checks = Checks(found.fields, found.faults)
    config, config_faults = _config(found.fields)
    faults = _hinted((Fault(FOREIGN, text) for text in found.faults.values()), hint)
    if "" not in found.faults:
        faults += checks.task_schema()
    faults += [*checks.own(), *config_faults]
    submission = None if faults else _submission({"workers": 1, **found.fields}, config)
    return Parsed(submission=submission, faults=tuple(faults), searches={}, is_unreadable=bool(found.faults))


def _syntax_fault(body: bytes) -> Fault | None:
    try:
        check_json(body)
    except InvalidJsonError as error:
        return Fault(FOREIGN, syntax_error(body, error))
    except InvalidResponseError:
        return Fault(FOREIGN, "the body is not UTF-8")
    return None


def _schema_faults(checks: Checks, type_faults: dict[str, str]) -> Iterable[Fault]:
    return () if "" in type_faults else checks.schema()


def _config(fields: Fields) -> tuple[dict[str, Any] | None, list[Fault]]:
    text = fields.get("config")
    if text is None or len(text) > MAX_CONFIG_BYTES:
        return None, []
    try:
        return sort_names(decode(text.decode())), []
    except TooDeepError as error:
        return None, [Fault(FOREIGN, f"config: {error}")]


def _submission(fields: Fields, config: dict[str, Any] | None) -> Submission:
    queue, items = fields.get("sqs_dead_letter_queue"), fields.get("item_list")
    return Submission(
        workers=fields["workers"],
        dead_letter_queue=queue and DeadLetterQueue(arn=queue["arn"], max_receive_count=queue["max_receive_count"]),
        config=config,
        timeout_s=fields.get("timeout"),
        item_list=items and ItemList(items=items["items"], batch_size=items["batch_size"]),
        file_path_lister=_file_list(fields.get("file_path_lister")),
        delimited_files=_file_list(fields.get("delimited_files")),
        output_s3_path=fields["output"]["s3_path"] if "output" in fields else None,
        on_bad_item=fields.get("on_bad_item", "fail"),
        priority=fields.get("priority", 0),
    )


def _file_list(fields: Fields | None) -> FileList | None:
    if fields is None:
        return None
    return FileList(
        s3_paths=tuple(fields["s3_paths"]),
        includes=_tuple(fields.get("includes")),
        excludes=_tuple(fields.get("excludes")),
        batch_size=fields["batch_size"],
    )


def _search(fields: Fields) -> FileSearch:
    return FileSearch(
        s3_paths=tuple(fields["s3_paths"]),
        includes=tuple(fields.get("includes", ())),
        excludes=tuple(fields.get("excludes", ())),
    )


def _tuple(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


def _refused(faults: list[Fault], hint: str) -> Parsed:
    return Parsed(submission=None, faults=tuple(_hinted(faults, hint)), searches={}, is_unreadable=True)


def _hinted(faults: Iterable[Fault], hint: str) -> list[Fault]:
    return [Fault(fault.kind, f"{fault.message}\n\n{hint}") for fault in faults]


def _hint(what: str, version: str) -> str:
    minor = ".".join(version.split(".")[:2])
    return f"{what} can be found at https://docs.cortexlabs.com/v/{minor}/"
