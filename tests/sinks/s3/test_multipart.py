import asyncio
import gc
from collections.abc import AsyncIterator

import pytest

from dequeuer.core.errors import LeaseLostError, StoreDeniedError, StoreUnavailableError
from dequeuer.core.events import StoreCalled
from dequeuer.sinks.base import unchecked
from dequeuer.sinks.s3 import upload as s3_upload
from dequeuer.sinks.s3.bucket import Bucket
from dequeuer.sinks.s3.features import Features
from dequeuer.sinks.s3.multipart import PART_BYTES
from dequeuer.sinks.s3.retry import UPLOAD_RETRIES, retry_upload_request
from dequeuer.sinks.s3.store import SlimStore, open_slim_store
from dequeuer.sinks.s3.upload import Upload
from tests.fakes import Recorder, chunked
from tests.sinks.fake_s3 import Asked, FakeS3, answer, refusal, times
from tests.sinks.stores import slim_endpoint

KEY, PATH = "a/key", "/bucket/a/key"
BODY = bytes(range(256)) * 48_000  # 12 MB: three parts


@pytest.fixture
async def store(s3: FakeS3, seen: Recorder) -> AsyncIterator[SlimStore]:
    store = open_slim_store(endpoint=slim_endpoint(s3.url), bucket="bucket", path_style=True, observer=seen)
    yield store
    await store.close()


async def send(store: SlimStore, body: bytes = BODY) -> None:
    await store.put_stream(KEY, chunked(body, 100_000), "application/json")


def outcomes(seen: Recorder) -> list[tuple[str, str | None]]:
    return [(event.op, event.error) for event in seen.of(StoreCalled)]


async def test_a_chunk_of_several_parts(s3: FakeS3, store: SlimStore) -> None:
    await store.put_stream(KEY, chunked(BODY, len(BODY)), "text/plain")
    assert s3.steps == ["begin", "part 1", "part 2", "part 3", "complete"]
    assert s3.objects[PATH] == BODY


async def test_a_completion_whose_answer_was_lost_is_one(s3: FakeS3, store: SlimStore) -> None:
    s3.after = times(1, "complete", refusal(500, "InternalError"))
    await send(store)
    assert s3.steps[-3:] == ["complete", "complete", "get"]
    assert s3.objects[PATH] == BODY


@pytest.mark.parametrize(
    "there", [None, (b"another object", "x"), (bytes(len(BODY)), f"{'0' * 32}-3")], ids=["none", "smaller", "as large"]
)
async def test_an_upload_that_another_client_ended_is_an_error(
    s3: FakeS3, store: SlimStore, there: tuple[bytes, str] | None
) -> None:
    if there is not None:
        s3.objects[PATH], s3.e_tags[PATH] = there
    s3.before = times(99, "complete", refusal(404, "NoSuchUpload"))
    with pytest.raises(StoreUnavailableError, match="gone"):
        await send(store)


async def test_a_part_of_an_upload_that_is_gone(s3: FakeS3, store: SlimStore) -> None:
    s3.before = times(1, "part 2", refusal(404, "NoSuchUpload"))
    with pytest.raises(StoreUnavailableError, match="gone"):
        await send(store)
    assert s3.steps.count("part 2") == 1


async def test_with_keys_of_its_own_an_object_has_no_checksum_to_compare(s3: FakeS3, store: SlimStore) -> None:
    def response(asked: Asked) -> bytes | None:
        if asked.step != "get":
            return None
        sse = {"x_amz_server_side_encryption": "aws:kms", "Content_Range": f"bytes 0-0/{len(BODY)}"}
        return answer(206, b"x", ETag='"feed-3"', **sse)

    s3.before = response
    s3.after = times(1, "complete", refusal(500, "InternalError"))
    await send(store)


async def test_a_body_that_never_ends_does_not_hide_that_the_upload_failed(s3: FakeS3, store: SlimStore) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield bytes(PART_BYTES + 1)
        while True:
            await asyncio.sleep(0.001)
            yield b"x"

    s3.before = times(1, "part 1", refusal(403, "AccessDenied"))
    async with asyncio.timeout(60):
        with pytest.raises(StoreDeniedError):
            await store.put_stream(KEY, endless(), "text/plain")
    await store.close()
    assert s3.uploads == {}


