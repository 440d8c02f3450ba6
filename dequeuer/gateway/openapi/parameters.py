"""The parameters of routes: of their paths, their queries and their headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from dequeuer.formats.api_name import API_NAME_PATTERN
from dequeuer.formats.request_id import ID_PATTERN
from dequeuer.gateway.access.places import API_NAME_HEADER
from dequeuer.gateway.deadlines import CANCEL_AFTER_HEADER, DEADLINE_HEADER
from dequeuer.gateway.idempotency_key import IDEMPOTENCY_HEADER, MAX_KEY_CHARS
from dequeuer.gateway.list_limit import MAX_LISTED
from dequeuer.gateway.openapi.schemas import TEXT, Json
from dequeuer.gateway.priorities import PRIORITY_HEADER, PRIORITY_PARAMETER
from dequeuer.gateway.result_limit import MAX_DIGITS, RESULT_LIMIT_PARAMETER
from dequeuer.gateway.waiting import MAX_WAIT_S
from dequeuer.gateway.webhooks import WEBHOOK_HEADER
from dequeuer.jobs.names import JOB_ID as ID_OF_JOB
from dequeuer.jobs.result_objects import FOLDERS
from dequeuer.sinks.layout import STATUSES


def _parameter(
    place: Literal["path", "query", "header"],
    name: str,
    text: str,
    schema: Mapping[str, object],
    *,
    required: bool = False,
) -> Json:
    is_required = {"required": True} if required or place == "path" else {}
    return {"name": name, "in": place, "description": text, "schema": schema, **is_required}


_ID: Final = f"^{ID_PATTERN}$"
_NAME: Final = f"^{API_NAME_PATTERN}$"

REQUEST_ID: Final = _parameter("path", "request_id", "Of the request.", {"type": "string", "pattern": _ID})
WAIT: Final = _parameter(
    "query", "wait", "Seconds to wait for the end.", {"type": "integer", "minimum": 0, "maximum": MAX_WAIT_S}
)
RESULT_LIMIT: Final = _parameter(
    "query",
    RESULT_LIMIT_PARAMETER,
    "Of a larger result only the size is sent.",
    {"type": "integer", "minimum": 0, "maximum": 10**MAX_DIGITS - 1},
)
SUBMIT_HEADERS: Final = (
    _parameter("header", "Prefer", "`wait=N`: wait up to N seconds for the result.", TEXT),
    _parameter(
        "header",
        IDEMPOTENCY_HEADER,
        "Sent again with the same key, it is one request.",
        {"type": "string", "minLength": 1, "maxLength": MAX_KEY_CHARS},
    ),
    _parameter("header", CANCEL_AFTER_HEADER, "How long it is wanted: `30`, `30s`, `5m`, `1h30m`.", TEXT),
    _parameter(
        "header", DEADLINE_HEADER, "Until when it is wanted: a date of HTTP or RFC 3339; not beside the other.", TEXT
    ),
    _parameter("header", WEBHOOK_HEADER, "Who is told when it has ended.", TEXT),
)
STATUS: Final = _parameter(
    "query", "status", "List those with this status.", {"type": "string", "enum": list(STATUSES)}
)
AFTER_REQUEST: Final = _parameter(
    "query",
    "after",
    "List what follows: `next` of the page before.",
    {"type": "string", "pattern": rf"^[0-9a-f]{{8}}-[0-9a-f]{{4}}\.{ID_PATTERN}$"},
)
IN_CLUSTER_API: Final = (
    _parameter("header", API_NAME_HEADER, "Name of the API.", {"type": "string", "pattern": _NAME}, required=True),
)
IN_CLUSTER: Final = (
    *IN_CLUSTER_API,
    _parameter("header", "X-Request-ID", "Becomes the id.", {"type": "string", "pattern": _ID}, required=True),
    _parameter("header", "X-Cortex-Queue-URL", "The queue of the API.", TEXT, required=True),
)

_SOME: Final[Json] = {"type": "string", "minLength": 1}
JOB_ID: Final = _parameter("query", "jobID", "Of the job.", _SOME, required=True)
MAYBE_JOB_ID: Final = _parameter("query", "jobID", "Of the job; without it, jobs are listed.", _SOME)
ACTION: Final = _parameter(
    "query", "action", "What to do.", {"type": "string", "enum": ["pause", "resume"]}, required=True
)
REDRIVE: Final = _parameter("query", "action", "What to do.", {"type": "string", "enum": ["redrive"]}, required=True)
DRY_RUN: Final = _parameter("query", "dryRun", "`true`: check the submission, and list its files.", TEXT)
LIMIT: Final = _parameter(
    "query", "limit", "How many are listed.", {"type": "integer", "minimum": 1, "maximum": MAX_LISTED}
)
AFTER_JOB: Final = _parameter(
    "query", "after", "List those after this job.", {"type": "string", "pattern": f"^(?:{ID_OF_JOB})?$"}
)
ONLY: Final = _parameter("query", "only", "Which results.", {"type": "string", "enum": list(FOLDERS)})


def priority_parameter(place: Literal["header", "query"], names: Sequence[str]) -> Json:
    """Return the parameter that names a priority. `names`: of those that the API has; none: they are not known."""
    name, text = (
        (PRIORITY_HEADER, "Which queue it goes to; without it, the API's own.")
        if place == "header"
        else (PRIORITY_PARAMETER, "Of the queue with this priority; without it, of the API's own.")
    )
    return _parameter(place, name, text, {"type": "string", "enum": list(names)} if names else TEXT)
