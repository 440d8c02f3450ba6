"""Results are read in the order of the items, whatever objects they are in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.core.errors import StoreDeniedError, StoreUnavailableError
from dequeuer.core.retry import Backoff, RetryPolicy
from dequeuer.jobs import result_lines, result_store
from dequeuer.jobs.output_buckets import OutputBuckets
from dequeuer.jobs.result_objects import FOLDERS, Folder, result_batches
from dequeuer.jobs.results import ResultReader
from dequeuer.jobs.s3_path import InvalidS3PathError
from dequeuer.sinks.base import Payload
from dequeuer.sinks.layout import output_keys
from tests.fakes import MemoryStore, chunked
from tests.jobs.stage import JOB, job_keys, job_spec

ONCE = RetryPolicy(backoff=Backoff(initial_s=0.0, max_s=0.0), max_attempts=1)
PATH = "s3://bucket/out"
KEYS = output_keys("out", JOB)
SKIPPING = replace(job_spec(), output_s3_path=PATH, on_bad_item="skip")


def reader(store: MemoryStore, retry: RetryPolicy = ONCE) -> ResultReader:
    return ResultReader(store, OutputBuckets("bucket", store, no_bucket, no_close), retry)


def no_bucket(name: str) -> MemoryStore:
    raise AssertionError(name)


async def no_close(_: object) -> None:
    raise AssertionError


async def read(store: MemoryStore, only: Folder | None = None) -> list[Any]:
    """Return the lines as they come, each of them JSON."""
    chunks = [chunk async for chunk in reader(store).read(job_keys(), SKIPPING, PATH, only)]
    text = b"".join(chunks)
    assert not text or text.endswith(b"\n")
    return [json.loads(line) for line in text.splitlines()]


def lines(indexes: Sequence[int], name: str = "result", value: object = None) -> bytes:
    return "".join(json.dumps({"index": at, name: value}, separators=(",", ":")) + "\n" for at in indexes).encode()


def seed(store: MemoryStore, objects: Mapping[str, bytes]) -> None:
    store.seed([(f"{KEYS.prefix}{name}.jsonl", body) for name, body in objects.items()])


@st.composite
def outcomes(draw: st.DrawFn) -> list[list[tuple[int, str]]]:
    """Batches of items; of each item the part that decided about it, and the folder."""
    return draw(
        st.lists(
            st.lists(st.tuples(st.integers(0, 12), st.sampled_from(["results", "errors"])), min_size=1, max_size=8),
            max_size=12,
        )
    )


@given(outcomes(), st.integers(1, 3), st.integers(1, 300), st.integers(1, 50))
async def test_every_item_has_its_line_in_order(
    batches: list[list[tuple[int, str]]], page_size: int, small_bytes: int, chunk_bytes: int
) -> None:
    class Store(MemoryStore):
        async def get(self, key: str) -> Payload:
            found = await super().get(key)
            return replace(found, chunks=chunked(self.objects[key][0], chunk_bytes))

    store, expected, first = Store(page_size=page_size), [], 0
    for index, items in enumerate(batches):
        seed(store, {f"results/{index:08}": b""})
        for part in range(13):
            for folder in ("results", "errors"):
                name = folder.removesuffix("s")
                found = [first + at for at, decided in enumerate(items) if decided == (part, folder)]
                if found:
                    stem = f"{index:08}-{part}" if part else f"{index:08}"
                    seed(store, {f"{folder}/{stem}": lines(found, name, "x" * 40)})
        expected += [(first + at, folder.removesuffix("s")) for at, (_, folder) in enumerate(items)]
        first += len(items)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(result_lines, "SMALL_BYTES", small_bytes)
        assert [(line["index"], list(line)[1]) for line in await read(store)] == expected
        for only in FOLDERS:
            wanted = [at for at, name in expected if f"{name}s" == only]
            assert [line["index"] for line in await read(store, only)] == wanted


async def test_what_is_there_so_far_can_be_read(store: MemoryStore) -> None:
    seed(store, {"results/00000003": lines([6, 7]), "results/00000001": lines([2, 3])})
    assert [line["index"] for line in await read(store)] == [2, 3, 6, 7]
    assert await read(MemoryStore()) == []


async def test_skipped_items_are_errors_without_an_index_and_come_last(store: MemoryStore) -> None:
    seed(store, {"results/00000000": lines([0])})
    own = job_keys()
    store.seed([(own.skipped(first), b'{"error":{"offset":%d}}\n' % first) for first in (0, 7)])
    skipped = [{"error": {"offset": 0}}, {"error": {"offset": 7}}]
    assert await read(store) == [{"index": 0, "result": None}, *skipped]
    assert await read(store, "errors") == skipped
    assert await read(store, "results") == [{"index": 0, "result": None}]


async def test_objects_of_others_are_left_out(store: MemoryStore) -> None:
    seed(store, {"results/0": b"x", "results/00000000-0": b"x", "results/00000000-x": b"x", "results/a/00000000": b"x"})
    store.seed([(KEYS.manifest, b"{}"), (f"{KEYS.prefix}results/00000000.json", b"x")])
    assert await read(store) == []


async def test_a_line_without_an_end_is_not_joined_to_the_next_one(store: MemoryStore) -> None:
    seed(store, {"results/00000000": lines([0])[:-1], "results/00000001": lines([1])})
    assert [line["index"] for line in await read(store)] == [0, 1]


async def test_lines_without_an_index_stay_behind_the_line_before_them(store: MemoryStore) -> None:
    seed(store, {"results/00000000": lines([0, 5]) + b'{"other":1}\n', "errors/00000000": lines([3, 9], "error")})
    assert [line.get("index") for line in await read(store)] == [0, 3, 5, None, 9]


@pytest.mark.parametrize("error", [StoreDeniedError("no", "AccessDenied"), StoreUnavailableError("away")])
@pytest.mark.parametrize("method", ["list_page", "get"])
async def test_errors_of_the_store_are_raised(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, method: str, error: Exception
) -> None:
    seed(store, {"results/00000000": lines([0])})

    async def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(store, method, fail)
    with pytest.raises(type(error)):
        await read(store)


async def test_an_object_that_is_gone_ends_the_reading_with_an_error(store: MemoryStore) -> None:
    seed(store, {"results/00000000": lines([0]), "results/00000001": lines([1])})
    listed = [batch async for batch in result_batches(store, KEYS)]
    assert [batch.index for batch in listed] == [0, 1]
    del store.objects[listed[1].objects[0].listed.key]

    async def batches() -> Any:
        for batch in listed:
            yield batch

    found: list[bytes] = []
    with pytest.raises(StoreUnavailableError, match="deleted while"):
        async for chunk in result_lines.result_lines(result_store.ResultStore(store, ONCE), batches()):
            found += [chunk]
    assert found == [lines([0])]


@pytest.mark.looptime
async def test_a_store_that_never_answers_ends_the_reading(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, looptime: float
) -> None:
    seed(store, {"results/00000000": lines([0])})

    async def hang(_: str) -> Payload:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(store, "get", hang)
    with pytest.raises(StoreUnavailableError, match="in time"):
        await read(store)
    assert looptime == result_store.CALL_TIMEOUT_S


async def test_reading_ahead_is_bounded(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_lines, "MAX_BYTES_AHEAD", 3 * len(lines([0])))
    seed(store, {f"results/{at:08}": lines([at % 10]) for at in range(100)})
    reads: list[str] = []
    get = store.get

    async def count(key: str) -> Payload:
        reads.append(key)
        return await get(key)

    monkeypatch.setattr(store, "get", count)
    chunks = reader(store).read(job_keys(), SKIPPING, PATH)
    await anext(chunks)
    assert len(reads) <= 3
    await chunks.aclose()


async def test_a_path_that_is_none_is_told(store: MemoryStore) -> None:
    with pytest.raises(InvalidS3PathError):
        [chunk async for chunk in reader(store).read(job_keys(), SKIPPING, "nowhere")]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()
