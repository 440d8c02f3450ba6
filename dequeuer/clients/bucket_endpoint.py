"""The endpoint of one bucket, which finds the region of the bucket."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable

from dequeuer.aws.credentials.renewal import CredentialsCache
from dequeuer.aws.endpoint import AwsEndpoint, Request
from dequeuer.aws.signing import Signer
from dequeuer.http.origin import Origin
from dequeuer.http.pool import Reply
from dequeuer.http.response import Response

_HEADER = "x-amz-bucket-region"
_REDIRECT_STATUSES = frozenset({301, 307, 400, 403})
"""Statuses of S3 for a request that was sent to, or signed for, another region than that of the bucket."""
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{1,62}\Z")


class BucketEndpoint(AwsEndpoint):
    """An endpoint that switches, once, to the region that S3 names in a refusal, and sends the request again there.

    Args:
        origin_of_region: returns the server of a region.
        region: the configured region, used first.
        keys: sign the requests.
    """

    def __init__(self, origin_of_region: Callable[[str], Origin], region: str, keys: CredentialsCache) -> None:
        super().__init__(origin_of_region(region), Signer("s3", region), keys)
        self._origin_of_region = origin_of_region
        self._region = region
        self._redirected: AwsEndpoint | None = None
        self._redirected_responses: set[Response] = set()

    async def close(self) -> None:
        """Close the connections."""
        await super().close()
        if self._redirected is not None:
            await self._redirected.close()

    async def send(self, request: Request, *, limit: int) -> Reply:
        """Send a request and return the whole response. See `AwsEndpoint.send`."""
        if self._redirected is None:
            reply = await super().send(request, limit=limit)
            redirected = self._redirect(reply.field(_HEADER)) if reply.status in _REDIRECT_STATUSES else None
            if redirected is None:
                return reply
        else:
            redirected = self._redirected
        return await redirected.send(request, limit=limit)

    async def stream(self, request: Request) -> Response:
        """Send a request and return the response once its head has arrived. See `AwsEndpoint.stream`."""
        if self._redirected is None:
            response = await super().stream(request)
            redirected = self._redirect(response.field(_HEADER)) if response.status in _REDIRECT_STATUSES else None
            if redirected is None:
                return response
            super().release(response)
        else:
            redirected = self._redirected
        response = await redirected.stream(request)
        self._redirected_responses.add(response)
        return response

    async def upload(
        self, request: Request, body: AsyncIterator[bytes], *, length: int, body_hash: str, limit: int
    ) -> Reply:
        """Send a request whose body is read while it is sent. See `AwsEndpoint.upload`."""
        # Never the first request to a bucket: the upload was created before, and has switched the region if necessary.
        send = super().upload if self._redirected is None else self._redirected.upload
        return await send(request, body, length=length, body_hash=body_hash, limit=limit)

    def release(self, response: Response) -> None:
        """Free the connection of a response of `stream`. To be called exactly once for each."""
        if response in self._redirected_responses and self._redirected is not None:
            self._redirected_responses.discard(response)
            self._redirected.release(response)
        else:
            super().release(response)

    def _redirect(self, region: str | None) -> AwsEndpoint | None:
        """Return the endpoint in another region; None when the refusal has another cause."""
        if region is None or region == self._region or _REGION.match(region) is None:
            return None
        if self._redirected is None:
            # Requests under way end at the first endpoint, which stays open.
            self._redirected = AwsEndpoint(self._origin_of_region(region), Signer("s3", region), self._keys)
        return self._redirected
