"""One client of SQS for each region: the one in a queue's URL signs and is asked, whatever `AWS_REGION` says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import NamedTuple, TypeAlias

from dequeuer.core.errors import clip
from dequeuer.settings.url_parsers import mask, queue_region
from dequeuer.sources.sqs.operations import Json, SqsOperations

MAX_REGIONS = 32
"""Clients at most. The gateway takes queue URLs from its callers, who must not be able to open any number."""
MAX_CACHED_URLS = 1024


class Regional(NamedTuple):
    """A client, and the endpoint that it asks, for error texts."""

    client: SqsOperations
    endpoint: str


OpenRegion: TypeAlias = Callable[[str], AbstractAsyncContextManager[Regional]]


@asynccontextmanager
async def sqs_by_region(open_region: OpenRegion, default: str) -> AsyncIterator[SqsOperations]:
    """Yield a client that asks each queue in its own region.

    Args:
        open_region: returns the context of a client for a region.
        default: the region of queues whose URL names none.
    """
    async with AsyncExitStack() as stack:
        clients = _ByRegion(open_region, default, stack)
        # The default client is opened at once, so that its faults show at start-up.
        await clients.of_region(default)
        yield clients


class _ByRegion:
    """`SqsOperations`."""

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

    async def _call(self, operation: str, request: dict[str, object]) -> Json:
        url = str(request["QueueUrl"])
        region, regional = self._urls.get(url) or await self._of_queue(url)
        try:
            response: Json = await getattr(regional.client, operation)(**request)
        except Exception as error:
            error.add_note(f"queue {clip(mask(url))} asked for at {regional.endpoint}, region {region}")
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
        """Return the client of a region, opened when it is the first time."""
        async with self._opening:
            if region not in self._regions:
                self._regions[region] = await self._stack.enter_async_context(self._open_region(region))
            return self._regions[region]
