"""PutObject with checksum and condition, and the fallbacks for stores that lack them."""

from __future__ import annotations

from dequeuer.aws.signing import Fields
from dequeuer.core.errors import StoreUnavailableError
from dequeuer.http.pool import Reply
from dequeuer.sinks.base import Check
from dequeuer.sinks.s3.bucket import Bucket
from dequeuer.sinks.s3.checksum import crc32_field
from dequeuer.sinks.s3.errors import code_in
from dequeuer.sinks.s3.features import UNSUPPORTED_STATUSES, Features, is_unsupported, may_be_unsupported

EXISTS_STATUSES = frozenset({304, 409, 412})
"""Statuses of a conditional write when the key exists, or another write to it is under way."""
_EXPECTED = EXISTS_STATUSES | UNSUPPORTED_STATUSES
IF_NONE_MATCH = ("if-none-match", "*")


class ObjectWriter:
    """Writes objects with one request each."""

    def __init__(self, bucket: Bucket, features: Features) -> None:
        self._bucket = bucket
        self._features = features

    async def put(self, key: str, body: bytes | bytearray, fields: Fields, check: Check) -> None:
        """Write an object. `fields`: its Content-Type."""
        self._accepted(await self._send(key, body, fields, check))

    async def create(self, key: str, body: bytes | bytearray, fields: Fields, check: Check) -> bool:
        """Write an object unless the key exists; return whether it was written.

        In a store without conditional writes the key is looked up first. Another writer may create the object between
        look-up and write: that object is replaced.
        """
        if not self._features.lacks("conditional_writes"):
            reply = await self._send(key, body, [*fields, IF_NONE_MATCH], check)
            if reply.status in EXISTS_STATUSES:
                return False
            if reply.status < 300 or not is_unsupported(reply):
                self._accepted(reply)
                return True
        if key in await self._bucket.list_keys(key):
            return False
        self._accepted(await self._send(key, body, fields, check))
        self._features.mark_missing("conditional_writes")
        return True

    async def _send(self, key: str, body: bytes | bytearray, fields: Fields, check: Check) -> Reply:
        fields = [*fields, *self._bucket.protection.creation_fields()]
        if self._features.lacks("checksums"):
            return await self._attempt(key, body, fields, check)
        reply = await self._attempt(key, body, [*fields, crc32_field(body)], check)
        if reply.status < 300:
            self._features.mark_supported("checksums")
            return reply
        if not may_be_unsupported(reply) or self._features.is_known("checksums"):
            return reply
        again = await self._attempt(key, body, fields, check)
        if again.status < 300 or again.status in EXISTS_STATUSES:
            self._features.mark_missing("checksums")
            return again
        return reply

    async def _attempt(self, key: str, body: bytes | bytearray, fields: Fields, check: Check) -> Reply:
        check()
        return await self._bucket.send(self._bucket.request(key, "PUT", "", fields, body), expected=_EXPECTED)

    def _accepted(self, reply: Reply) -> None:
        if reply.status in EXISTS_STATUSES:
            # The request had no condition, so another write is under way; it says nothing about the object.
            raise StoreUnavailableError(f"S3 answered {reply.status} {code_in(reply.body)}".rstrip())
        if reply.status >= 300:
            raise self._bucket.refusal(reply)
