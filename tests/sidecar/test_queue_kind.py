"""The sidecar of any queue: which buckets it opens, and which modules it imports."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

import pytest

from dequeuer.core.errors import FatalError
from dequeuer.core.message import Done, Retry
from tests.fakes import MemoryStore, OpenFence
from tests.handlers.queue_api.stage import KEY, make, pointer
from tests.handlers.stage import Reply
from tests.settings.environments import QUEUE
from tests.sidecar.test_batch_objects import Stage

RESULTS = {"DEQUEUER_QUEUE_RESULTS": "s3://results/out/"}
PAYLOADS = {"DEQUEUER_QUEUE_PAYLOAD_BUCKETS": "payloads"}
SIZE = {"SQSLargePayloadSize": "300000"}


def stage_of(more: Mapping[str, str], reply: Reply | None = None) -> Stage:
    stage = Stage({**QUEUE, **more}, reply)
    stage.cloud.buckets |= {"results": MemoryStore(), "payloads": MemoryStore()}
    return stage


async def test_without_results_and_payloads_no_bucket_is_opened() -> None:
    stage = stage_of({"DEQUEUER_QUEUE_PATH": "/work", "DEQUEUER_QUEUE_CONTENT_TYPE": "text/plain"})
    kind = await stage.kind()
    assert (kind.end_of_work, kind.background, kind.has_failed()) == (None, None, False)
    assert await kind.handler.handle(make(), OpenFence()) == Done(state="succeeded")
    [request] = stage.target.requests
    assert request.path == "/work"
    assert ("X-Aws-Sqsd-Queue", "jobs") in request.headers
    assert ("Content-Type", "text/plain") in request.headers
    assert stage.cloud.opened == []
    assert kind.harmless_calls == {}


async def test_results_and_payloads_have_their_buckets() -> None:
    stage = stage_of({**RESULTS, **PAYLOADS, "DEQUEUER_QUEUE_DELETE_PAYLOADS": "true"}, Reply(body=b"done"))
    stage.cloud.buckets["payloads"].seed([("a/1", b"large")])
    kind = await stage.kind()
    outcome = await kind.handler.handle(make(pointer(), attributes=SIZE), OpenFence())
    assert isinstance(outcome, Done)
    assert outcome.after_ack is not None
    await outcome.after_ack()
    assert [request.body for request in stage.target.requests] == [b"large"]
    assert stage.cloud.buckets["results"].objects == {KEY: (b"done", "application/json")}
    assert stage.cloud.buckets["payloads"].objects == {}
    assert sorted(stage.cloud.opened) == [("payloads", False), ("results", False)]


async def test_the_refusal_of_one_payload_is_not_repeated_until_it_ends() -> None:
    kind = await stage_of({**RESULTS, **PAYLOADS}).kind()
    assert set(kind.harmless_calls) == {("s3", "list"), ("s3", "put")}


@pytest.mark.parametrize("op", ["list", "check_write"])
async def test_results_that_cannot_be_kept_are_told_at_start_up(op: str) -> None:
    stage = stage_of(RESULTS)
    stage.cloud.buckets["results"].refuse(op)
    with pytest.raises(FatalError, match=r"results cannot be .* below out/ .*; check DEQUEUER_QUEUE_RESULTS;"):
        await stage.kind()


async def test_a_failed_attempt_is_the_last_one_where_the_settings_say_so() -> None:
    stage = stage_of({}, Reply(status=500))
    handler = (await stage.kind()).handler
    assert isinstance(await handler.handle(make(), OpenFence()), Retry)


def test_the_modules_of_the_other_kinds_are_not_imported() -> None:
    code = "import dequeuer.sidecar.app, dequeuer.sidecar.queue_kind, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "dequeuer.handlers.queue_api.handler" in loaded
    assert not [name for name in loaded if name.startswith(("dequeuer.handlers.async", "dequeuer.handlers.batch"))]
    code = "import dequeuer.sidecar.app, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not [name for name in loaded if name.startswith("dequeuer.handlers.queue")]
