"""The start checks the permissions to list and write; later the same calls show that a refusal is over."""

from __future__ import annotations

import pytest

from dequeuer.core.errors import FatalError, StoreDeniedError
from dequeuer.core.events import StoreCalled
from dequeuer.sinks.access import harmless_store_calls, prove_access
from tests.fakes import MemoryStore, Recorder
from tests.opened import opened_by
from tests.sinks.fake_s3 import FakeS3, fake_s3, refusal
from tests.sinks.stores import connecting

BELOW = "uid/workloads/api/"
KEY = f"{BELOW}.dequeuer-write-check/result.json"


async def test_what_is_allowed_is_proved_and_nothing_is_written() -> None:
    store = MemoryStore()
    await prove_access(store, "bucket", BELOW)
    assert store.journal == [("check", KEY)]
    assert not store.objects


async def test_an_outage_at_start_up_is_waited_for() -> None:
    store = MemoryStore()
    store.fail(2)
    await prove_access(store, "bucket", BELOW)


@pytest.mark.parametrize(
    ("method", "operation", "wanted"),
    [("list", "ListObjectsV2", "s3:ListBucket"), ("check_write", "CreateMultipartUpload", "s3:PutObject")],
)
async def test_a_refusal_names_operation_bucket_prefix_and_permission(method: str, operation: str, wanted: str) -> None:
    store = MemoryStore()
    store.refuse(method)
    with pytest.raises(FatalError) as caught:
        await prove_access(store, "bucket-1", BELOW)
    text = str(caught.value)
    for part in (operation, "bucket-1", BELOW, wanted):
        assert part in text


async def check(fake: FakeS3, seen: Recorder) -> None:
    async with connecting("slim") as connect:
        await connect(fake.url, seen).check_write(KEY)


async def test_the_check_begins_an_upload_and_aborts_it() -> None:
    async with fake_s3() as fake:
        seen = Recorder()
        await check(fake, seen)
        assert fake.steps == ["begin", "abort"]
        assert not fake.uploads
        assert not fake.objects
        assert [(event.op, event.error) for event in seen.of(StoreCalled)] == [("put", None)]


@pytest.mark.parametrize("code", ["AccessDenied", "KMS.DisabledException"])
async def test_a_refused_check_reports_code_and_key(code: str) -> None:
    async with fake_s3() as fake:
        fake.before = lambda asked: refusal(403, code) if asked.step == "begin" else None
        seen = Recorder()
        with pytest.raises(StoreDeniedError) as caught:
            await check(fake, seen)
        assert caught.value.code == code
        [event] = seen.of(StoreCalled)
        assert (event.error, event.code, event.key) == ("denied", code, KEY)


@pytest.mark.parametrize(("status", "code"), [(501, "NotImplemented"), (405, "MethodNotAllowed")])
async def test_a_store_without_multipart_uploads_is_no_refusal(status: int, code: str) -> None:
    async with fake_s3() as fake:
        fake.before = lambda _asked: refusal(status, code)
        await check(fake, Recorder())


async def test_an_abort_that_is_refused_is_left_to_the_rule_of_the_bucket() -> None:
    async with fake_s3() as fake:
        fake.before = lambda asked: refusal(403, "AccessDenied") if asked.step == "abort" else None
        await check(fake, Recorder())


async def test_each_try_asks_about_the_key_that_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    opened = opened_by(store, monkeypatch)
    tries = harmless_store_calls(store, BELOW)
    await tries["s3", "put"]("uid/workloads/api/r1/result.json")
    await tries["s3", "put"]("")
    await tries["s3", "list"]("uid/workloads/api/r1/")
    await tries["s3", "get"]("uid/workloads/api/gone/payload")
    store.seed([("k", b"x" * 100_000)])
    await tries["s3", "get"]("k")
    assert opened == []
    assert store.journal == [("check", "uid/workloads/api/r1/result.json"), ("check", KEY)]
    store.refuse("get", "list", "check_write")
    for attempt in tries.values():
        with pytest.raises(StoreDeniedError):
            await attempt("k")
