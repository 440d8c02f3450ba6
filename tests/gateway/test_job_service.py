from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from dequeuer.core.errors import SourceDeniedError, SourceUnavailableError, StoreDeniedError, StoreUnavailableError
from dequeuer.gateway import job_buckets, job_service
from dequeuer.gateway.job_buckets import MAX_BUCKETS, SourceBuckets
from dequeuer.gateway.job_calls import SqsCounts
from dequeuer.jobs.errors import JobsUnavailableError
from dequeuer.jobs.job_id import JobIds
from dequeuer.jobs.submission import ItemList, Submission
from dequeuer.sinks.base import Check, ListedPage, Payload, unchecked
from dequeuer.sources.sqs.errors import SqsResponseError, translate
from dequeuer.sources.sqs.management import Queues
from tests.fakes import MemoryStore
from tests.gateway.jobs import APIS, JobStage
from tests.jobs.stage import DatedStore, job_spec, seed_job

SUM = APIS[0]
SUBMISSION = Submission(workers=1, item_list=ItemList(items=b"[1]", batch_size=1))


pytestmark = pytest.mark.usefixtures("no_pauses")


class BreakingStore(DatedStore):
    """A store whose writes break off from the n-th on: before or after they take effect."""

    def __init__(self, at: int, *, is_written: bool, error: BaseException) -> None:
        super().__init__()
        self._left = at
        self._is_written = is_written
        self._error = error

    async def put(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> None:
        self._left -= 1
        if self._left >= 0:
            await super().put(key, body, content_type, check=check)
            return
        if self._is_written:
            await super().put(key, body, content_type, check=check)
        raise self._error


def in_index(store: MemoryStore) -> list[str]:
    return [key for key in store.objects if "/in_progress/" in key]


@pytest.mark.parametrize("is_written", [False, True])
@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize(
    "error", [StoreUnavailableError("away"), StoreDeniedError("no", "AccessDenied"), asyncio.CancelledError()]
)
async def test_a_submission_that_breaks_off_leaves_nothing_that_would_be_run(
    at: int, is_written: bool, error: BaseException
) -> None:
    stage = JobStage()
    stage.store = BreakingStore(at, is_written=is_written, error=error)
    with pytest.raises(asyncio.CancelledError if isinstance(error, asyncio.CancelledError) else JobsUnavailableError):
        await stage.jobs().submit(SUM, SUBMISSION)
    assert in_index(stage.store) == []
    if at:
        assert stage.store.objects == {}


class CrashingStore(DatedStore):
    """A store that nothing reaches any more after some writes: the process was killed."""

    def __init__(self, writes: int) -> None:
        super().__init__()
        self._left = writes

    async def put(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> None:
        if not self._left:
            raise asyncio.CancelledError
        self._left -= 1
        await super().put(key, body, content_type, check=check)

    async def delete(self, keys: object) -> None:
        raise asyncio.CancelledError


@pytest.mark.parametrize("writes", [0, 1, 2])
async def test_a_crash_between_two_writes_leaves_no_entry_in_the_index(writes: int) -> None:
    stage = JobStage()
    stage.store = CrashingStore(writes)
    with pytest.raises(asyncio.CancelledError):
        await stage.jobs().submit(SUM, SUBMISSION)
    assert in_index(stage.store) == []
    assert len(stage.store.objects) == writes


async def test_short_failures_of_the_store_are_bridged() -> None:
    stage = JobStage()
    stage.store.fail(2)
    spec = await stage.jobs().submit(SUM, SUBMISSION)
    assert len(stage.store.objects) == 3
    assert in_index(stage.store) == [f"uid/jobs/BatchAPI/in_progress/sum/{spec.job_id}"]


async def test_an_id_that_another_process_has_taken_is_not_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = iter(["a1", "a1", "a2", "a1", "a2", "a3"])
    monkeypatch.setattr(JobIds, "make", lambda _self: next(ids))
    monkeypatch.setattr(job_service, "created_ns", lambda _job_id: 0)
    stage = JobStage()
    one, two, three = stage.jobs(), stage.jobs(), stage.jobs()
    found = [
        (await jobs.submit(SUM, replace(SUBMISSION, workers=n))).job_id for n, jobs in enumerate((one, two, three))
    ]
    assert found == ["a1", "a2", "a3"]
    first, _ = stage.store.objects["uid/jobs/BatchAPI/0.42.1/sum/a1/spec.json"]
    assert b'"workers":0' in first


async def test_ids_that_are_all_taken_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class FullStore(DatedStore):
        async def create(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> bool:
            return False

    stage = JobStage()
    stage.store = FullStore()
    with pytest.raises(JobsUnavailableError):
        await stage.jobs().submit(SUM, SUBMISSION)


@pytest.mark.looptime
async def test_a_search_without_end_is_given_up(looptime: float) -> None:
    class EndlessStore(MemoryStore):
        async def list_page(self, prefix: str, *, after: str = "", token: str = "") -> object:  # type: ignore[override]
            await asyncio.sleep(1)
            return replace(await super().list_page(prefix), objects=[], next_token="more")

    stage = JobStage()
    stage.buckets.stores["files"] = EndlessStore()
    jobs = stage.jobs()
    body = b'{"workers":1,"delimited_files":{"batch_size":1,"s3_paths":["s3://files"]}}'
    with pytest.raises(JobsUnavailableError, match="longer prefixes"):
        await jobs.check(await jobs.parse(SUM, body))
    assert looptime == job_service.SEARCH_TIMEOUT_S


class SlowStore(DatedStore):
    """A store whose objects take ten seconds; `reading` are those that are waited for. `error`: of all but the first."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.reading: set[str] = set()
        self.error = error

    async def get(self, key: str) -> Payload:
        if self.error is not None and self.reading:
            raise self.error
        self.reading.add(key)
        try:
            await asyncio.sleep(10)
            return await super().get(key)
        finally:
            self.reading.remove(key)


@pytest.mark.looptime
async def test_a_list_of_jobs_that_takes_long_is_given_up(looptime: float) -> None:
    stage = JobStage()
    stage.store = store = SlowStore()
    for number in range(100):
        seed_job(store, "running", spec=job_spec(f"{number:016x}"))
    with pytest.raises(JobsUnavailableError):
        await stage.jobs().newest(SUM, 100, "")
    assert not store.reading
    assert looptime == job_service.LIST_TIMEOUT_S


async def test_nobody_reads_on_for_a_list_that_failed() -> None:
    stage = JobStage()
    stage.store = store = SlowStore(StoreDeniedError("no", "AccessDenied"))
    for number in range(100):
        seed_job(store, "running", spec=job_spec(f"{number:016x}"))
    with pytest.raises(JobsUnavailableError, match="refuses the gateway"):
        await stage.jobs().newest(SUM, 100, "")
    assert not store.reading


async def test_a_large_body_does_not_hold_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = JobStage().jobs()
    body = b'{"workers":1,"item_list":{"batch_size":1,"items":[' + b"1," * 200_000 + b"1]}}"
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count())
    parsed = await jobs.parse(SUM, body)
    counting.cancel()
    assert parsed.submission is not None
    assert turns > 10


async def test_a_submission_does_not_wait_for_ever_while_others_are_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_service, "MAX_PARSING", 0)
    monkeypatch.setattr(job_service, "PARSING_TIMEOUT_S", 0.01)
    jobs = JobStage().jobs(APIS)
    assert (await jobs.parse(SUM, b" ")).faults
    with pytest.raises(JobsUnavailableError, match="other submissions take long to parse: try again"):
        await jobs.parse(SUM, b" " * 20_000)


class OpenBuckets:
    """Opens and closes buckets, and remembers which are open."""

    def __init__(self) -> None:
        self.open: dict[int, str] = {}
        self.buckets = SourceBuckets(self.open_bucket, self.close_bucket)

    def open_bucket(self, name: str) -> MemoryStore:
        store = MemoryStore()
        self.open[id(store)] = name
        return store

    async def close_bucket(self, store: object) -> None:
        del self.open[id(store)]


async def test_a_bucket_makes_room_for_another() -> None:
    opened = OpenBuckets()
    for number in range(MAX_BUCKETS):
        await opened.buckets.listing(f"b{number}").list_page("")
    await opened.buckets.listing("b0").list_page("")
    await opened.buckets.listing("one-more").list_page("")
    assert len(opened.open) == MAX_BUCKETS
    assert "b0" in opened.open.values()
    assert "b1" not in opened.open.values()


async def test_a_bucket_that_is_being_listed_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_buckets, "MAX_BUCKETS", 1)
    opened, begun, end = OpenBuckets(), asyncio.Event(), asyncio.Event()

    async def list_page(_self: MemoryStore, _prefix: str, *, after: str = "", token: str = "") -> ListedPage:
        assert not after + token
        begun.set()
        await end.wait()
        return ListedPage(objects=[], next_token="")

    monkeypatch.setattr(MemoryStore, "list_page", list_page)
    listing = asyncio.create_task(opened.buckets.listing("a").list_page(""))
    await begun.wait()
    with pytest.raises(StoreUnavailableError, match="1 buckets are being listed already"):
        await opened.buckets.listing("b").list_page("")
    end.set()
    assert not (await listing).objects
    await opened.buckets.listing("b").list_page("")
    assert len(opened.open) == 1


class FakeSqs:
    def __init__(self, outcome: dict[str, object] | Exception) -> None:
        self._outcome = outcome

    async def get_queue_attributes(self, **request: object) -> dict[str, object]:
        assert request["QueueUrl"] == "url"
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


async def count(outcome: dict[str, object] | Exception) -> int | None:
    return await SqsCounts(Queues(FakeSqs(outcome), translate)).count("url")  # type: ignore[arg-type]


async def test_messages_of_a_queue_are_counted() -> None:
    attributes = {
        "ApproximateNumberOfMessages": "4",
        "ApproximateNumberOfMessagesNotVisible": "3",
        "ApproximateNumberOfMessagesDelayed": "2",
    }
    assert await count({"Attributes": attributes}) == 7
    assert await count(SqsResponseError(400, "QueueDoesNotExist", "gone")) is None


@pytest.mark.parametrize(
    "outcome",
    [
        {},
        {"Attributes": {}},
        SqsResponseError(403, "AccessDenied", "no"),
        SqsResponseError(400, "InvalidParameterValue", "x"),
        SqsResponseError(503, "", ""),
        OSError("down"),
    ],
)
async def test_a_queue_that_does_not_answer_is_no_empty_one(outcome: dict[str, object] | Exception) -> None:
    with pytest.raises((SourceUnavailableError, SourceDeniedError)):
        await count(outcome)
