"""Permissions on buckets, asked for with keys that no object has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from dequeuer.aws.signing import query
from dequeuer.check.aws_access import AwsAccess
from dequeuer.check.bucket_facts import BucketFacts, BucketRead, Known, Unread
from dequeuer.check.permission_result import Allowed, NotAsked, PermissionResult, Refused, result_of
from dequeuer.check.plan import BucketNeed
from dequeuer.sinks.access import CHECK
from dequeuer.sinks.base import ObjectStore
from dequeuer.sinks.protection import UNPROTECTED

UNKNOWN_UPLOAD: Final = "dequeuer-check-no-such-upload"
"""The id of an upload that nobody has begun."""
_WRITES: Final = frozenset({"s3:PutObject", "s3:DeleteObject"})
_OF_RULES: Final = frozenset({"s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration"})


async def ask_bucket(
    access: AwsAccess, action: str, need: BucketNeed, below: str, read: BucketRead
) -> PermissionResult:
    """Return whether an action on a bucket, or on its objects below a prefix, is allowed.

    Args:
        access: to AWS.
        action: as IAM names it.
        need: the bucket.
        below: the prefix, with its slash.
        read: what was read of the bucket.
    """
    if isinstance(read, Unread):
        return NotAsked(reason=read.reason)
    if action in _OF_RULES:
        return _of_rules(action, read)
    if action in _WRITES and not access.writes:
        return NotAsked(reason="not asked without --write", can_be_simulated=True)
    key = f"{below}{CHECK}"
    store = access.store(need.name, is_foreign=not need.is_own)
    asks: Mapping[str, Callable[[], Awaitable[PermissionResult]]] = {
        "s3:ListBucket": lambda: result_of(store.list(key)),
        "s3:GetObject": lambda: _ask_get(store, key),
        "s3:PutObject": lambda: result_of(store.check_write(key)),
        "s3:DeleteObject": lambda: _ask_delete(store, key, read),
        "s3:AbortMultipartUpload": lambda: _ask_abort(access, need, key),
    }
    return await asks[action]()


async def _ask_get(store: ObjectStore, key: str) -> PermissionResult:
    result = await result_of(store.get(key))
    if isinstance(result, Refused) and isinstance(await result_of(store.list(key)), Refused):
        # S3 hides from who may not list whether an object is missing.
        return NotAsked(reason="without s3:ListBucket S3 refuses to read a missing object, too")
    return result


async def _ask_delete(store: ObjectStore, key: str, read: BucketRead) -> PermissionResult:
    versioning = read.versioning if isinstance(read, BucketFacts) else None
    if not isinstance(versioning, Known) or versioning.value is not None:
        # The deletion of a missing object leaves a delete marker in a bucket with versions.
        return NotAsked(
            reason="not asked: the bucket has, or may have, versions, and a delete marker would stay",
            can_be_simulated=True,
        )
    return await result_of(store.delete([key]))


async def _ask_abort(access: AwsAccess, need: BucketNeed, key: str) -> PermissionResult:
    if access.slim is None:
        return NotAsked(reason="not asked with the SDK's clients")
    protection = access.settings.protection if need.is_own else UNPROTECTED
    bucket = access.slim.raw_bucket(need.name, protection)
    try:
        request = bucket.request(key, "DELETE", query([("uploadId", UNKNOWN_UPLOAD)]))
        return await result_of(bucket.send(request))
    finally:
        await bucket.close()


def _of_rules(action: str, read: BucketRead) -> PermissionResult:
    if not isinstance(read, BucketFacts):
        return NotAsked(reason="the bucket could not be looked at")
    if isinstance(read.rule, Unread):
        is_reading = action == "s3:GetLifecycleConfiguration"
        return (
            Refused(text=read.rule.reason) if is_reading and read.rule.is_denied else NotAsked(reason=read.rule.reason)
        )
    if action == "s3:GetLifecycleConfiguration":
        return Allowed()
    if read.rule.value == "there":
        return Allowed(text="not needed now: the bucket has the rule")
    return NotAsked(reason="not asked: the sidecar writes the rule at its start", can_be_simulated=True)
