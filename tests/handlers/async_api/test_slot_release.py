"""The slot is released after the container's complete response, and before the result is durable."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest

from dequeuer.core.drain import Drain
from dequeuer.core.errors import ContainerUnavailableError
from dequeuer.core.events import ignore
from dequeuer.handlers.async_api.handler import AsyncHandler
from dequeuer.handlers.async_api.result import ResultWriter
from dequeuer.handlers.response_body import MAX_BUFFERED_BYTES, MAX_SMALL_BYTES
from dequeuer.handlers.response_policy import ResponsePolicy
from dequeuer.sinks.base import Check, unchecked
from tests.fakes import MemoryStore, OpenFence, make_message
from tests.handlers.stage import Reply, ScriptedResponse, ScriptedTarget


class Recording(OpenFence, MemoryStore, ScriptedTarget):
    """Fence, store and container in one: `order` has their calls in order."""

    def __init__(self, reply: Reply) -> None:
        MemoryStore.__init__(self)
        ScriptedTarget.__init__(self, [reply])
        self.order: list[str] = []
        self.seed([("uid/workloads/api/r1/payload", b"payload")])

    def release_slot(self) -> None:
        self.order.append("slot released")

    async def put(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> None:
        self.order.append(key.rpartition("/")[2])
        await super().put(key, body, content_type, check=check)

    @asynccontextmanager
    async def post(
        self,
        path: str,
        headers: Iterable[tuple[str, str]],
        body: bytes | AsyncIterator[bytes],
        size: int | None = None,
    ) -> AsyncIterator[ScriptedResponse]:
        async with super().post(path, headers, body, size) as answer:
            try:
                yield answer
            finally:
                self.order.append("left")


async def order_of(reply: Reply) -> list[str]:
    recording = Recording(reply)
    handler = AsyncHandler(
        cluster_uid="uid",
        api_name="api",
        store=recording,
        deletions=recording,
        target=recording,
        results=ResultWriter(10 * MAX_BUFFERED_BYTES),
        policy=ResponsePolicy(max_attempts=5, retry_statuses=frozenset({503})),
        drain=Drain(),
        observer=ignore,
    )
    await handler.handle(make_message("r1"), recording)
    return recording.order


def text(size: int) -> bytes:
    return b'"' + b"x" * size + b'"'


async def test_a_small_result_is_stored_after_the_slot_is_released() -> None:
    assert await order_of(Reply(body=text(100))) == ["left", "slot released", "result.json", "completed"]


@pytest.mark.parametrize("size", [MAX_SMALL_BYTES * 3, MAX_BUFFERED_BYTES * 2])
async def test_a_larger_one_is_stored_while_the_response_is_read(size: int) -> None:
    assert await order_of(Reply(body=text(size))) == ["result.json", "left", "slot released", "completed"]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=500),
        Reply(status=503),
        Reply(body=b"{"),
        Reply(body_error=ContainerUnavailableError("broke off")),
        Reply(error=ContainerUnavailableError("refused")),
    ],
)
async def test_a_failure_does_not_release_the_slot_early(reply: Reply) -> None:
    assert "slot released" not in await order_of(reply)
