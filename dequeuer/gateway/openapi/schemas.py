"""The JSON schemas of what clients send and get. Fields may be added to what they get, so nothing else is forbidden."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias, get_args

from dequeuer.jobs.documents import PROGRESS_FIELDS
from dequeuer.jobs.spec import MAX_WORKERS
from dequeuer.jobs.state import JobState
from dequeuer.sinks.layout import STATUSES

Json: TypeAlias = Mapping[str, object]

TEXT: Final[Json] = {"type": "string"}
TIME: Final[Json] = {"type": "string", "format": "date-time"}
NUMBER_OR_NULL: Final[Json] = {"type": ["number", "null"]}


def objects(required: Mapping[str, Json], optional: Mapping[str, Json] | None = None) -> Json:
    """Return the schema of an object with these fields, and any others."""
    fields = {**required, **(optional or {})}
    return {"type": "object", "properties": fields, **({"required": list(required)} if required else {})}


def listed(item: Json) -> Json:
    """Return the schema of an array."""
    return {"type": "array", "items": item}


def or_null(schema: Json) -> Json:
    """Return a schema that also allows null, which is read as if the field were not there."""
    return {"anyOf": [schema, {"type": "null"}]}


def ref(name: str) -> Json:
    """Return a reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


_ATTEMPT: Final = objects(
    {"outcome": TEXT},
    {
        "began": TIME,
        "ended": TIME,
        "worker": TEXT,
        "code": TEXT,
        "reason": TEXT,
        "status_code": {"type": "integer"},
    },
)
_STATUS: Final[Mapping[str, Json]] = {
    "timestamp": TIME,
    "created": TIME,
    "started": TIME,
    "ended": TIME,
    "attempts": listed(_ATTEMPT),
    "progress": {"type": "object"},
    "error": objects({}, {"code": TEXT, "message": TEXT, "status_code": {"type": "integer"}}),
    "cancel_requested": TIME,
}
_STATUS_WORD: Final[Json] = {"type": "string", "enum": list(STATUSES)}
_SOURCES: Final = ("item_list", "file_path_lister", "delimited_files")
_S3_PATH: Final[Json] = {"type": "string", "pattern": "^s3://[a-z0-9]"}
_BATCH_SIZE: Final[Json] = {"type": "integer", "minimum": 1}
_FILES: Final = objects(
    {"s3_paths": {**listed(_S3_PATH), "minItems": 1}, "batch_size": _BATCH_SIZE},
    {"includes": or_null(listed(TEXT)), "excludes": or_null(listed(TEXT))},
)
_SUBMISSION: Final[Mapping[str, Json]] = {
    "config": {"type": ["object", "null"]},
    "timeout": {"type": ["integer", "null"], "minimum": 1},
    "priority": {"type": ["integer", "null"]},
}
_JOB_SPEC: Final[Mapping[str, Json]] = {
    "job_id": TEXT,
    "api_name": TEXT,
    "kind": {"type": "string", "enum": ["BatchAPI", "TaskAPI"]},
    "workers": {"type": "integer", "minimum": 1},
    "start_time": TIME,
}
_MORE_OF_JOB_SPEC: Final[Mapping[str, Json]] = {
    "sqs_dead_letter_queue": {"type": ["object", "null"]},
    "config": {"type": ["object", "null"]},
    "timeout": {"type": ["integer", "null"]},
    "api_id": TEXT,
    "spec_id": TEXT,
    "pod_id": TEXT,
    "sqs_url": TEXT,
    "total_batch_count": {"type": "integer"},
    "output": objects({"s3_path": TEXT}),
    "on_bad_item": TEXT,
    "priority": {"type": "integer"},
}
_JOB_STATUS: Final = objects(
    {**_JOB_SPEC, "status": {"type": "string", "enum": list(get_args(JobState))}},
    {
        **_MORE_OF_JOB_SPEC,
        "end_time": TIME,
        "batches_in_queue": {"type": "integer"},
        "worker_counts": {"type": "object", "additionalProperties": {"type": "integer"}},
        "progress": objects(dict.fromkeys(PROGRESS_FIELDS, NUMBER_OR_NULL)),
        "error": objects({"message": TEXT}),
        "paused": {"const": True},
        "stopping": {"const": True},
    },
)
_COUNT: Final[Json] = {"type": "integer", "minimum": 0}
_FAULT: Final = objects({"kind": TEXT, "message": TEXT})

