"""The bucket's expiry rule: results are readable for some days, then S3 deletes them.

S3 knows no "add a rule": a PUT replaces the whole configuration. So ours is merged into what is there, and
what belongs to others goes back as it came. Two writers at the same moment can still overwrite each
other; all sidecars write the same rule, so between them that does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from dequeuer.errors import StoreDeniedError, StoreUnavailableError, clip

RULE_ID = "async-workloads-expiry-policy"

ExpiryChange = Literal["unchanged", "written", "may_not_read", "may_not_write", "not_supported"]
MISSING_PERMISSION: Mapping[ExpiryChange, str] = {
    "may_not_read": "s3:GetLifecycleConfiguration",
    "may_not_write": "s3:PutLifecycleConfiguration",
}

_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "403", "AllAccessDisabled"})
_NOT_THERE = "NoSuchLifecycleConfiguration"
# What asking again does not change: stores that know no such rules, or refuse the ones that are there.
_NOT_SUPPORTED = frozenset({"InvalidArgument", "InvalidRequest", "MalformedXML", "MethodNotAllowed", "NotImplemented"})
_NOT_SUPPORTED_STATUSES = frozenset({405, 501})
_NO_BUCKET = frozenset({"NoSuchBucket", "404"})
_SIZE = "TransitionDefaultMinimumObjectSize"


class LifecycleApi(Protocol):
    """The calls of the SDK's client that are made here."""

    async def get_bucket_lifecycle_configuration(self, **request: object) -> Any:
        """Read the configuration."""

    async def put_bucket_lifecycle_configuration(self, **request: object) -> Any:
        """Replace the configuration."""


def expiry_rule(prefix: str, days: int) -> dict[str, Any]:
    """Return our rule, as Cortex writes it."""
    return {"ID": RULE_ID, "Status": "Enabled", "Filter": {"Prefix": prefix}, "Expiration": {"Days": days}}


async def ensure_expiry(client: LifecycleApi, *, bucket: str, prefix: str, days: int) -> ExpiryChange:
    """Make sure that objects below `prefix` expire after `days`; tell what was done.

    Raises:
        StoreDeniedError: the bucket does not exist.
        StoreUnavailableError: try again later.
    """
    try:
        answer = await client.get_bucket_lifecycle_configuration(Bucket=bucket)
    except Exception as error:
        if _code(error) in _DENIED:
            return "may_not_read"
        if _is_not_supported(error):
            return "not_supported"
        if _code(error) != _NOT_THERE:
            raise _translated(error, bucket) from error
        answer = {}
    rules: Sequence[Mapping[str, Any]] = answer.get("Rules") or ()
    ours = expiry_rule(prefix, days)
    if [rule for rule in rules if rule.get("ID") == RULE_ID] == [ours]:
        return "unchanged"
    merged = [rule for rule in rules if rule.get("ID") != RULE_ID] + [ours]
    # Left out of a PUT it would fall back to S3's default and move others' small objects.
    kept = {_SIZE: answer[_SIZE]} if answer.get(_SIZE) else {}
    try:
        await client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": merged}, **kept)
    except Exception as error:
        if _code(error) in _DENIED:
            return "may_not_write"
        if _is_not_supported(error):
            return "not_supported"
        raise _translated(error, bucket) from error
    return "written"


def _code(error: Exception) -> str:
    return str(error.response.get("Error", {}).get("Code")) if isinstance(error, ClientError) else ""


def _is_not_supported(error: Exception) -> bool:
    if not isinstance(error, ClientError):
        return False
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return _code(error) in _NOT_SUPPORTED or status in _NOT_SUPPORTED_STATUSES


def _translated(error: Exception, bucket: str) -> Exception:
    if _code(error) in _NO_BUCKET:
        return StoreDeniedError(f"the bucket {bucket} does not exist: check DEQUEUER_BUCKET")
    if isinstance(error, ClientError | BotoCoreError | OSError | TimeoutError):
        return StoreUnavailableError(clip(f"{type(error).__name__}: {error}"))
    return error
