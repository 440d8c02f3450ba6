"""Refusals of requests about jobs, each with Cortex's code and text; those of checks are in `submission_checks`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dequeuer.core.errors import DequeuerError, clip
from dequeuer.jobs.layout import JobKind

FOREIGN = "error"
"""The code of faults that Cortex has no code for, such as those of a library."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a request: a code for programs and a text for people. Both are sent to the client."""

    kind: str
    message: str


class JobRequestError(DequeuerError):
    """A request about a job is refused; sending the same one again will fail again. `faults`: at least one."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(faults[0].message)
        self.faults = tuple(faults)


class InvalidSubmissionError(JobRequestError):
    """The submission has faults: all of them, in the order of Cortex's checks. Nothing was stored."""


class UnknownJobError(JobRequestError):
    """There is no such job of this API."""

    def __init__(self, kind: JobKind, api_name: str, job_id: str) -> None:
        job = f"{clip(job_id)} ({api_name} api)"
        message = f"failed to get job state: unable to find {kind} job {job}"
        super().__init__([Fault("job.not_found", message)])


class JobEndedError(JobRequestError):
    """The job is over, so the action (a verb) means nothing any more."""

    def __init__(self, kind: JobKind, api_name: str, job_id: str, action: str = "stop") -> None:
        message = f"{job_id} ({api_name} api): cannot {action} {kind} job because it is not in progress"
        super().__init__([Fault("job.job_is_not_in_progress", message)])


class ApiNotDeployedError(JobRequestError):
    """No API of this name is served."""

    def __init__(self, api_name: str) -> None:
        super().__init__([Fault("resources.api_not_deployed", f"{clip(api_name)} is not deployed")])


class WrongApiKindError(JobRequestError):
    """The API has no jobs, or those of the other kind."""

    def __init__(self, wanted: str, api_name: str, kind: str) -> None:
        message = f"this operation is only allowed for {wanted} kind and is not supported for {api_name} of kind {kind}"
        super().__init__([Fault("resources.operation_is_only_supported_for_kind", message)])


class MissingParameterError(JobRequestError):
    """The query string does not name what is asked for."""

    def __init__(self, name: str) -> None:
        super().__init__([Fault("endpoints.query_param_required", f"query param required: {name}")])


class NoOutputError(JobRequestError):
    """The results of the job are not kept."""

    def __init__(self, kind: JobKind, api_name: str, job_id: str) -> None:
        message = f"{job_id} ({api_name} api): results of this {kind} job are not kept: it was submitted without output"
        super().__init__([Fault("job.no_output", message)])


class JobsUnavailableError(DequeuerError):
    """The store or the queue cannot be used for now: the client can try again."""