SCHEMAS: Final[Mapping[str, Json]] = {
    "Submitted": objects({"id": TEXT}),
    "Status": objects({"id": TEXT, "status": _STATUS_WORD}, {"result": {}, "result_bytes": _COUNT, **_STATUS}),
    "Listed": objects(
        {"id": TEXT, "status": _STATUS_WORD},
        {**{name: schema for name, schema in _STATUS.items() if name != "attempts"}, "receives": _COUNT},
    ),
    "Requests": objects({"requests": listed(ref("Listed"))}, {"next": TEXT, "paused": TIME}),
    "DeadLetters": objects(
        {
            "queue": TEXT,
            "messages": {"type": "integer", "minimum": 0},
            "dead_letters": listed(
                objects(
                    {"message_id": TEXT, "receives": {"type": "integer", "minimum": 0}},
                    {"id": TEXT, "status": TEXT, "sent": TIME},
                )
            ),
        }
    ),
    "Queue": objects(
        {
            "queue": TEXT,
            "messages": _COUNT,
            "in_flight": _COUNT,
            "delayed": _COUNT,
            "dead_letters": {"type": ["integer", "null"], "minimum": 0},
        }
    ),
    "Apis": objects({"apis": listed(objects({"name": TEXT, "kind": TEXT, "endpoint": TEXT}))}),
    "Redriven": objects({"moved": {"type": "integer", "minimum": 0}, "left": {"type": "integer", "minimum": 0}}),
    "Problem": objects(
        {
            "type": TEXT,
            "title": TEXT,
            "status": {"type": "integer"},
            "detail": TEXT,
        },
        {"code": TEXT, "kind": TEXT, "faults": listed(_FAULT)},
    ),
    "BatchJobSubmission": {
        **objects(
            {"workers": {"type": "integer", "minimum": 1, "maximum": MAX_WORKERS}},
            {
                **_SUBMISSION,
                "item_list": or_null(objects({"items": {**listed({}), "minItems": 1}, "batch_size": _BATCH_SIZE})),
                "file_path_lister": or_null(_FILES),
                "delimited_files": or_null(_FILES),
                "sqs_dead_letter_queue": or_null(
                    objects({"arn": {"type": "string", "minLength": 1}, "max_receive_count": _BATCH_SIZE})
                ),
                "output": or_null(objects({"s3_path": _S3_PATH})),
                "on_bad_item": {"enum": ["fail", "skip", None]},
            },
        ),
        "oneOf": [
            {
                "required": [source],
                "properties": {name: {"type": "object" if name == source else "null"} for name in _SOURCES},
            }
            for source in _SOURCES
        ],
    },
    "TaskJobSubmission": or_null(objects({}, {"workers": {"enum": [1, None]}, **_SUBMISSION})),
    "Job": objects(_JOB_SPEC, _MORE_OF_JOB_SPEC),
    "JobStatus": _JOB_STATUS,
    "JobReport": objects(
        {"api_spec": {"type": "object"}, "job_status": ref("JobStatus"), "endpoint": TEXT},
        {"metrics": {"type": "object"}},
    ),
    "Api": objects(
        {"metadata": objects({"name": TEXT, "kind": TEXT}, {"id": TEXT})},
        {
            "spec": {"type": "object"},
            "num_traffic_splitter_targets": {"type": "integer", "minimum": 1},
            "endpoint": TEXT,
            "batch_job_statuses": listed(ref("JobStatus")),
            "task_job_statuses": listed(ref("JobStatus")),
        },
    ),
    "Message": objects({"message": TEXT}, {"paused": TIME}),
    "OperatorError": objects({"kind": TEXT, "message": TEXT}, {"faults": listed(_FAULT)}),
}
