"""Whole jobs: what is in the queue at the end, also when the process is killed at any of its calls."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from dequeuer.core.errors import FatalError
from dequeuer.enqueuer import read_ahead, windows
from dequeuer.enqueuer.model import EnqueueFaultError
from dequeuer.enqueuer.run import EnqueuerStoppedError
from dequeuer.sinks.base import ListedPage
from tests.enqueuer.stage import KEYS, KilledError, Killer, Stage, files, items, paths
from tests.fakes import MemoryStore


def lines(first: int, last: int) -> bytes:
    return b"".join(b'{"n": %d}\n' % number for number in range(first, last))


FILES = {"in/a.jsonl": lines(0, 7), "in/b.jsonl.gz": gzip.compress(lines(7, 12)), "in/c": b" ", "in/d": lines(12, 20)}


async def test_a_list_of_items_keeps_the_text_of_numbers_and_is_escaped_as_go_does() -> None:
    payload = (
        b'{"item_list": {"items": [1.50, 12345678901234567890, "<&>\\u00e4", {"a" : [ ]}, null], "batch_size": 2}}'
    )
    stage = Stage(payload)
    assert await stage.run() == 3
    assert [body for _, body in sorted(stage.sqs.batches)] == [
        "[1.50,12345678901234567890]", '["\\u003c\\u0026\\u003e\\u00e4",{"a":[]}]', "[null]",
    ]  # fmt: skip


async def test_the_messages_have_the_form_of_cortex_and_the_index_of_their_batch() -> None:
    stage = Stage(items(1, 2, 3))
    await stage.run()
    batch, completion = stage.sqs.sent[1], stage.sqs.sent[-1]
    assert batch["MessageBody"] == "[3]"
    assert batch["MessageGroupId"] == batch["MessageDeduplicationId"] == "67f0-1"
    attributes = {name: value["StringValue"] for name, value in batch["MessageAttributes"].items()}
    assert attributes == {"api_name": "api", "job_id": "67f0", "batch_index": "1", "item_index": "2"}
    assert completion["MessageBody"] == '{"message":"job_complete"}'
    attributes = {name: value["StringValue"] for name, value in completion["MessageAttributes"].items()}
    assert attributes == {"job_complete": "true", "api_name": "api", "job_id": "67f0"}


async def test_the_count_is_written_the_error_and_the_payload_are_deleted_last() -> None:
    stage = Stage(items(1, 2, 3))
    await stage.run()
    assert stage.text(KEYS.max_batch_count) == "2"
    assert [entry for entry in stage.store.journal if entry[1] != KEYS.checkpoint] == [
        ("put", KEYS.max_batch_count), ("delete", KEYS.enqueue_error), ("delete", KEYS.payload),
    ]  # fmt: skip


async def test_paths_of_files_are_items_and_batches_span_prefixes() -> None:
    stage = Stage(paths("s3://one/x/", "s3://two"), one={"x/1": b"", "x/2": b"", "y": b""}, two={"a//b": b"", "<": b""})
    assert await stage.run() == 2
    assert [body for _, body in sorted(stage.sqs.batches)] == [
        '["s3://one/x/1","s3://one/x/2"]', '["s3://two/\\u003c","s3://two/a//b"]',
    ]  # fmt: skip


async def test_values_in_files_are_items_and_batches_span_files() -> None:
    stage = Stage(files("s3://data/in/", batch_size=3), data=FILES)
    assert await stage.run() == 7
    assert [item["n"] for item in stage.sqs.items] == list(range(20))
    assert sorted(stage.sqs.batches)[2] == (2, '[{"n":6},{"n":7},{"n":8}]')


async def test_a_job_without_any_item_has_its_completion_alone() -> None:
    stage = Stage(files("s3://data"), data={"a": b"\n"})
    assert await stage.run() == 0
    assert (stage.sqs.batches, stage.sqs.completions, stage.text(KEYS.max_batch_count)) == (set(), 1, "0")


async def test_a_job_that_is_enqueued_is_left_alone() -> None:
    stage = Stage(items(1, 2, 3))
    assert await stage.run() == 2
    sent = len(stage.sqs.sent)
    assert await stage.run() == 2
    assert len(stage.sqs.sent) == sent


async def test_a_job_that_does_not_exist_is_a_fault() -> None:
    stage = Stage(items(1))
    stage.store.objects.clear()
    with pytest.raises(EnqueueFaultError, match=r"no payload\.json"):
        await stage.run()


JOBS: dict[str, Callable[[], Stage]] = {
    "items": lambda: Stage(items(*range(23))),
    "paths": lambda: Stage(paths("s3://data/in/", "s3://data/in/a"), data={f"in/{n}": b"x" for n in range(11)}),
    "files": lambda: Stage(files("s3://data/in/", "s3://data/in/d", batch_size=3), data=FILES),
    "skipping": lambda: Stage(
        files("s3://data", batch_size=2, on_bad_item="skip"),
        data={"a": b'1 2 "\xff" 3 4\n[1,]\n5 6 7 "\xff" "\xff"\n{"a":\n\n\nx\n8', "b": b"9 10\n", "c": b'"\xff"'},
    ),
}


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "MAX_WINDOW_BATCHES", 3)
    monkeypatch.setattr(windows, "MAX_WINDOW_FILES", 4)
    monkeypatch.setattr(windows, "MAX_WINDOW_SKIPPED", 2)
    monkeypatch.setattr(read_ahead, "SEGMENT_BYTES", 16)


def skipped(stage: Stage) -> list[Any]:
    keys = sorted(key for key in stage.store.objects if key.startswith(KEYS.prefix + "skipped/"))
    return [json.loads(line) for key in keys for line in stage.store.objects[key][0].splitlines()]


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.usefixtures("small_windows")
async def test_killed_at_any_call_and_started_again_the_same_batches_are_in_the_queue(job: str) -> None:
    undisturbed = JOBS[job]()
    count = await undisturbed.run()
    assert count > 3
    for at in range(1, undisturbed.killer.calls + 1):
        stage = JOBS[job]()
        stage.use(Killer(at=at))
        with pytest.raises(KilledError):
            await stage.run()
        # Meanwhile files appear. They may be in the job or not, but they change no batch that was sent.
        stage.use(Killer())
        assert await stage.run() == count
        assert stage.sqs.batches == undisturbed.sqs.batches
        assert stage.sqs.completions >= 1
        assert skipped(stage) == skipped(undisturbed)
        assert stage.text(KEYS.max_batch_count) == str(count)
        assert stage.text(KEYS.payload) is None


@pytest.mark.parametrize("job", ["paths", "files"])
@pytest.mark.usefixtures("small_windows")
async def test_files_that_appear_between_two_starts_change_no_batch_that_may_be_in_the_queue(job: str) -> None:
    calls = JOBS[job]()
    await calls.run()
    for at in range(1, calls.killer.calls + 1):
        stage = JOBS[job]()
        stage.use(Killer(at=at))
        with pytest.raises(KilledError):
            await stage.run()
        before = dict(stage.sqs.batches)
        new = {f"in/{name}": b'{"n": 99}' for name in ("", "0", "00", "1x", "a0", "b0", "bb", "c0", "e")}
        stage.buckets["data"].seed((key, body) for key, body in new.items() if key not in stage.buckets["data"].objects)
        stage.use(Killer())
        await stage.run()
        after: dict[int, set[str]] = {}
        for index, body in stage.sqs.batches:
            after.setdefault(index, set()).add(body)
        assert all(len(bodies) == 1 for bodies in after.values())
        assert all(after[index] == {body} for index, body in before.items())


@pytest.mark.usefixtures("small_windows")
async def test_a_file_that_was_deleted_after_its_path_was_planned_stays_in_the_job() -> None:
    stage = JOBS["paths"]()
    stage.sqs.judge = raising(KilledError())
    with pytest.raises(KilledError):
        await stage.run()
    del stage.buckets["data"].objects["in/1"]
    stage.sqs.judge = lambda _entry: None
    await stage.run()
    assert "s3://data/in/1" in stage.sqs.items


def raising(error: BaseException) -> Callable[[Any], None]:
    def judge(_entry: Any) -> None:
        raise error

    return judge


@pytest.mark.parametrize(("change", "message"), [(lines(0, 8), "changed"), (None, "deleted")])
@pytest.mark.usefixtures("small_windows")
async def test_a_file_that_changes_or_vanishes_between_two_starts_is_a_fault(
    change: bytes | None, message: str
) -> None:
    stage = JOBS["files"]()
    stage.use(Killer(at=9))
    with pytest.raises(KilledError):
        await stage.run()
    stage.use(Killer())
    if change is None:
        del stage.buckets["data"].objects["in/d"]
        stage.buckets["data"].seed([("in/b.jsonl.gz", b"")])
    else:
        stage.buckets["data"].seed([("in/a.jsonl", change), ("in/b.jsonl.gz", gzip.compress(change))])
    with pytest.raises(EnqueueFaultError, match="changed"):
        await stage.run()


@pytest.mark.usefixtures("small_windows")
async def test_asked_to_stop_it_ends_after_the_window_and_goes_on_later() -> None:
    undisturbed = JOBS["files"]()
    await undisturbed.run()
    stage = JOBS["files"]()
    stage.stop_after = 1
    with pytest.raises(EnqueuerStoppedError):
        await stage.run()
    sent = len(stage.sqs.sent)
    assert sent == 3
    stage.stop_after = None
    await stage.run()
    assert len(stage.sqs.sent) == len(undisturbed.sqs.sent)
    assert stage.sqs.batches == undisturbed.sqs.batches


class CountedStore(MemoryStore):
    """Keeps where listings began."""

    def __init__(self, count: int) -> None:
        super().__init__(page_size=10)
        self.seed((f"in/{number:05}", b"1") for number in range(count))
        self.pages: list[str] = []

    async def list_page(self, prefix: str, *, after: str = "", token: str = "") -> ListedPage:
        self.pages.append(after or token)
        return await super().list_page(prefix, after=after, token=token)


@pytest.mark.usefixtures("small_windows")
async def test_a_restart_does_not_list_again_what_was_enqueued() -> None:
    stage = Stage(paths("s3://data", batch_size=5))
    stage.buckets["data"] = store = CountedStore(300)
    stage.use(Killer(at=60))
    with pytest.raises(KilledError):
        await stage.run()
    checkpoint = json.loads(stage.text(KEYS.checkpoint) or "")
    done = max(key for _, _, key, _, _ in [checkpoint["file"], *checkpoint["window"]])
    store.pages.clear()
    stage.use(Killer())
    await stage.run()
    assert done > "in/00050"
    assert min(store.pages) == done
    assert len(stage.sqs.items) == 300
    assert checkpoint["total"] == 300


@pytest.mark.looptime
async def test_while_the_store_is_away_it_waits_and_loses_nothing() -> None:
    stage = Stage(files("s3://data/in/", batch_size=3), data=FILES)
    stage.buckets["data"].range_limit = 5
    for store in (stage.store, stage.buckets["data"]):
        store.fail(9)
    assert await stage.run() == 7
    assert [item["n"] for item in stage.sqs.items] == list(range(20))


@pytest.mark.parametrize("op", ["list_page", "read_range"])
async def test_a_bucket_that_is_forbidden_is_a_fault(op: str) -> None:
    stage = Stage(files("s3://data/in/"), data=FILES)
    stage.buckets["data"].refuse(op)
    with pytest.raises(EnqueueFaultError, match="refused by the test"):
        await stage.run()


@pytest.mark.parametrize("search", [{"includes": ["["]}, {"excludes": ["nothing else **", "**"]}])
async def test_a_search_that_finds_nothing_or_is_none_is_a_fault(search: dict[str, Any]) -> None:
    with pytest.raises(EnqueueFaultError, match=r"no s3 files match search criteria|unexpected end"):
        await Stage(paths("s3://data", **search), data=FILES).run()
    with pytest.raises(EnqueueFaultError, match="not a valid s3 path"):
        await Stage(paths("data"), data=FILES).run()


async def test_the_queue_decides_how_large_a_batch_may_be() -> None:
    stage = Stage(items("x" * 400_000, 1))
    with pytest.raises(EnqueueFaultError, match=r"item 0: .* size of 400002 bytes exceeds the 262"):
        await stage.run()
    stage.sqs.max_bytes = 1 << 20
    assert await stage.run() == 1


async def test_a_checkpoint_that_cannot_be_read_ends_the_job() -> None:
    stage = Stage(items(1))
    stage.store.seed([(KEYS.checkpoint, b"{}")])
    with pytest.raises(EnqueueFaultError, match=r"checkpoint\.json"):
        await stage.run()


@pytest.mark.parametrize("op", ["get", "put", "delete"])
async def test_a_store_that_refuses_its_own_objects_ends_the_process(op: str) -> None:
    stage = Stage(items(1))
    stage.store.refuse(op)
    with pytest.raises(FatalError, match="cannot be"):
        await stage.run()


async def test_the_index_of_the_first_item_does_not_count_items_that_were_left_out() -> None:
    stage = Stage(files("s3://data", batch_size=2, on_bad_item="skip"), data={"a": b'1\n"\xff"\n2\n3\n4\n5\n'})
    await stage.run()
    found = [
        (entry["MessageBody"], entry["MessageAttributes"]["item_index"]["StringValue"]) for entry in stage.sqs.sent[:-1]
    ]
    assert found == [("[1,2]", "0"), ("[3,4]", "2"), ("[5]", "4")]


@pytest.mark.parametrize("search", [paths, files])
async def test_very_many_tiny_files_cost_a_checkpoint_for_a_thousand(search: Callable[..., Any]) -> None:
    count = 5_000
    data = {f"in/{number:05}": b"%d" % number for number in range(count)}
    stage = Stage(search("s3://data/in/", batch_size=100), data=data)
    assert await stage.run() == count // 100
    found = [int(str(item).removeprefix("s3://data/in/")) for item in stage.sqs.items]
    assert found == list(range(count))
    assert stage.store.journal.count(("put", KEYS.checkpoint)) <= count // windows.MAX_WINDOW_FILES + 1
