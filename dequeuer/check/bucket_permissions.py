"""Permissions on buckets, asked for with keys that no object has."""

from __future__ import annotations

from typing import Final

from dequeuer.aws.signing import query
from dequeuer.check.aws_access import AwsAccess
from dequeuer.check.bucket_facts import BucketFacts, Known, Unread
from dequeuer.check.permission_result import Allowed, NotAsked, PermissionResult, Refused, result_of
from dequeuer.check.plan import BucketNeed
from dequeuer.sinks.access import CHECK
from dequeuer.sinks.base import ObjectStore
from dequeuer.sinks.protection import UNPROTECTED

UNKNOWN_UPLOAD: Final = "dequeuer-check-no-such-upload"
"""The id of an upload that nobody has begun."""
_ONLY_WITH_WRITES: Final = "not asked without --write"


async def ask_bucket(
    access: AwsAccess, action: str, need: BucketNeed, below: str, read: BucketFacts | None
) -> PermissionResult:
    """Return whether an action on a bucket, or on its objects below a prefix, is allowed.

    Args:
        access: to AWS.
        action: as IAM names it.
        need: the bucket.
        below: the prefix, with its slash.
        read: settings of the bucket; None: they could not be read.
    """
    key = f"{below}{CHECK}"
    store = access.store(need.name, is_foreign=not need.is_own)
    match action:
        case "s3:ListBucket":
            return await result_of(store.list(key))
        case "s3:GetObject":
            return await _ask_get(store, key)
        case "s3:PutObject":
            return await result_of(store.check_write(key)) if access.writes else NotAsked(reason=_ONLY_WITH_WRITES)
        case "s3:DeleteObject":
            return await _ask_delete(store, key, read) if access.writes else NotAsked(reason=_ONLY_WITH_WRITES)
        case "s3:AbortMultipartUpload":
            return await _ask_abort(access, need, key)
        case _:
            return _of_lifecycle(action, read)


async def _ask_get(store: ObjectStore, key: str) -> PermissionResult:
    result = await result_of(store.get(key))
    if isinstance(result, Refused) and isinstance(await result_of(store.list(key)), Refused):
        # S3 hides from who may not list whether an object is missing.
        return NotAsked(reason="without s3:ListBucket S3 refuses to read a missing object, too")
    return result


async def _ask_delete(store: ObjectStore, key: str, read: BucketFacts | None) -> PermissionResult:
    versioning = None if read is None else read.versioning
    if not isinstance(versioning, Known) or versioning.value is not None:
        # The deletion of a missing object leaves a delete marker in a bucket with versions.
        return NotAsked(reason="not asked: the bucket has, or may have, versions, and a delete marker would stay")
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


def _of_lifecycle(action: str, read: BucketFacts | None) -> PermissionResult:
    if read is None:
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
    return NotAsked(reason="not asked: the sidecar writes the rule at its start")
