"""What each route does, for the document. A route is named by its method and pattern, as in the metrics.

A new route needs an entry here; a test fails without it, and with one that no route has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from dequeuer.gateway.access.places import APIS_PATH, JOB_PATTERNS, OPENAPI_PATHS
from dequeuer.gateway.openapi.parameters import (
    ACTION,
    AFTER_JOB,
    AFTER_REQUEST,
    DRY_RUN,
    IN_CLUSTER,
    IN_CLUSTER_API,
    JOB_ID,
    LIMIT,
    MAYBE_JOB_ID,
    ONLY,
    REDRIVE,
    REQUEST_ID,
    RESULT_LIMIT,
    STATUS,
    SUBMIT_HEADERS,
    WAIT,
)
from dequeuer.gateway.openapi.schemas import TEXT, Json, listed, ref

Tag = Literal["requests", "jobs", "realtime", "apis", "gateway"]

_TEXT_ERROR: Final = {"text/plain": TEXT}
_PROBLEM: Final = {"application/problem+json": ref("Problem")}
_OPERATOR_ERROR: Final = {"application/json": ref("OperatorError")}
ANY_BODY: Final[Mapping[str, Json]] = {"*/*": {}}
"""Anything, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a route does.

    Attributes:
        summary: for people, without a full stop.
        tag: the group.
        parameters: of path, query and headers.
        body: media types and schemas of what is sent; None: nothing is read.
        answers: media types and schemas of successes, by status.
        errors: media types and schemas of errors, by status.
        takes_priority: where it takes the name of a priority, for APIs that have some.
        is_open: it needs no token.
    """

    summary: str
    tag: Tag
    parameters: tuple[Json, ...] = ()
    body: Mapping[str, Json] | None = None
    answers: Mapping[int, Mapping[str, Json]] = field(default_factory=dict)
    errors: Mapping[int, Mapping[str, Json]] = field(default_factory=dict)
    takes_priority: Literal["header", "query"] | None = None
    is_open: bool = False


def _errors(form: Mapping[str, Json], *statuses: int, **others: Mapping[str, Json]) -> Mapping[int, Mapping[str, Json]]:
    """Return the errors of a route: those of every route, `statuses`, and `others` (`_409`) in another form."""
    every = dict.fromkeys((400, 401, 403, 429, 500, 503, *statuses), form)
    return {
        **every,
        500: _TEXT_ERROR,
        **{int(status[1:]): {**every.get(int(status[1:]), {}), **form} for status, form in others.items()},
    }


_STATUS: Final = {"application/json": ref("Status")}
_EVENTS: Final[Mapping[str, Json]] = {"text/event-stream": {}}
_SUBMIT: Final = Operation(
    summary="Submit a request",
    tag="requests",
    parameters=SUBMIT_HEADERS,
    body=ANY_BODY,
    answers={
        200: {"application/json": {"anyOf": [ref("Submitted"), ref("Status")]}},
        202: {"application/json": ref("Submitted")},
    },
    errors=_errors(_TEXT_ERROR, 404, 408, 413, 431, _400=_PROBLEM, _409=_PROBLEM, _422=_PROBLEM, _503=_PROBLEM),
    takes_priority="header",
)
_REPORT: Final = Operation(
    summary="Ask for the status of a request, and its result",
    tag="requests",
    parameters=(REQUEST_ID, WAIT, RESULT_LIMIT),
    answers={200: _STATUS},
    errors=_errors(_TEXT_ERROR, 404, _400=_PROBLEM, _503=_PROBLEM),
)
_REQUEST_ERRORS: Final = _errors(_PROBLEM, 404, _400=_TEXT_ERROR, _404=_TEXT_ERROR, _503=_TEXT_ERROR)
_CANCEL: Final = Operation(
    summary="Ask for the cancellation of a request",
    tag="requests",
    parameters=(REQUEST_ID, RESULT_LIMIT),
    answers={200: _STATUS},
    errors=_REQUEST_ERRORS,
)
_REQUEST_EVENTS: Final = Operation(
    summary="Follow a request: its status each time it changes, until it has ended",
    tag="requests",
    parameters=(REQUEST_ID,),
    answers={200: _EVENTS},
    errors=_REQUEST_ERRORS,
)


_LIST: Final = Operation(
    summary="List the requests, the newest first",
    tag="requests",
    parameters=(LIMIT, STATUS, AFTER_REQUEST),
    answers={200: {"application/json": ref("Requests")}},
    errors=_errors(_PROBLEM, 404),
)


_CHANGE: Final = Operation(
    summary="Pause or resume an API: whether its sidecars receive",
    tag="requests",
    parameters=(ACTION,),
    answers={200: {"application/json": ref("Message")}},
    errors=_errors(_PROBLEM, 404, 409),
)


_DEAD_LETTERS: Final = Operation(
    summary="Look at some of the dead letters",
    tag="requests",
    parameters=(LIMIT,),
    answers={200: {"application/json": ref("DeadLetters")}},
    errors=_errors(_PROBLEM, 404, 409),
    takes_priority="query",
)
_REDRIVE: Final = Operation(
    summary="Send dead letters back to the queue",
    tag="requests",
    parameters=(REDRIVE,),
    answers={200: {"application/json": ref("Redriven")}},
    errors=_errors(_PROBLEM, 404, 409),
    takes_priority="query",
)
_QUEUE: Final = Operation(
    summary="Count the messages of the queue",
    tag="requests",
    answers={200: {"application/json": ref("Queue")}},
    errors=_errors(_PROBLEM, 404, 409),
    takes_priority="query",
)
_PAYLOAD: Final = Operation(
    summary="The payload of a request, until it is deleted at its end",
    tag="requests",
    parameters=(REQUEST_ID,),
    answers={200: {"application/octet-stream": {}}},
    errors=_errors(_PROBLEM, 404),
)


def _in_cluster(operation: Operation, parameters: tuple[Json, ...]) -> Operation:
    return replace(
        operation,
        summary=f"As in a cluster of Cortex: {operation.summary[0].lower()}{operation.summary[1:]}",
        parameters=(*parameters, *operation.parameters),
    )


def _jobs(kind: Literal["BatchAPI", "TaskAPI"]) -> Mapping[str, Operation]:
    is_batch = kind == "BatchAPI"
    job = "BatchJob" if is_batch else "TaskJob"
    path, is_cortex = JOB_PATTERNS[kind], _errors(_OPERATOR_ERROR)
    return {
        f"POST {path}": Operation(
            summary="Submit a job",
            tag="jobs",
            parameters=(DRY_RUN,) if is_batch else (),
            body={"application/json": ref(f"{job}Submission")},
            answers={200: {"application/json": ref("Job"), **({"text/plain": TEXT} if is_batch else {})}},
            errors=_errors(_OPERATOR_ERROR, _400=_TEXT_ERROR) if is_batch else is_cortex,
        ),
        f"GET {path}": Operation(
            summary="Ask for the status of a job, or, without `jobID`, list the newest jobs",
            tag="jobs",
            parameters=(MAYBE_JOB_ID, LIMIT, AFTER_JOB),
            answers={200: {"application/json": {"anyOf": [ref("JobReport"), listed(ref("JobStatus"))]}}},
            errors=_errors({**_OPERATOR_ERROR, **_PROBLEM}, 404),
        ),
        f"DELETE {path}": Operation(
            summary="Stop a job",
            tag="jobs",
            parameters=(JOB_ID,),
            answers={200: {"application/json": ref("Message")}},
            errors=is_cortex,
        ),
        f"PUT {path}": Operation(
            summary="Pause or resume a job",
            tag="jobs",
            parameters=(JOB_ID, ACTION),
            answers={200: {"application/json": ref("Message")}},
            errors=_errors(_PROBLEM, 404, 409),
        ),
        f"GET {path}/events": Operation(
            summary="Follow a job: its status each time it changes, until it has ended",
            tag="jobs",
            parameters=(JOB_ID,),
            answers={200: _EVENTS},
            errors=_errors(_PROBLEM, 404),
        ),
        f"GET {path}/results": Operation(
            summary="The results of a job that are there, one a line",
            tag="jobs",
            parameters=(JOB_ID, ONLY),
            answers={200: {"application/jsonl": TEXT}},
            errors=_errors(_PROBLEM, 404, 409, 505),
        ),
    }


def _by_manifests(summary: str) -> Operation:
    return Operation(
        summary=f"{summary}: refused, with what to do instead", tag="apis", errors=_errors(_OPERATOR_ERROR)
    )


_OPERATOR: Final[Mapping[str, Operation]] = {
    "GET /get": Operation(
        summary="List the APIs, as Cortex's operator does",
        tag="apis",
        answers={200: {"application/json": listed(ref("Api"))}},
        errors=_errors(_OPERATOR_ERROR),
    ),
    "GET /get/{api_name}": Operation(
        summary="Show an API, as Cortex's operator does",
        tag="apis",
        answers={200: {"application/json": listed(ref("Api"))}},
        errors=_errors(_OPERATOR_ERROR),
    ),
    "POST /deploy": _by_manifests("Deploy APIs"),
    "POST /refresh/{api_name}": _by_manifests("Restart an API"),
    "DELETE /delete/{api_name}": _by_manifests("Delete an API"),
}
REALTIME: Final = Operation(
    summary="Send a request to the container; the answer is the container's",
    tag="realtime",
    body=ANY_BODY,
    answers={200: ANY_BODY},
    errors=_errors(_TEXT_ERROR, 408, 413, 414, 431, 501, 502, 504, 505),
)
"""Any method, at the endpoint of a RealtimeAPI and below it, and at that of a TrafficSplitter."""
OPERATIONS: Final[Mapping[str, Operation]] = {
    "POST /{api_name}": _SUBMIT,
    "GET /{api_name}": _LIST,
    "PUT /{api_name}": _CHANGE,
    "GET /{api_name}/_dead-letters": _DEAD_LETTERS,
    "PUT /{api_name}/_dead-letters": _REDRIVE,
    "GET /{api_name}/_queue": _QUEUE,
    "GET /{api_name}/{request_id}": _REPORT,
    "DELETE /{api_name}/{request_id}": _CANCEL,
    "GET /{api_name}/{request_id}/events": _REQUEST_EVENTS,
    "GET /{api_name}/{request_id}/payload": _PAYLOAD,
    "POST /": _in_cluster(_SUBMIT, IN_CLUSTER),
    "GET /": _in_cluster(_LIST, IN_CLUSTER_API),
    "PUT /": _in_cluster(_CHANGE, IN_CLUSTER_API),
    "GET /{request_id}": _in_cluster(_REPORT, IN_CLUSTER_API),
    "DELETE /{request_id}": _in_cluster(_CANCEL, IN_CLUSTER_API),
    **_jobs("BatchAPI"),
    **_jobs("TaskAPI"),
    "GET /healthz": Operation(
        summary="Whether the gateway takes requests",
        tag="gateway",
        answers={200: {"text/plain": TEXT}},
        errors={503: _TEXT_ERROR},
        is_open=True,
    ),
    "GET /verifycortex": Operation(
        summary="Whether this is an operator: Cortex's command line asks it",
        tag="gateway",
        answers={200: {"application/json": {"type": "object"}}},
        is_open=True,
    ),
    f"GET {APIS_PATH}": Operation(
        summary="List the APIs that this gateway serves, and that the caller may see",
        tag="gateway",
        answers={200: {"application/json": ref("Apis")}},
        errors=_errors(_PROBLEM),
    ),
    **_OPERATOR,
    **{
        f"GET {path}": Operation(
            summary="This document",
            tag="gateway",
            answers={200: {"application/json": {"type": "object"}}},
            errors=_errors(_PROBLEM),
        )
        for path in OPENAPI_PATHS
    },
}
"""By the names of the routes."""
