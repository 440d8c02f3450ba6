"""The end of jobs whose results are kept: the manifest, and batches that nobody recorded."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import pytest

from dequeuer.controller import manifest, output
from dequeuer.core.errors import StoreUnavailableError
from dequeuer.core.events import JobChanged
from dequeuer.jobs.documents import MAX_ERROR_CHARS, JobEnd
from dequeuer.jobs.enqueue_error import EnqueueError, dump_error
from dequeuer.jobs.spec import DeadLetterQueue
from dequeuer.sinks.base import Payload
from tests.controller.stage import KEYS, World, make_spec

pytestmark = pytest.mark.looptime

PREFIX = f"out/{KEYS.job_id}/"
MANIFEST = f"{PREFIX}manifest.json"
DEAD_LETTERS = DeadLetterQueue(arn="arn:aws:sqs:us-west-2:1:dead.fifo", max_receive_count=3)


def submit(world: World, **fields: Any) -> None:
    world.submit(spec=make_spec(output_s3_path="s3://results/out", **fields))


async def run_to_end(world: World, within_s: float = 600.0) -> JobEnd:
    controller, drain = world.controller()
    task = asyncio.create_task(controller.run())
    await world.until(world.is_over, within_s)
    drain.request()
    await task
    return world.end()


def written(world: World) -> Any:
    return json.loads(world.output.objects[MANIFEST][0])


def message(end: JobEnd) -> str:
    assert end.error is not None
    return end.error.message


async def test_the_manifest_names_every_object_with_its_checksum_and_its_lines(world: World) -> None:
    submit(world)
    world.failing = 1
    assert (await run_to_end(world)).state == "completed_with_failures"
    found = written(world)
    names = ["results/00000000.jsonl", "errors/00000000.jsonl", *(f"results/{at:08}.jsonl" for at in range(1, 6))]
    assert [one["key"] for one in found["objects"]] == names
    for one in found["objects"]:
        body = world.output.objects[PREFIX + one["key"]][0]
        assert (one["size"], one["lines"]) == (len(body), body.count(b"\n"))
        assert one["sha256"] == sha256(body).hexdigest()
    assert found["items"] == {"total": 60, "succeeded": 50, "failed": 10, "missing": 0}
    assert found["batches"] == {"total": 6, "succeeded": 5, "failed": 1, "missing": 0}
    assert found["missing_batches"] == {"ranges": [], "are_all": True}
    assert found["bytes"] == sum(one["size"] for one in found["objects"])
    assert (found["version"], found["job_id"], found["api_name"]) == (1, KEYS.job_id, "sum")
    assert (found["s3_path"], found["status"]) == (f"s3://results/out/{KEYS.job_id}/", "completed_with_failures")


async def test_the_manifest_is_there_before_the_final_status(world: World) -> None:
    submit(world)
    controller, drain = world.controller()
    task = asyncio.create_task(controller.run())
    await world.until(lambda: MANIFEST in world.output.objects or KEYS.marker("succeeded") in world.store.objects)
    assert MANIFEST in world.output.objects
    await world.until(world.is_over)
    drain.request()
    await task


async def test_a_batch_that_nobody_recorded_is_told_and_its_job_did_not_succeed(world: World) -> None:
    submit(world, dead_letter_queue=DEAD_LETTERS)
    world.batches, world.lost = 8, frozenset({1, 2, 7})
    end = await run_to_end(world)
    assert end.state == "completed_with_failures"
    assert message(end) == (
        "30 of 80 items have neither a result nor an error; nothing is recorded of 3 batches (1-2, 7): their workers "
        "ended at the last receive; they are in arn:aws:sqs:us-west-2:1:dead.fifo"
    )
    found = written(world)
    assert found["missing_batches"] == {"ranges": [[1, 2], [7, 7]], "are_all": True}
    assert found["items"] == {"total": 80, "succeeded": 50, "failed": 0, "missing": 30}
    assert found["status"] == "completed_with_failures"
    assert "completed_with_failures" in world.names()
    assert "succeeded" not in world.names()
    assert json.loads(world.store.objects[KEYS.progress][0])["progress"]["items_failed"] == 30
    assert world.recorder.of(JobChanged)[-1].state == "completed_with_failures"


async def test_items_of_a_part_that_nobody_recorded_are_missing_too(world: World) -> None:
    submit(world, dead_letter_queue=DEAD_LETTERS)
    world.batches = 2
    controller, drain = world.controller()
    task = asyncio.create_task(controller.run())
    await world.until(lambda: world.done == 2)
    key = f"{PREFIX}results/00000001.jsonl"
    lines = world.output.objects[key][0].splitlines(keepends=True)
    # Five items were to be tried again as the batch 00000001-1, of which the worker was killed.
    world.output.seed([(key, b"".join(lines[:5]))])
    await world.until(world.is_over)
    drain.request()
    await task
    assert world.end().state == "completed_with_failures"
    assert message(world.end()).startswith("5 of 20 items have neither a result nor an error: their workers")


async def test_a_batch_that_is_gone_without_a_dead_letter_queue_is_told(world: World) -> None:
    submit(world)
    world.lost = frozenset({0})
    assert message(await run_to_end(world)).endswith("(0): their messages are gone from the queue of the job")


async def test_a_job_that_was_stopped_has_a_manifest_of_what_there_is(world: World) -> None:
    submit(world)
    world.batches = 1000
    controller, drain = world.controller()
    task = asyncio.create_task(controller.run())
    await world.until(lambda: world.done >= 3)
    world.store.objects[KEYS.stop] = (b"", None)
    await world.until(world.is_over)
    drain.request()
    await task
    assert (world.end().state, world.end().error) == ("stopped", None)
    found = written(world)
    assert found["batches"] == {"total": None, "succeeded": world.done, "failed": 0, "missing": None}
    assert found["items"] == {"total": None, "succeeded": 10 * world.done, "failed": 0, "missing": None}


@pytest.mark.parametrize("op", ["list", "list_page", "get", "put_stream"])
async def test_a_bucket_that_refuses_the_controller_ends_the_job_with_an_error(world: World, op: str) -> None:
    submit(world)
    world.output.refuse(op)
    end = await run_to_end(world)
    assert end.state == "completed_with_failures"
    assert message(end) == (
        f"manifest.json could not be written to s3://results/out: {op} refused by the test; "
        "the controller needs s3:ListBucket, s3:GetObject and s3:PutObject there"
    )
    assert MANIFEST not in world.output.objects


async def test_a_store_that_is_away_for_a_while_delays_the_end(world: World) -> None:
    submit(world)
    world.output.fail(40)
    assert (await run_to_end(world)).state == "succeeded"
    assert MANIFEST in world.output.objects


async def test_a_store_that_stays_away_does_not_hold_the_job_for_ever(world: World) -> None:
    submit(world)
    world.output.fail(100_000)
    end = await run_to_end(world, within_s=output.PATIENCE_S + 200)
    assert end.state == "completed_with_failures"
    assert message(end).endswith("the fake store is unavailable, for 600 s")


async def test_a_stop_ends_the_wait_for_a_store_that_is_away(world: World) -> None:
    submit(world)
    world.output.fail(100_000)
    controller, drain = world.controller()
    task = asyncio.create_task(controller.run())
    await world.until(lambda: KEYS.end in world.store.objects)
    world.store.objects[KEYS.stop] = (b"", None)
    await world.until(world.is_over, within_s=2 * output.STOPPED_PATIENCE_S + 30)
    drain.request()
    await task


async def test_a_path_that_is_none_ends_the_job_with_an_error(world: World) -> None:
    world.submit(spec=make_spec(output_s3_path="nowhere"))
    end = await run_to_end(world)
    assert end.state == "completed_with_failures"
    assert '"nowhere" is not a valid s3 path' in message(end)


async def test_an_earlier_error_is_kept(world: World) -> None:
    submit(world)
    world.output.refuse("list")
    world.batches = 1000
    spec = make_spec(output_s3_path="s3://results/out", timeout_s=60)
    world.submit(spec=spec)
    end = await run_to_end(world)
    assert end.state == "timed_out"
    assert message(end).startswith("the job did not end within its timeout\nmanifest.json could not be written")


async def test_a_long_error_leaves_room_for_the_other_one(world: World) -> None:
    submit(world)
    world.output.refuse("list")
    fault = EnqueueError(message="\n".join(["x" * 200] * 30), source="s3://bucket/key", offset=7)
    world.store.seed([(KEYS.enqueue_error, dump_error(fault))])
    end = await run_to_end(world)
    assert end.state == "enqueue_failed"
    assert len(message(end)) <= MAX_ERROR_CHARS
    assert message(end).startswith("x" * 200)
    assert message(end).endswith("s3:PutObject there")


async def test_an_object_that_vanishes_while_it_is_read_is_looked_for_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(world)
    gone = f"{PREFIX}results/00000003.jsonl"
    digest = manifest.ManifestWriter._digest

    async def delete_first(writer: Any, key: str) -> Any:
        if key == gone:
            world.output.objects.pop(key, None)
        return await digest(writer, key)

    monkeypatch.setattr(manifest.ManifestWriter, "_digest", delete_first)
    end = await run_to_end(world)
    assert end.state == "completed_with_failures"
    assert written(world)["missing_batches"]["ranges"] == [[3, 3]]


async def test_an_object_whose_stream_breaks_is_read_again_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    submit(world)
    get, put_stream = world.output.get, world.output.put_stream
    breaking, begun = [f"{PREFIX}results/00000001.jsonl", f"{PREFIX}results/00000004.jsonl"], 0

    async def broken(payload: Payload) -> AsyncIterator[bytes]:
        async for chunk in payload.chunks:
            yield chunk[:10]
            raise StoreUnavailableError("the connection broke")

    async def get_breaking(key: str) -> Payload:
        payload = await get(key)
        if key not in breaking:
            return payload
        breaking.remove(key)
        return dataclasses.replace(payload, chunks=broken(payload))

    async def count(*args: Any, **kwargs: Any) -> bool:
        nonlocal begun
        begun += 1
        return await put_stream(*args, **kwargs)

    monkeypatch.setattr(world.output, "get", get_breaking)
    monkeypatch.setattr(world.output, "put_stream", count)
    assert (await run_to_end(world)).state == "succeeded"
    assert (breaking, begun) == ([], 1)
    for one in written(world)["objects"]:
        assert one["sha256"] == sha256(world.output.objects[PREFIX + one["key"]][0]).hexdigest()


@pytest.mark.parametrize("name", ["max_batch_count", "checkpoint.json", "progress.json"])
async def test_documents_that_cannot_be_read_delay_no_job(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    submit(world)
    finish = output.JobOutput.finish

    async def spoil_first(self: Any, *args: Any, **kwargs: Any) -> JobEnd:
        world.store.objects[KEYS.prefix + name] = (b"?", None)
        return await finish(self, *args, **kwargs)

    monkeypatch.setattr(output.JobOutput, "finish", spoil_first)
    assert (await run_to_end(world)).state == "succeeded"
    assert written(world)["items"]["succeeded"] == 60


async def test_a_job_without_output_writes_nothing(world: World) -> None:
    world.submit()
    assert (await run_to_end(world)).state == "succeeded"
    assert not [key for op, key in world.output.journal if op == "put"]


async def test_a_manifest_is_written_once(world: World) -> None:
    submit(world)
    world.output.seed([(MANIFEST, b"{}")])
    assert (await run_to_end(world)).state == "succeeded"
    assert world.output.objects[MANIFEST][0] == b"{}"


async def test_items_of_a_stopped_job_that_were_not_tried_are_missing_but_have_not_failed(world: World) -> None:
    submit(world)
    world.batches, world.failing = 30, 1
    controller, drain = world.controller()
    task = asyncio.create_task(controller.run())
    await world.until(lambda: world.done >= 3)
    world.works = False
    await world.until(lambda: KEYS.max_batch_count in world.store.objects)
    await asyncio.sleep(10)
    world.store.objects[KEYS.stop] = (b"", None)
    await world.until(world.is_over)
    drain.request()
    await task
    assert written(world)["items"]["missing"] == 300 - 10 * world.done
    assert json.loads(world.store.objects[KEYS.progress][0])["progress"]["items_failed"] == 10


async def test_what_workers_did_after_the_stop_is_done_in_the_status_and_in_the_manifest(world: World) -> None:
    submit(world)
    world.batches = 30
    controller, drain = world.controller()
    task = asyncio.create_task(controller.run())
    await world.until(lambda: world.done >= 3)
    world.works = False
    await world.until(lambda: KEYS.max_batch_count in world.store.objects)
    world.store.objects[KEYS.stop] = (b"", None)
    await world.until(lambda: KEYS.end in world.store.objects)
    body = world.output.objects[f"{PREFIX}results/00000000.jsonl"][0]
    world.output.seed([(f"{PREFIX}results/00000029.jsonl", body)])  # the batch that a worker had when it was drained
    await world.until(world.is_over)
    drain.request()
    await task
    found, progress = written(world), json.loads(world.store.objects[KEYS.progress][0])["progress"]
    assert found["batches"]["succeeded"] == progress["batches_done"] == world.done + 1
    assert found["items"]["succeeded"] == progress["items_done"] == 10 * (world.done + 1)


async def test_a_manifest_that_was_refused_but_is_not_there_is_written_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(world)
    put_stream = world.output.put_stream
    refusals = [False, False]

    async def refuse_first(*args: Any, **kwargs: Any) -> bool:
        return refusals.pop() if refusals else await put_stream(*args, **kwargs)

    monkeypatch.setattr(world.output, "put_stream", refuse_first)
    assert (await run_to_end(world)).state == "succeeded"
    assert refusals == []
    assert written(world)["items"]["succeeded"] == 60


async def test_keys_of_others_are_left_out(world: World) -> None:
    submit(world)
    world.output.seed([(f"{PREFIX}results/notes.txt", b"x"), (f"{PREFIX}results/1.jsonl", b"x\n")])
    await run_to_end(world)
    assert len(written(world)["objects"]) == 6