async def test_a_body_that_fails_while_a_part_is_sent(s3: FakeS3, store: SlimStore, seen: Recorder) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(PART_BYTES + 1)
        await s3.stalled.wait()
        raise ValueError("not JSON after all")

    s3.stall_at = "part 1"
    async with asyncio.timeout(60):
        with pytest.raises(ValueError, match="after all"):
            await store.put_stream(KEY, broken(), "text/plain")
    await store.close()
    assert s3.steps == ["begin", "part 1", "abort"]
    assert (s3.objects, s3.uploads) == ({}, {})
    assert outcomes(seen) == []


async def test_nothing_is_sent_when_the_body_fails_early(s3: FakeS3, store: SlimStore) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(PART_BYTES)
        raise ValueError("not JSON after all")

    with pytest.raises(ValueError, match="after all"):
        await store.put_stream(KEY, broken(), "text/plain")
    assert s3.steps == []


async def test_an_upload_that_is_cancelled_while_it_begins_is_aborted_once_its_name_is_known(
    s3: FakeS3, store: SlimStore
) -> None:
    def before(asked: Asked) -> bytes | None:
        if asked.step == "begin":
            task.cancel()
        return None

    s3.before = before
    task = asyncio.create_task(send(store))
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.close()
    assert s3.steps == ["begin", "abort"]
    assert s3.uploads == {}


async def test_an_abort_without_a_response_has_a_short_timeout(
    s3: FakeS3, store: SlimStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_upload, "ABORT_TIMEOUT_S", 0.05)
    s3.before = times(9, "part 1", refusal(403, "AccessDenied"))
    s3.stall_at = "abort"
    async with asyncio.timeout(60):
        with pytest.raises(StoreDeniedError):
            await send(store)


@pytest.mark.parametrize("response", [refusal(403, "AccessDenied"), refusal(404, "NoSuchUpload"), b""])
async def test_an_abort_that_fails_changes_nothing(s3: FakeS3, store: SlimStore, response: bytes) -> None:
    faults = {"part 1": refusal(403, "AccessDenied"), "abort": response}
    s3.before = lambda asked: faults.get(asked.step)
    with pytest.raises(StoreDeniedError, match="403 AccessDenied"):
        await send(store)
    await store.close()
    assert s3.steps[-1] == "abort"


async def test_a_cancelled_upload_does_not_wait_for_its_abort(s3: FakeS3, store: SlimStore) -> None:
    s3.stall_at = "part 1"
    task = asyncio.create_task(send(store))
    await s3.stalled.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "abort" not in s3.steps  # the release that follows the cancellation is not delayed
    await store.close()
    assert s3.steps[-1] == "abort"
    assert s3.uploads == {}


async def test_the_check_comes_directly_before_the_object_becomes_visible(s3: FakeS3, store: SlimStore) -> None:
    def lost() -> None:
        if "part 3" in s3.steps:
            raise LeaseLostError("the lease is lost")

    with pytest.raises(LeaseLostError):
        await store.put_stream(KEY, chunked(BODY, 100_000), "text/plain", check=lost)
    await store.close()
    assert s3.steps == ["begin", "part 1", "part 2", "part 3", "abort"]
    assert s3.objects == {}


@pytest.mark.looptime
async def test_the_tries_are_bounded_in_number_and_in_time() -> None:
    loop = asyncio.get_running_loop()
    tries: list[float] = []

    async def failing(seconds: float) -> None:
        tries.append(loop.time())
        await asyncio.sleep(seconds)
        raise StoreUnavailableError("away")

    for seconds, expected in ((0.0, UPLOAD_RETRIES.max_attempts), (35.0, 4)):
        tries.clear()
        with pytest.raises(StoreUnavailableError):
            await retry_upload_request(lambda seconds=seconds: failing(seconds))  # type: ignore[misc]
        assert len(tries) == expected
        assert tries[-1] - tries[0] <= 120.0


async def test_the_first_error_of_several_parts_is_raised_and_no_task_is_left(s3: FakeS3) -> None:
    unhandled: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unhandled.append(context))
    bucket = Bucket(slim_endpoint(s3.url), "bucket", path_style=True)
    upload = Upload(bucket, Features(Recorder()), KEY, (), unchecked)
    refused = asyncio.Semaphore(0)
    s3.before = lambda asked: refusal(403, "AccessDenied") if asked.step.startswith("part") else None
    for _ in range(3):
        await upload.send_buffered(bytearray(b"part"), refused.release)
    for _ in range(3):
        await refused.acquire()
    with pytest.raises(StoreDeniedError):
        await upload.wait_for_parts()
    await upload.abort()
    await bucket.close()
    gc.collect()
    assert not unhandled
