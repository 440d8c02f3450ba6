"""One SQS client for each region. The region in a queue's URL is used, not `AWS_REGION`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import NamedTuple, TypeAlias

from dequeuer.core.errors import clip, mask
from dequeuer.settings.text_parsers import queue_region
from dequeuer.sources.sqs.operations import Json, SqsAdminClient

MAX_REGIONS = 32
"""Clients at most. Clients of the gateway name queue URLs, and must not be able to open clients without limit."""
MAX_CACHED_URLS = 1024


class Regional(NamedTuple):
    """A client, and its endpoint for error texts."""

    client: SqsAdminClient
    endpoint: str


OpenRegion: TypeAlias = Callable[[str], AbstractAsyncContextManager[Regional]]


@asynccontextmanager
async def sqs_by_region(open_region: OpenRegion, default: str) -> AsyncIterator[SqsAdminClient]:
    """Yield a client that sends each request to the region of its queue.

    Args:
        open_region: returns the context of a client for a region.
        default: the region of queues whose URL names no region.
    """
    async with AsyncExitStack() as stack:
        clients = _RegionalSqs(open_region, default, stack)
        # Opened now, so that its configuration errors end the start-up.
        await clients.of_region(default)
        yield clients


class _RegionalSqs:
    """`SqsAdminClient`."""

    def __init__(self, open_region: OpenRegion, default: str, stack: AsyncExitStack) -> None:
        self._open_region = open_region
        self._default = default
        self._stack = stack
        self._opening = asyncio.Lock()
        self._regions: dict[str, Regional] = {}
        self._urls: dict[str, tuple[str, Regional]] = {}

    async def receive_message(self, **request: object) -> Json:
        """`ReceiveMessage`."""
        return await self._call("receive_message", request)

    async def delete_message_batch(self, **request: object) -> Json:
        """`DeleteMessageBatch`."""
        return await self._call("delete_message_batch", request)

    async def change_message_visibility_batch(self, **request: object) -> Json:
        """`ChangeMessageVisibilityBatch`."""
        return await self._call("change_message_visibility_batch", request)

    async def get_queue_attributes(self, **request: object) -> Json:
        """`GetQueueAttributes`."""
        return await self._call("get_queue_attributes", request)

    async def send_message(self, **request: object) -> Json:
        """`SendMessage`."""
        return await self._call("send_message", request)

    async def send_message_batch(self, **request: object) -> Json:
        """`SendMessageBatch`."""
        return await self._call("send_message_batch", request)

    async def create_queue(self, **request: object) -> Json:
        """`CreateQueue`, in the default region."""
        return await self._call("create_queue", request)

    async def get_queue_url(self, **request: object) -> Json:
        """`GetQueueUrl`, in the default region."""
        return await self._call("get_queue_url", request)

    async def purge_queue(self, **request: object) -> Json:
        """`PurgeQueue`."""
        return await self._call("purge_queue", request)

    async def delete_queue(self, **request: object) -> Json:
        """`DeleteQueue`."""
        return await self._call("delete_queue", request)

    async def set_queue_attributes(self, **request: object) -> Json:
        """`SetQueueAttributes`."""
        return await self._call("set_queue_attributes", request)

    async def list_queue_tags(self, **request: object) -> Json:
        """`ListQueueTags`."""
        return await self._call("list_queue_tags", request)

    async def tag_queue(self, **request: object) -> Json:
        """`TagQueue`."""
        return await self._call("tag_queue", request)

    async def _call(self, operation: str, request: dict[str, object]) -> Json:
        if "QueueUrl" in request:
            url = str(request["QueueUrl"])
            region, regional = self._urls.get(url) or await self._of_queue(url)
        else:  # found or created by its name
            url = str(request.get("QueueName"))
            region, regional = self._default, await self.of_region(self._default)
        try:
            response: Json = await getattr(regional.client, operation)(**request)
        except Exception as error:
            error.add_note(f"queue {clip(mask(url))} at endpoint {regional.endpoint}, region {region}")
            raise
        return response

    async def _of_queue(self, url: str) -> tuple[str, Regional]:
        region = queue_region(url) or self._default
        if region not in self._regions and len(self._regions) >= MAX_REGIONS:
            region = self._default
        found = region, await self.of_region(region)
        if len(self._urls) < MAX_CACHED_URLS:
            self._urls[url] = found
        return found

    async def of_region(self, region: str) -> Regional:
        """Return the client of a region; open it at the first call."""
        async with self._opening:
            if region not in self._regions:
                self._regions[region] = await self._stack.enter_async_context(self._open_region(region))
            return self._regions[region]
