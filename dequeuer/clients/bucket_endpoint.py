"""The endpoint of one bucket, in the region that the bucket is found to be in."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable

from dequeuer.aws.credentials.renewal import KeySnapshot
from dequeuer.aws.endpoint import AwsEndpoint, Request
from dequeuer.aws.signing import Signer
from dequeuer.http.origin import Origin
from dequeuer.http.pool import Reply
from dequeuer.http.response import Answer

_HEADER = "x-amz-bucket-region"
_ELSEWHERE = frozenset({301, 307, 400, 403})
"""Statuses by which S3 refuses a request that was sent to, or signed for, another region than the bucket's."""
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{1,62}\Z")


class BucketEndpoint(AwsEndpoint):
    """An endpoint that moves, once, to the region that S3 names in a refusal. The request is sent again there.

    Args:
        at: returns the server of a region.
        region: the configured one.
        keys: whose requests they are.
    """

    def __init__(self, at: Callable[[str], Origin], region: str, keys: KeySnapshot) -> None:
        super().__init__(at(region), Signer("s3", region), keys)
        self._at = at
        self._region = region
        self._moved: AwsEndpoint | None = None
        self._begun_there: set[Answer] = set()

    async def close(self) -> None:
        """Close the connections."""
        await super().close()
        if self._moved is not None:
            await self._moved.close()

    async def call(self, request: Request, *, limit: int) -> Reply:
        """Send, and return the whole answer. See `AwsEndpoint.call`."""
        if self._moved is None:
            reply = await super().call(request, limit=limit)
            moved = self._move(reply.field(_HEADER)) if reply.status in _ELSEWHERE else None
            if moved is None:
                return reply
        else:
            moved = self._moved
        return await moved.call(request, limit=limit)

    async def begin(self, request: Request) -> Answer:
        """Send, and return the answer once its head is there. See `AwsEndpoint.begin`."""
        if self._moved is None:
            answer = await super().begin(request)
            moved = self._move(answer.field(_HEADER)) if answer.status in _ELSEWHERE else None
            if moved is None:
                return answer
            super().end(answer)
        else:
            moved = self._moved
        answer = await moved.begin(request)
        self._begun_there.add(answer)
        return answer

    async def upload(
        self, request: Request, body: AsyncIterator[bytes], *, length: int, body_hash: str, limit: int
    ) -> Reply:
        """Send a body while it is read. See `AwsEndpoint.upload`."""
        # Never the first request about a bucket: the upload was begun, and moved everything with it.
        send = super().upload if self._moved is None else self._moved.upload
        return await send(request, body, length=length, body_hash=body_hash, limit=limit)

    def end(self, answer: Answer) -> None:
        """Free the connection of an answer that `begin` returned, once."""
        if answer in self._begun_there and self._moved is not None:
            self._begun_there.discard(answer)
            self._moved.end(answer)
        else:
            super().end(answer)

    def _move(self, region: str | None) -> AwsEndpoint | None:
        """Return the endpoint in another region; None when the refusal is about something else."""
        if region is None or region == self._region or _REGION.match(region) is None:
            return None
        if self._moved is None:
            # Requests that are under way end where they were begun.
            self._moved = AwsEndpoint(self._at(region), Signer("s3", region), self._keys)
        return self._moved
