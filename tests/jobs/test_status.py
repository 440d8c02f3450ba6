import json
from dataclasses import replace

import pytest

from dequeuer.core.errors import SourceUnavailableError, StoreUnavailableError
from dequeuer.formats.go_json import decode, encode
from dequeuer.jobs.documents import JobEnd, JobError, JobProgress, dump_end, dump_progress
from dequeuer.jobs.errors import UnknownJobError
from dequeuer.jobs.spec import DeadLetterQueue, InvalidSpecError, dump_spec
from dequeuer.jobs.state import JobState
from dequeuer.jobs.status import JobStatus, status_fields
from dequeuer.jobs.status_reading import MAX_DOCUMENT_BYTES, StatusReader
from tests.jobs.stage import JOB, QUEUE, START, DatedStore, FakeCounts, job_keys, job_spec, seed_job
from tests.opened import opened_by

HEAD = (
    '{"job_id":"67e3b0f1a2c4d5e6","api_name":"sum","kind":"BatchAPI","workers":2,"sqs_dead_letter_queue":null,'
    '"config":null,"timeout":null,"api_id":"api-1"'
)
START_TEXT = '"start_time":"2026-11-26T16:38:16.123456789Z"'
NOTHING_KNOWN = (
    '"progress":{"items_total":null,"items_done":null,"items_failed":null,"batches_total":null,"batches_done":null,'
    '"rate":null,"eta_seconds":null}'
)
END_TEXT = '"end_time":"2023-11-14T22:13:20Z"'  # LastModified of the marker, in whole seconds


@pytest.fixture
def store() -> DatedStore:
    return DatedStore()


@pytest.fixture
def counts() -> FakeCounts:
    return FakeCounts()


@pytest.fixture
def reader(store: DatedStore, counts: FakeCounts) -> StatusReader:
    return StatusReader(store, counts)


async def text(reader: StatusReader) -> str:
    return encode(status_fields(await reader.read(job_keys())))


async def test_a_job_that_nobody_has_begun_with_is_pending(reader: StatusReader, store: DatedStore) -> None:
    seed_job(store, "payload.json")
    assert (
        await text(reader)
        == f'{HEAD},"sqs_url":"",{START_TEXT},"status":"pending","batches_in_queue":0,{NOTHING_KNOWN}}}'
    )


async def test_a_job_with_very_many_objects_has_the_status_of_its_last_marker(
    reader: StatusReader, store: DatedStore
) -> None:
    seed_job(store, "payload.json", "running", "succeeded")
    store.seed([(job_keys().skipped(number), b"") for number in range(3000)])
    store.seed([(job_keys().stop, b"")])
    assert (await reader.read(job_keys())).state == "succeeded"


async def test_a_submission_that_was_broken_off_is_unknown(reader: StatusReader, store: DatedStore) -> None:
    seed_job(store, "payload.json", indexed=False)
    store.seed([(f"{job_keys().in_progress}0", b"")])  # another job, whose id begins alike
    assert (await reader.read(job_keys())).state == "unknown"


@pytest.mark.parametrize(
    "state",
    [
        "timed_out",
        "worker_oom",
        "worker_error",
        "enqueue_failed",
        "unexpected_error",
        "completed_with_failures",
        "succeeded",
        "stopped",
    ],
)
async def test_an_ended_job_is_what_its_marker_says_since_that_was_written(
    reader: StatusReader, store: DatedStore, state: JobState
) -> None:
    spec = replace(job_spec(), sqs_url=QUEUE, total_batch_count=7)
    seed_job(store, "enqueuing", "running", state, "stop", "pause", spec=spec, indexed=False)
    assert await text(reader) == (
        f'{HEAD},"sqs_url":"{QUEUE}","total_batch_count":7,{START_TEXT},"status":"{state}",{END_TEXT},"batches_in_queue":0,{NOTHING_KNOWN}}}'
    )


async def test_batches_are_counted_without_the_completion_message(
    reader: StatusReader, store: DatedStore, counts: FakeCounts
) -> None:
    seed_job(store, "enqueuing", "running", spec=replace(job_spec(), sqs_url=QUEUE, total_batch_count=9))
    for messages, batches in ((5, 4), (1, 0), (0, 0)):
        counts.messages[QUEUE] = messages
        status = await reader.read(job_keys())
        assert (status.state, status.batches_in_queue, status.spec.total_batch_count) == ("running", batches, 9)


