import asyncio

import pytest

from dequeuer.handlers.request_store import RequestStore
from dequeuer.handlers.result import MIDDLING_AT_ONCE, SMALL_BYTES, WHOLE_BYTES, ResultWriter
from dequeuer.sinks.layout import RequestKeys
from tests.fakes import MemoryStore, OpenFence
from tests.handlers.stage import Reply, ScriptedAnswer

pytestmark = pytest.mark.looptime


async def test_large_answers_that_wait_for_their_turn_do_not_hold_up_smaller_ones() -> None:
    class SlowLarge(MemoryStore):
        async def put_stream(self, key: str, body: object, content_type: str, **_more: object) -> bool:
            await asyncio.sleep(3600)
            return True

    store, writer = SlowLarge(), ResultWriter(100 * WHOLE_BYTES)

    def write(name: str, size: int) -> asyncio.Task[bytes | None]:
        body = b'"' + b"x" * (size - 2) + b'"'
        answer = ScriptedAnswer(Reply(body=body, size=size))
        return asyncio.create_task(writer.write(answer, RequestStore(store, RequestKeys("u", "a", name), OpenFence())))

    large = [write(f"large-{number}", WHOLE_BYTES + 1) for number in range(MIDDLING_AT_ONCE + 2)]
    await asyncio.sleep(1)
    middling = write("middling", SMALL_BYTES * 2)
    await asyncio.sleep(1)
    assert middling.done()
    assert not any(task.done() for task in large)
    for task in large:
        task.cancel()
    await asyncio.wait(large)
