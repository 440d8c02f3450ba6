"""The specification of a job, as it is answered to a submission and stored in `spec.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, TypeVar

from dequeuer.core.errors import DequeuerError
from dequeuer.formats.go_json import Number, decode_object, encode
from dequeuer.formats.go_time import format_time, parse_time
from dequeuer.jobs.layout import JOB_KINDS, JobKind

T = TypeVar("T")

MAX_WORKERS: Final = 10_000
"""Of a job; not in Cortex."""
OnBadItem: TypeAlias = Literal["fail", "skip"]
"""What an item that cannot be enqueued does: it ends the job, or the job goes on without it."""


class InvalidSpecError(DequeuerError):
    """A stored specification is not one: the job cannot be run or reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterQueue:
    """Where batches go that were received too often.

    Attributes:
        arn: of the queue.
        max_receive_count: receives of a batch before SQS moves it there.
    """

    arn: str
    max_receive_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """A job: what was submitted, without its items, and what was added when it was accepted and started.

    Attributes:
        job_id: `jobs.layout.is_job_id`.
        api_name: `jobs.layout.is_job_api_name`.
        kind: of the API.
        workers: how many work on the job.
        dead_letter_queue: None for jobs of a TaskAPI, too.
        config: for the container, which reads it in job.json; numbers are `go_json.Number`s.
        timeout_s: since the submission; None: no limit.
        api_id: of the version of the API that the job runs.
        spec_id: of the API's specification; jobs of a TaskAPI only.
        pod_id: of the API's pod; jobs of a TaskAPI only.
        sqs_url: of the job's queue; "" before it is created.
        total_batch_count: 0 before it is known.
        start_time_ns: of the submission, since the epoch.
        output_s3_path: where results go, one a line; None: results are not kept.
        on_bad_item: see `OnBadItem`.
        priority: jobs of higher priority start first when not all of them can run.
    """

    job_id: str
    api_name: str
    kind: JobKind
    workers: int
    dead_letter_queue: DeadLetterQueue | None = None
    config: Mapping[str, Any] | None = None
    timeout_s: int | None = None
    api_id: str = ""
    spec_id: str = ""
    pod_id: str = ""
    sqs_url: str = ""
    total_batch_count: int = 0
    start_time_ns: int = 0
    output_s3_path: str | None = None
    on_bad_item: OnBadItem = "fail"
    priority: int = 0


def spec_fields(spec: JobSpec) -> dict[str, Any]:
    """Return the fields for JSON, in Cortex's order; our own follow, when they say anything."""
    is_batch = spec.kind == "BatchAPI"
    queue = spec.dead_letter_queue
    fields: dict[str, Any] = {"job_id": spec.job_id, "api_name": spec.api_name, "kind": spec.kind}
    fields["workers"] = spec.workers
    if is_batch:
        fields["sqs_dead_letter_queue"] = queue and {"arn": queue.arn, "max_receive_count": queue.max_receive_count}
    fields |= {"config": spec.config, "timeout": spec.timeout_s, "api_id": spec.api_id}
    if is_batch:
        fields["sqs_url"] = spec.sqs_url
        if spec.total_batch_count:
            fields["total_batch_count"] = spec.total_batch_count
    else:
        fields |= {"spec_id": spec.spec_id, "pod_id": spec.pod_id}
    fields["start_time"] = format_time(spec.start_time_ns)
    return fields | own_fields(spec.output_s3_path, spec.on_bad_item, spec.priority)


def own_fields(output_s3_path: str | None, on_bad_item: OnBadItem, priority: int) -> dict[str, Any]:
    """Return the fields that Cortex does not have, without those that say nothing."""
    fields: dict[str, Any] = {}
    if output_s3_path is not None:
        fields["output"] = {"s3_path": output_s3_path}
    if on_bad_item != "fail":
        fields["on_bad_item"] = on_bad_item
    if priority:
        fields["priority"] = priority
    return fields


def dump_spec(spec: JobSpec, *, indent: int = 0) -> bytes:
    """Return the text of `spec.json`; with an indent of 2 that of the container's `job.json`."""
    return encode(spec_fields(spec), indent=indent).encode()


def parse_spec(text: bytes) -> JobSpec:
    """Return the specification in `spec.json`, of Cortex or ours. Unknown fields are ignored.

    Raises `InvalidSpecError`, which quotes nothing of the text.
    """
    try:
        fields = decode_object(text)
    except ValueError as error:
        raise InvalidSpecError("spec.json is no JSON object") from error
    kind = next((kind for kind in JOB_KINDS if kind == fields.get("kind")), None)
    if kind is None:
        raise InvalidSpecError("kind in spec.json is none that has jobs")
    queue, output = _optional(fields, "sqs_dead_letter_queue", dict), _optional(fields, "output", dict)
    try:
        start_time_ns = parse_time(_required(fields, "start_time", str))
    except ValueError as error:
        raise InvalidSpecError("start_time in spec.json is no time") from error
    return JobSpec(
        job_id=_required(fields, "job_id", str),
        api_name=_required(fields, "api_name", str),
        kind=kind,
        workers=_integer(fields, "workers"),
        dead_letter_queue=None if queue is None else _dead_letter_queue(queue),
        config=_optional(fields, "config", dict),
        timeout_s=None if fields.get("timeout") is None else _integer(fields, "timeout"),
        api_id=_optional(fields, "api_id", str) or "",
        spec_id=_optional(fields, "spec_id", str) or "",
        pod_id=_optional(fields, "pod_id", str) or "",
        sqs_url=_optional(fields, "sqs_url", str) or "",
        total_batch_count=_integer(fields, "total_batch_count") if "total_batch_count" in fields else 0,
        start_time_ns=start_time_ns,
        output_s3_path=_required(output, "s3_path", str) if output is not None else None,
        on_bad_item="skip" if fields.get("on_bad_item") == "skip" else "fail",
        priority=_integer(fields, "priority") if "priority" in fields else 0,
    )


def _dead_letter_queue(fields: dict[str, Any]) -> DeadLetterQueue:
    return DeadLetterQueue(arn=_required(fields, "arn", str), max_receive_count=_integer(fields, "max_receive_count"))


def _optional(fields: dict[str, Any], name: str, kind: type[T]) -> T | None:
    value = fields.get(name)
    # Number is a str: a number where a text is expected is a fault, too.
    if value is not None and (not isinstance(value, kind) or isinstance(value, Number)):
        raise InvalidSpecError(f"{name} in spec.json is not of its type")
    return value


def _required(fields: dict[str, Any], name: str, kind: type[T]) -> T:
    value = _optional(fields, name, kind)
    if value is None:
        raise InvalidSpecError(f"{name} in spec.json is missing")
    return value


def _integer(fields: dict[str, Any], name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, Number):
        raise InvalidSpecError(f"{name} in spec.json is no number")
    try:
        return int(value)
    except ValueError as error:
        raise InvalidSpecError(f"{name} in spec.json is no whole number") from error
