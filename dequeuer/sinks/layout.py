"""The keys of the objects of a request. They are those of Cortex and must not change."""

from __future__ import annotations

from dataclasses import dataclass, field

STATUSES = ("in_queue", "in_progress", "completed", "failed")


def workloads_prefix(cluster_uid: str) -> str:
    """Return the prefix of the objects of all async requests of a cluster."""
    return f"{cluster_uid}/workloads/"


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

    def __post_init__(self) -> None:
        # Built once: each message uses about six keys, some of them twice.
        prefix = f"{workloads_prefix(self.cluster_uid)}{self.api_name}/{self.request_id}/"
        object.__setattr__(self, "prefix", prefix)
        object.__setattr__(self, "headers", f"{prefix}headers.json")
        object.__setattr__(self, "payload", f"{prefix}payload")
        object.__setattr__(self, "result", f"{prefix}result.json")
        object.__setattr__(self, "completed", f"{prefix}status/completed")
        object.__setattr__(self, "failed", f"{prefix}status/failed")

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
