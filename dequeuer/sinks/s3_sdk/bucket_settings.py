"""The settings of a bucket over the SDK's client."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from dequeuer.core.errors import StoreDeniedError, StoreMissingError
from dequeuer.sinks.bucket_settings import (
    FIRST_REGION,
    NO_BUCKET,
    NOT_SET,
    OWN_BUCKET,
    TAKEN,
    BucketSetting,
    Facts,
    region_of,
    taken,
)
from dequeuer.sinks.s3_sdk.bucket import Refusal, SdkBucket, SdkResponse


class _Form(NamedTuple):
    """How the SDK calls a setting: the names of its operations, of the parameter, and the parameter of facts."""

    get: str
    put: str
    parameter: str
    of_facts: Callable[[Facts], Any]


def _rules(facts: Facts) -> Mapping[str, Any]:
    return {"Rules": [dict(facts)]}


def _switches(facts: Facts) -> Mapping[str, bool]:
    return {name: value == "true" for name, value in facts.items()}


def _encryption(facts: Facts) -> Mapping[str, Any]:
    default = {name: value for name, value in facts.items() if name in {"SSEAlgorithm", "KMSMasterKeyID"}}
    others = _switches({name: value for name, value in facts.items() if name not in default})
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": default, **others}]}


_FORMS: Final[Mapping[BucketSetting, _Form]] = {
    "publicAccessBlock": _Form(
        "get_public_access_block", "put_public_access_block", "PublicAccessBlockConfiguration", _switches
    ),
    "encryption": _Form(
        "get_bucket_encryption", "put_bucket_encryption", "ServerSideEncryptionConfiguration", _encryption
    ),
    "ownershipControls": _Form(
        "get_bucket_ownership_controls", "put_bucket_ownership_controls", "OwnershipControls", _rules
    ),
    "policy": _Form("get_bucket_policy", "put_bucket_policy", "Policy", lambda facts: facts["Policy"]),
}


class SdkBucketSettings:
    """`BucketSettings`."""

    def __init__(self, bucket: SdkBucket) -> None:
        self._bucket = bucket

    async def find(self) -> bool | None:
        """Return whether the bucket has objects; None when it does not exist."""
        response = await self._call("list_objects_v2", NO_BUCKET, MaxKeys=1)
        return None if response is None else bool(response.get("Contents"))

    async def create(self, region: str) -> None:
        """Create the bucket."""
        at = {} if region == FIRST_REGION else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        await self._call("create_bucket", OWN_BUCKET, **at)

    async def read(self, setting: BucketSetting) -> Facts | None:
        """Return a setting; None when it was never made."""
        if setting == "location":
            found = await self._call("get_bucket_location", "")
            return {"LocationConstraint": region_of(str((found or {}).get("LocationConstraint") or ""))}
        form = _FORMS[setting]
        response = await self._call(form.get, NOT_SET[setting])
        if response is None:
            return None
        return dict(_leaves(response.get(form.parameter), form.parameter))

    async def write(self, setting: BucketSetting, facts: Facts) -> None:
        """Replace a setting."""
        form = _FORMS[setting]
        await self._call(form.put, "", **{form.parameter: form.of_facts(facts)})

    async def _call(self, operation: str, expected: str, **parameters: object) -> SdkResponse | None:
        """Return the response; None when the bucket answers with the error code that is expected."""
        response = await self._bucket.attempt(operation, **parameters)
        if not isinstance(response, Refusal):
            return response
        if response.code and response.code == expected:
            return None
        if response.code == TAKEN:
            raise taken() from response.error
        refusal = response.translated()
        if isinstance(refusal, StoreMissingError):
            raise StoreDeniedError(str(refusal)) from response.error
        raise refusal from response.error


def _leaves(value: object, name: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every value in a response."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, name)
    elif isinstance(value, bool):
        yield name, str(value).lower()
    elif value is not None:
        yield name, str(value)
