"""The keys of the objects of a request, and the format of its id. Both are those of Cortex and must not change."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# \Z, not $: with $ a key could end with a line break.
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}\Z")

STATUSES = ("in_queue", "in_progress", "completed", "failed")


def is_request_id(text: str) -> bool:
    """Return whether `text` is a valid request id, which may become part of a key."""
    return _REQUEST_ID.match(text) is not None


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

    def __post_init__(self) -> None:
        # Built once: each message uses about six keys.
        prefix = f"{workloads_prefix(self.cluster_uid)}{self.api_name}/{self.request_id}/"
        object.__setattr__(self, "prefix", prefix)
        object.__setattr__(self, "headers", f"{prefix}headers.json")
        object.__setattr__(self, "payload", f"{prefix}payload")
        object.__setattr__(self, "result", f"{prefix}result.json")

    def status(self, name: str) -> str:
        """Return the key of a status object; `name` is one of `STATUSES`."""
        return f"{self.prefix}status/{name}"
