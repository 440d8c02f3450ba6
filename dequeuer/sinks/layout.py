"""The keys of the objects of a request. Those of Cortex must not change; what Cortex does not have is said so."""

from __future__ import annotations

from dataclasses import dataclass, field

STATUSES = ("in_queue", "in_progress", "completed", "failed")


def workloads_prefix(cluster_uid: str) -> str:
    """Return the prefix of the objects of all async requests of a cluster."""
    return f"{cluster_uid}/workloads/"


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """The keys of what belongs to an API, not to one request. Not in Cortex.

    They are below the prefix of the requests, so the same rule of the bucket deletes them. No request id begins with
    the underscore of their names.
    """

    cluster_uid: str
    api_name: str

    @property
    def requests(self) -> str:
        """The prefix of all requests, with its slash."""
        return f"{workloads_prefix(self.cluster_uid)}{self.api_name}/"

    @property
    def cancellations(self) -> str:
        """The prefix of the index of cancellations, with its slash."""
        return f"{self.requests}_cancel/"

    def cancellation(self, request_id: str) -> str:
        """Return the key that tells sidecars that a request is to be cancelled."""
        return f"{self.cancellations}{request_id}"

    @property
    def pause(self) -> str:
        """The key that tells sidecars to receive nothing."""
        return f"{self.requests}_paused"

    def attempts(self, request_id: str) -> str:
        """Return the prefix of the records of attempts that were tried again, with its slash."""
        return f"{self.requests}_attempts/{request_id}/"

    def attempt(self, request_id: str, number: int) -> str:
        """Return the key of the record of an attempt. `number`: from 1."""
        return f"{self.attempts(request_id)}{number:04d}"

    def idempotency_key(self, digest: str) -> str:
        """Return the key of the record of an idempotency key. `digest`: of the caller and the key, hexadecimal."""
        return f"{self.requests}_keys/{digest}"

    def disabled_webhook(self, digest: str) -> str:
        """Return the key of the record of a receiver that wants no more webhooks. `digest`: of its URL, hexadecimal."""
        return f"{self.requests}_webhooks/{digest}"


@dataclass(frozen=True, slots=True)
class RequestKeys:
    """The keys of one request. `request_id` must have passed `is_request_id`."""

    cluster_uid: str
    api_name: str
    request_id: str
    prefix: str = field(init=False, repr=False, compare=False)
    """Prefix of all keys of the request, with its slash."""
    headers: str = field(init=False, repr=False, compare=False)
    """The submitted headers, a JSON object."""
    payload: str = field(init=False, repr=False, compare=False)
    """The submitted body."""
    result: str = field(init=False, repr=False, compare=False)
    """The container's response."""
    completed: str = field(init=False, repr=False, compare=False)
    """The final status of a success."""
    failed: str = field(init=False, repr=False, compare=False)
    """The final status of a failure."""
    cancel: str = field(init=False, repr=False, compare=False)
    """That a client has asked for the cancellation. Not in Cortex."""
    progress: str = field(init=False, repr=False, compare=False)
    """How far the container says it is. Not in Cortex."""

    def __post_init__(self) -> None:
        # Built once: each message uses about six keys, some of them twice.
        prefix = f"{workloads_prefix(self.cluster_uid)}{self.api_name}/{self.request_id}/"
        object.__setattr__(self, "prefix", prefix)
        object.__setattr__(self, "headers", f"{prefix}headers.json")
        object.__setattr__(self, "payload", f"{prefix}payload")
        object.__setattr__(self, "result", f"{prefix}result.json")
        object.__setattr__(self, "completed", f"{prefix}status/completed")
        object.__setattr__(self, "failed", f"{prefix}status/failed")
        object.__setattr__(self, "cancel", f"{prefix}cancel")
        object.__setattr__(self, "progress", f"{prefix}progress.json")

    def status(self, name: str) -> str:
        """Return the key of a status object; `name` is one of `STATUSES`."""
        return f"{self.prefix}status/{name}"


@dataclass(frozen=True, slots=True)
class OutputKeys:
    """The keys of the results of one job. Not in Cortex.

    Attributes:
        prefix: of all of them, with its slash.
    """

    prefix: str

    def folder(self, name: str) -> str:
        """Return the prefix of the objects of one folder; `name` is `results` or `errors`."""
        return f"{self.prefix}{name}/"

    def results(self, batch: str) -> str:
        """Return the key of the results of a batch, one a line."""
        return f"{self.folder('results')}{batch}.jsonl"

    def errors(self, batch: str) -> str:
        """Return the key of the items of a batch that failed for good, one a line."""
        return f"{self.folder('errors')}{batch}.jsonl"

    @property
    def manifest(self) -> str:
        """What there is of the job, written at its end."""
        return f"{self.prefix}manifest.json"


def output_keys(key: str, job_id: str) -> OutputKeys:
    """Return the keys of the results of a job. `key`: of `output.s3_path`, "" for a whole bucket."""
    below = key.rstrip("/")
    return OutputKeys(f"{below}/{job_id}/" if below else f"{job_id}/")
