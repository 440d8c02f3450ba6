"""Events of the calls to the queue and the store, and of their credentials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SourceOp = Literal["receive", "ack", "renew", "release", "depth", "send", "publish", "put_events"]
"""publish: to a topic of SNS. put_events: to a bus of EventBridge."""
StoreOp = Literal["get", "put", "list", "delete"]
Feature = Literal[
    "conditional_writes",
    "bulk_deletions",
    "checksums",
    "full_object_checksums",
    "streamed_checksums",
    "checksums_on_reading",
]
ErrorKind = Literal["unavailable", "denied", "missing", "refused", "invalid"]
"""unavailable: an outage. denied: a refusal (permission, KMS key, region, bucket). missing: there is no such queue or
object. refused: the queue does not accept the receipt handle, so the lease is lost. invalid: the response cannot be
read."""
CredentialProviderName = Literal["environment", "web_identity", "container", "imds", "sdk"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCalled:
    """One request to the queue ended.

    Attributes:
        op: the operation.
        messages: how many were received or sent, or for how many entries it succeeded; 0 for a message sent alone.
        duration_s: until the response.
        error: None after a success.
        detail: for the log.
        code: the queue's error code of a refusal (`denied`).
        queue: name of the queue, where messages come from several; else "".
    """

    op: SourceOp
    messages: int
    duration_s: float
    error: ErrorKind | None
    detail: str = ""
    code: str = ""
    queue: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCalled:
    """One request to the store ended. The error `missing` (no such object) is not a fault of the store.

    Attributes:
        op: the operation.
        duration_s: until the response.
        error: None after a success.
        detail: for the log.
        code: the store's error code of a refusal (`denied`).
        key: the key or prefix of the request; "" when there are several. Not for logs.
    """

    op: StoreOp
    duration_s: float
    error: ErrorKind | None
    detail: str = ""
    code: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsRenewed:
    """AWS credentials were fetched.

    Attributes:
        provider: where they come from.
        expires_at: seconds since the epoch; None when they do not expire, or the provider does not say.
        is_first: there were no credentials before.
        reason: why this provider was chosen; may be "".
    """

    provider: CredentialProviderName
    expires_at: float | None
    is_first: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsRenewalFailed:
    """An attempt to fetch AWS credentials failed; it will be repeated.

    Attributes:
        provider: the provider that failed.
        reason: for the log; quotes nothing of a credential or a response.
        valid_for_s: how long the present credentials stay valid; 0 when there are no valid ones; None when not known.
    """

    provider: CredentialProviderName
    reason: str
    valid_for_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFeatureMissing:
    """The store does not support a feature; a replacement is used from now on. Emitted once for each feature."""

    feature: Feature
