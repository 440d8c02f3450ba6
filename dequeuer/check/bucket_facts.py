"""What S3 says about a bucket. Each setting is a request of its own, which may be refused by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias, TypeVar

from dequeuer.aws.signing import query
from dequeuer.aws.xml import Node
from dequeuer.check.aws_access import in_time
from dequeuer.core.errors import StoreUnavailableError, clip
from dequeuer.http.pool import Reply
from dequeuer.sinks.bucket_settings import NOT_SET, region_of
from dequeuer.sinks.s3.bucket import Bucket
from dequeuer.sinks.s3.document import read_document
from dequeuer.sinks.s3.errors import STORE_ERRORS, code_in
from dequeuer.sinks.s3.lifecycle_xml import MAX_CONFIGURATION_BYTES, RuleState, rule_state

_REGION_FIELD: Final = "x-amz-bucket-region"
_ANY: Final = range(300, 600)
_NONE_THERE: Final = frozenset(
    {*NOT_SET.values(), "NoSuchLifecycleConfiguration", "ObjectLockConfigurationNotFoundError"}
)
"""Codes of S3 for a setting that the bucket does not have."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """Why a setting was not read. `is_denied`: a permission is missing."""

    reason: str
    is_denied: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Known(Generic[T]):
    """The value of a setting; None: the bucket does not have it."""

    value: T | None


Setting: TypeAlias = Known[T] | Unread


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How S3 answered a request about the whole bucket. `status` 0: there was no response; `text` says why."""

    status: int
    code: str
    text: str
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """The default encryption of a bucket. `key`: "" when it names none."""

    algorithm: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketFacts:
    """The settings of a bucket.

    Attributes:
        region: of the bucket; "" when S3 did not say.
        versioning: `Enabled` or `Suspended`.
        encryption: by default.
        rule: whether it has the lifecycle rule of the program.
        lock_days: default retention of Object Lock, days.
        is_blocked: whether all public access is blocked.
    """

    region: str
    versioning: Setting[str]
    encryption: Setting[Encryption]
    rule: Setting[RuleState]
    lock_days: Setting[int]
    is_blocked: Setting[bool]


BucketRead: TypeAlias = BucketFacts | Unread | None
"""What was read of a bucket. `Unread`: nothing else can be asked about it. None: nothing was read, and the rest can."""


async def look_at(bucket: Bucket, below: str) -> Answer:
    """List at most one object of a bucket. Raises nothing."""
    asked = query([("list-type", "2"), ("max-keys", "1"), ("prefix", below)])
    try:
        reply = await in_time(bucket.send(bucket.request(None, "GET", asked), expected=_ANY))
    except (*STORE_ERRORS, TimeoutError) as error:
        return Answer(status=0, code="", text=clip(str(error)) or "no response in time", region="")
    code = "" if reply.status < 300 else code_in(reply.body)
    text = f"S3 answered {reply.status} {code}".rstrip()
    return Answer(status=reply.status, code=code, text=text, region=reply.field(_REGION_FIELD) or "")


async def read_settings(bucket: Bucket, seen: Answer, prefix: str, days: int) -> BucketFacts:
    """Return the settings of a bucket that exists. `prefix`, `days`: of the lifecycle rule. Raises nothing."""
    versioning, encryption, rule, lock, public = await asyncio.gather(
        _read(bucket, "versioning", "s3:GetBucketVersioning", _versioning),
        _read(bucket, "encryption", "s3:GetEncryptionConfiguration", _encryption),
        _read_rule(bucket, prefix, days),
        _read(bucket, "object-lock", "s3:GetBucketObjectLockConfiguration", _lock_days),
        _read(bucket, "publicAccessBlock", "s3:GetBucketPublicAccessBlock", _is_blocked),
    )
    region = seen.region or await _location(bucket)
    return BucketFacts(
        region=region, versioning=versioning, encryption=encryption, rule=rule, lock_days=lock, is_blocked=public
    )


async def _read(bucket: Bucket, name: str, action: str, value_of: Callable[[Node], T | None]) -> Setting[T]:
    reply = await _ask(bucket, name, action)
    if isinstance(reply, Unread):
        return reply
    if reply is None:
        return Known(value=None)
    try:
        return Known(value=value_of(read_document(reply.body)))
    except StoreUnavailableError as error:
        return Unread(reason=str(error))


async def _read_rule(bucket: Bucket, prefix: str, days: int) -> Setting[RuleState]:
    reply = await _ask(bucket, "lifecycle", "s3:GetLifecycleConfiguration")
    if isinstance(reply, Unread):
        return reply
    try:
        return Known(value=rule_state(None if reply is None else reply.body, prefix, days))
    except StoreUnavailableError as error:
        return Unread(reason=str(error))


async def _ask(bucket: Bucket, name: str, action: str) -> Reply | Unread | None:
    """Return the response about one setting; None when the bucket does not have it. `action`: of IAM."""
    request = bucket.request(None, "GET", f"{name}=")
    try:
        reply = await in_time(bucket.send(request, limit=MAX_CONFIGURATION_BYTES, expected=_ANY))
    except (*STORE_ERRORS, TimeoutError) as error:
        return Unread(reason=clip(str(error)) or "no response in time")
    if reply.status < 300:
        return reply
    code = code_in(reply.body)
    if code in _NONE_THERE:
        return None
    is_denied = reply.status == 403
    advice = f"; {action} is not allowed to whoever runs this check" if is_denied else ""
    return Unread(reason=f"S3 answered {reply.status} {code}".rstrip() + advice, is_denied=is_denied)


async def _location(bucket: Bucket) -> str:
    found = await _read(bucket, "location", "s3:GetBucketLocation", lambda root: region_of(root.text.strip()))
    return found.value or "" if isinstance(found, Known) else ""


def _versioning(root: Node) -> str | None:
    return root.first("Status")


def _encryption(root: Node) -> Encryption | None:
    for rule in root.all("Rule"):
        for default in rule.all("ApplyServerSideEncryptionByDefault"):
            return Encryption(algorithm=default.first("SSEAlgorithm") or "", key=default.first("KMSMasterKeyID") or "")
    return None


def _lock_days(root: Node) -> int | None:
    for rule in root.all("Rule"):
        for default in rule.all("DefaultRetention"):
            days, years = default.first("Days") or "", default.first("Years") or ""
            if days.isdecimal():
                return int(days)
            if years.isdecimal():
                return 365 * int(years)
    return None


def _is_blocked(root: Node) -> bool:
    return len(root.children) >= 4 and all(child.text.strip() == "true" for child in root.children)