async def test_while_enqueuing_the_total_is_what_is_in_the_queue(
    reader: StatusReader, store: DatedStore, counts: FakeCounts
) -> None:
    seed_job(store, "enqueuing", spec=replace(job_spec(), sqs_url=QUEUE))
    counts.messages[QUEUE] = 4
    assert await text(reader) == (
        f'{HEAD},"sqs_url":"{QUEUE}","total_batch_count":3,{START_TEXT},"status":"enqueuing","batches_in_queue":3,{NOTHING_KNOWN}}}'
    )


async def test_without_a_queue_there_are_no_batches(reader: StatusReader, store: DatedStore) -> None:
    seed_job(store, "running", spec=replace(job_spec(), sqs_url=QUEUE, total_batch_count=9))
    assert (
        await text(reader)
        == f'{HEAD},"sqs_url":"{QUEUE}",{START_TEXT},"status":"running","batches_in_queue":0,{NOTHING_KNOWN}}}'
    )


async def test_a_job_with_output_has_ended_when_its_manifest_is_there(reader: StatusReader, store: DatedStore) -> None:
    spec = replace(job_spec(), output_s3_path="s3://bucket/out")
    keys = seed_job(store, "enqueuing", "running", spec=spec)
    store.seed([(keys.end, dump_end(JobEnd(state="succeeded", end_time_ns=START)))])
    status = await reader.read(keys)
    assert (status.state, status.end_time_ns) == ("running", None)
    store.seed([(keys.marker("succeeded"), b"")])
    assert (await reader.read(keys)).state == "succeeded"


async def test_the_queue_of_an_ended_job_is_not_asked(
    reader: StatusReader, store: DatedStore, counts: FakeCounts
) -> None:
    seed_job(store, "running", "succeeded", spec=replace(job_spec(), sqs_url=QUEUE))
    await reader.read(job_keys())
    assert counts.asked == []


async def test_progress_and_workers_of_a_running_job(reader: StatusReader, store: DatedStore) -> None:
    keys = seed_job(store, "running", "pause")
    progress = JobProgress(worker_counts={"not_ready": 1, "ready": 1}, progress={"items_total": 10, "items_done": 4})
    store.seed([(keys.progress, dump_progress(progress))])
    assert await text(reader) == (
        f'{HEAD},"sqs_url":"",{START_TEXT},"status":"running","batches_in_queue":0,"worker_counts":{{"not_ready":1,"ready":1}},'
        '"progress":{"items_total":10,"items_done":4,"items_failed":null,"batches_total":null,"batches_done":null,'
        '"rate":null,"eta_seconds":null},"paused":true}'
    )
    store.seed(
        [(keys.marker("succeeded"), b""), (keys.metrics, b'{"succeeded":3,"failed":1,"average_time_per_batch":1.50}')]
    )
    status = await reader.read(keys)
    fields = status_fields(status)
    assert "worker_counts" not in fields
    assert "paused" not in fields
    assert fields["progress"]["items_done"] == "4"
    assert encode(status.metrics) == '{"succeeded":3,"failed":1,"average_time_per_batch":1.50}'


async def test_what_ended_the_job_counts_before_its_marker_is_there(reader: StatusReader, store: DatedStore) -> None:
    keys = seed_job(store, "enqueuing", "stop")
    end = JobEnd(state="enqueue_failed", end_time_ns=START, error=JobError(message="bad", source="s3://b/k", offset=3))
    store.seed([(keys.end, dump_end(end))])
    status = await reader.read(keys)
    assert (status.state, status.end_time_ns, status.error) == ("enqueue_failed", START, end.error)
    assert not status.is_stopping
    store.seed([(keys.marker("enqueue_failed"), b"")])
    fields = status_fields(await reader.read(keys))
    assert fields["end_time"] == "2023-11-14T22:13:20Z"
    assert fields["error"] == {"message": "bad", "source": "s3://b/k", "offset": 3}


async def test_a_requested_stop_is_told_while_it_is_not_over(reader: StatusReader, store: DatedStore) -> None:
    seed_job(store, "running", "stop")
    assert (await text(reader)).endswith(f'"batches_in_queue":0,{NOTHING_KNOWN},"stopping":true}}')


async def test_documents_that_cannot_be_read_are_left_out(reader: StatusReader, store: DatedStore) -> None:
    keys = seed_job(store, "running")
    store.seed([(keys.progress, b"{"), (keys.end, b"x" * (MAX_DOCUMENT_BYTES + 1)), (keys.metrics, b"[]")])
    assert await reader.read(keys) == JobStatus(spec=job_spec(), state="running")


