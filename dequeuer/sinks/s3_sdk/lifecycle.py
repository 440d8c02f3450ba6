"""The lifecycle rule over the SDK's client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from dequeuer.core.errors import StoreUnavailableError, describe_error
from dequeuer.sinks.expiry import ABORT_AFTER_DAYS, RULE_ID, ExpiryChange, LifecycleRefusedError, has_rule, merge_rule
from dequeuer.sinks.protection import UNPROTECTED, ObjectProtection

_SIZE = "TransitionDefaultMinimumObjectSize"


class LifecycleClient(Protocol):
    """The calls of the SDK's client that are used here."""

    async def get_bucket_lifecycle_configuration(self, **request: object) -> Any:
        """Read the configuration."""

    async def put_bucket_lifecycle_configuration(self, **request: object) -> Any:
        """Replace the configuration."""


async def ensure_expiry(
    client: LifecycleClient, *, bucket: str, prefix: str, days: int, protection: ObjectProtection = UNPROTECTED
) -> ExpiryChange:
    """Write the rule by which objects below `prefix` expire after `days`; return what was done.

    Raises:
        StoreDeniedError: the bucket does not exist.
        StoreUnavailableError: a later attempt may succeed.
    """
    return await merge_rule(_Configuration(client, bucket, expiry_rule(prefix, days), protection.bucket_owner), bucket)


async def has_expiry(
    client: LifecycleClient, *, bucket: str, prefix: str, days: int, protection: ObjectProtection = UNPROTECTED
) -> bool:
    """Return whether the bucket has the rule as `ensure_expiry` writes it. Raises like `has_rule`."""
    return await has_rule(_Configuration(client, bucket, expiry_rule(prefix, days), protection.bucket_owner), bucket)


def expiry_rule(prefix: str, days: int) -> dict[str, Any]:
    """Return our rule: that of Cortex, which here also covers noncurrent versions and incomplete uploads."""
    return {
        "ID": RULE_ID,
        "Status": "Enabled",
        "Filter": {"Prefix": prefix},
        "Expiration": {"Days": days},
        "NoncurrentVersionExpiration": {"NoncurrentDays": days},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": ABORT_AFTER_DAYS},
    }


class _Configuration:
    """`LifecycleApi`. The configuration has the form of the SDK's parameters for a PUT."""

    def __init__(self, client: LifecycleClient, bucket: str, ours: Mapping[str, Any], owner: str | None) -> None:
        self._client = client
        self._bucket = {"Bucket": bucket} | ({"ExpectedBucketOwner": owner} if owner else {})
        self._ours = ours

    async def read(self) -> Mapping[str, Any]:
        """Return the configuration."""
        try:
            response = await self._client.get_bucket_lifecycle_configuration(**self._bucket)
        except Exception as error:
            raise _translated(error) from error
        return _request(response.get("Rules") or (), response.get(_SIZE))

    def merged(self, found: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """Return the configuration with our rule; None when it has the rule already."""
        found, ours = found or _request((), None), self._ours
        rules: Sequence[Mapping[str, Any]] = found["LifecycleConfiguration"]["Rules"]
        if [rule for rule in rules if rule.get("ID") == RULE_ID] == [ours]:
            return None
        return _request([rule for rule in rules if rule.get("ID") != RULE_ID] + [ours], found.get(_SIZE))

    async def write(self, configuration: Mapping[str, Any]) -> None:
        """Replace the configuration."""
        try:
            await self._client.put_bucket_lifecycle_configuration(**self._bucket, **configuration)
        except Exception as error:
            raise _translated(error) from error


def _request(rules: Sequence[Mapping[str, Any]], size: str | None) -> Mapping[str, Any]:
    # Without it, a PUT would set the size to the default of S3, and rules of others would move small objects.
    return {"LifecycleConfiguration": {"Rules": list(rules)}, **({_SIZE: size} if size else {})}


def _translated(error: Exception) -> Exception:
    text = describe_error(error)
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return LifecycleRefusedError(text, code=str(error.response.get("Error", {}).get("Code")), status=status)
    if isinstance(error, BotoCoreError | OSError | TimeoutError):
        return StoreUnavailableError(text)
    return error
