"""Requests that create objects, with checksum and condition, and the fallbacks for stores that lack them."""

from __future__ import annotations

from typing import Any

from dequeuer.sinks.base import Check, unchecked
from dequeuer.sinks.s3.features import Features, may_mean_unsupported, means_unsupported
from dequeuer.sinks.s3_sdk.bucket import Refusal, SdkBucket, SdkResponse, exists
from dequeuer.sinks.s3_sdk.listing import keys_below

_CHECKSUMS = frozenset({"ChecksumCRC32", "ChecksumAlgorithm"})


class ObjectWriter:
    """Sends PutObject and the requests of an upload, with fallbacks."""

    def __init__(self, bucket: SdkBucket, features: Features) -> None:
        self._bucket = bucket
        self._features = features

    async def send(self, operation: str, check: Check = unchecked, **parameters: Any) -> SdkResponse:
        """Send a request that may carry a checksum. Raises `StoreError`."""
        response = await self._send_with_checksum(operation, check, parameters)
        if isinstance(response, Refusal):
            raise response.translated() from response.error
        return response

    async def create(self, operation: str, check: Check, **parameters: Any) -> SdkResponse | None:
        """Send a request that creates an object; None: the key exists, or another write is under way.

        In a store without conditional writes the key is looked up first. Another writer may create the object between
        look-up and write: that object is replaced.
        """
        if not self._features.lacks("conditional_writes"):
            response = await self._send_with_checksum(operation, check, {**parameters, "IfNoneMatch": "*"})
            if not isinstance(response, Refusal):
                return response
            if exists(response.status, response.code):
                return None
            if not means_unsupported(response.status, response.code):
                raise response.translated() from response.error
        key = parameters["Key"]
        if key in await keys_below(self._bucket, key):
            return None
        made = await self.send(operation, check, **parameters)
        self._features.mark_missing("conditional_writes")
        return made

    async def _send_with_checksum(
        self, operation: str, check: Check, parameters: dict[str, Any]
    ) -> SdkResponse | Refusal:
        plain = _without_checksums(parameters)
        check()
        if self._features.lacks("checksums"):
            return await self._bucket.attempt(operation, **plain)
        response = await self._bucket.attempt(operation, **parameters)
        if not isinstance(response, Refusal):
            if "ChecksumCRC32" in parameters:
                # The algorithm alone proves nothing: stores without checksums may ignore that field.
                self._features.mark_supported("checksums")
            return response
        if self._features.is_known("checksums") or not may_mean_unsupported(response.status, response.code):
            return response
        check()
        again = await self._bucket.attempt(operation, **plain)
        if isinstance(again, Refusal) and not exists(again.status, again.code):
            return response
        self._features.mark_missing("checksums")
        return again


def _without_checksums(parameters: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in parameters.items() if name not in _CHECKSUMS}
    if "MultipartUpload" in kept:
        parts = kept["MultipartUpload"]["Parts"]
        kept["MultipartUpload"] = {"Parts": [_without_checksums(part) for part in parts]}
    return kept