async def test_documents_that_are_too_large_are_closed(
    reader: StatusReader, store: DatedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = opened_by(store, monkeypatch)
    keys = seed_job(store, "running")
    store.seed([(keys.progress, b"x" * (MAX_DOCUMENT_BYTES + 1))])
    await reader.read(keys)
    assert opened == []


async def test_a_job_without_a_readable_specification_is_no_job(reader: StatusReader, store: DatedStore) -> None:
    with pytest.raises(UnknownJobError) as caught:
        await reader.read(job_keys())
    assert caught.value.faults[0].kind == "job.not_found"
    assert str(caught.value) == f"failed to get job state: unable to find BatchAPI job {JOB} (sum api)"
    keys = seed_job(store, "running")
    del store.objects[keys.spec]
    with pytest.raises(UnknownJobError):
        await reader.read(keys)
    for text in (b"{}", b"x" * (MAX_DOCUMENT_BYTES + 1)):
        store.seed([(keys.spec, text)])
        with pytest.raises(InvalidSpecError):
            await reader.read(keys)


async def test_errors_of_store_and_queue_are_passed_on(
    reader: StatusReader, store: DatedStore, counts: FakeCounts
) -> None:
    seed_job(store, "running", spec=replace(job_spec(), sqs_url=QUEUE))
    counts.error = SourceUnavailableError("away")
    with pytest.raises(SourceUnavailableError):
        await reader.read(job_keys())
    store.fail()
    with pytest.raises(StoreUnavailableError):
        await reader.read(job_keys())


def test_the_fields_of_a_task_have_their_own_order() -> None:
    spec = replace(job_spec(kind="TaskAPI"), spec_id="s", pod_id="p", workers=1)
    status = JobStatus(
        spec=spec, state="running", progress=JobProgress(worker_counts={"ready": 1}, progress={}), batches_in_queue=5
    )
    assert encode(status_fields(status)).startswith(
        '{"job_id":"67e3b0f1a2c4d5e6","api_name":"sum","kind":"TaskAPI","workers":1,"config":null,"timeout":null,'
        f'"api_id":"api-1","spec_id":"s","pod_id":"p",{START_TEXT},"status":"running","worker_counts":{{"ready":1}},"progress":'
    )
    ended = encode(status_fields(replace(status, state="succeeded", end_time_ns=START, progress=None)))
    assert ended.endswith(f'{START_TEXT},"end_time":"2026-11-26T16:38:16.123456789Z","status":"succeeded"}}')


def test_our_own_fields_come_last() -> None:
    spec = replace(
        job_spec(),
        dead_letter_queue=DeadLetterQueue(arn="arn:<x>", max_receive_count=3),
        config=decode('{"a":1.0}'),
        timeout_s=9,
        output_s3_path="s3://o/p",
        on_bad_item="skip",
        priority=2,
    )
    fields = encode(status_fields(JobStatus(spec=spec, state="running")))
    assert (
        '"sqs_dead_letter_queue":{"arn":"arn:\\u003cx\\u003e","max_receive_count":3},"config":{"a":1.0},"timeout":9,'
        in fields
    )
    own = '"output":{"s3_path":"s3://o/p"},"on_bad_item":"skip","priority":2'
    assert fields.endswith(f'"batches_in_queue":0,{own},{NOTHING_KNOWN}}}')
    assert dump_spec(spec).decode().startswith(fields.partition(',"status"')[0])


async def test_a_job_that_cortex_has_ended_is_read(reader: StatusReader, store: DatedStore) -> None:
    """Only the objects that Cortex leaves behind: none of ours, no index, no queue."""
    keys = job_keys()
    spec = (
        '{"job_id":"67e3b0f1a2c4d5e6","api_name":"sum","kind":"BatchAPI","workers":2,'
        '"sqs_dead_letter_queue":{"arn":"arn:aws:sqs:us-west-2:000000000000:dead","max_receive_count":3},'
        '"config":{"a":1},"timeout":600,"api_id":"api-1","sqs_url":"' + QUEUE + '","total_batch_count":2,'
        '"start_time":"2022-03-01T10:00:00.5Z"}'
    )
    metrics = '{"succeeded":2,"failed":1,"average_time_per_batch":0.25}'
    store.seed([(keys.spec, spec.encode()), (keys.metrics, metrics.encode()), (keys.max_batch_count, b"2")])
    store.seed([(keys.marker("running"), b""), (keys.marker("completed_with_failures"), b"")])
    status = await reader.read(keys)
    fields = json.loads(await text(reader))
    assert fields["status"] == "completed_with_failures"
    assert fields["start_time"] == "2022-03-01T10:00:00.5Z"
    assert fields["sqs_dead_letter_queue"]["max_receive_count"] == 3
    assert fields["config"] == {"a": 1}
    assert fields["batches_in_queue"] == 0
    assert encode(status.metrics) == metrics
