from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from dequeuer.core import clock
from dequeuer.core.errors import SourceUnavailableError
from dequeuer.gateway.application import make_app
from dequeuer.gateway.errors import BusyError
from dequeuer.gateway.idempotency import RECHECK_S, TAKE_OVER_S
from dequeuer.gateway.idempotency_key import KeyInUseError, KeyReusedError
from tests.gateway.fakes import PREFIX, URL, FakeQueue, Store, make_gateway, serving
from tests.gateway.idempotency import BIG, KEY, RECORD, SMALL, Cloud, submission, submit


@pytest.mark.parametrize("payload", [b"", SMALL, BIG], ids=["empty", "small", "big"])
@pytest.mark.parametrize("inline_bytes", [0, 4096])
async def test_the_same_key_and_payload_are_one_request(payload: bytes, inline_bytes: int) -> None:
    cloud = Cloud()
    first = await submit(cloud, payload, "id1", inline_bytes)
    assert (first.request_id, first.existing_status) == ("id1", None)
    again = await submit(cloud, payload, "id2", inline_bytes)
    assert (again.request_id, again.existing_status, again.size) == ("id1", "stored", len(payload))
    assert (cloud.sent, cloud.marked) == (["id1"], [True])
    record = json.loads(cloud.memory.objects[RECORD][0])
    assert (record["id"], record["state"], len(record["sha256"])) == ("id1", "stored", 64)
    assert not [key for key in cloud.memory.objects if "id2" in key]


@pytest.mark.parametrize("first", [SMALL, BIG], ids=["small", "big"])
@pytest.mark.parametrize("other", [b"other", BIG + b"other"], ids=["small", "big"])
async def test_another_payload_is_refused(first: bytes, other: bytes) -> None:
    cloud = Cloud()
    await submit(cloud, first, "id1")
    with pytest.raises(KeyReusedError):
        await submit(cloud, other, "id2")
    with pytest.raises(KeyReusedError):
        await cloud.gateway().submit_once(submission(first, "id3", "text/plain"), KEY, may_exist=False)
    assert cloud.sent == ["id1"]


@pytest.mark.looptime
@pytest.mark.parametrize("payload", [SMALL, BIG], ids=["small", "big"])
async def test_while_the_first_is_being_stored_the_second_waits(payload: bytes) -> None:
    cloud = Cloud(pause=lambda: 1.0)
    first = asyncio.create_task(submit(cloud, payload, "id1"))
    await asyncio.sleep(2.5)
    cloud.pause = lambda: 0.0
    with pytest.raises(KeyInUseError):
        await submit(cloud, payload, "id2")
    assert (await first).request_id == "id1"
    assert (await submit(cloud, payload, "id3")).request_id == "id1"
    assert cloud.sent == ["id1"]


class KilledError(BaseException):
    """The gateway is gone: it writes nothing more."""


def kill_all(_call: str) -> None:
    raise KilledError


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_700_000_000.0]
    monkeypatch.setattr(clock, "wall", lambda: now[0])
    return now


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("payload", [SMALL, BIG], ids=["small", "big"])
@pytest.mark.parametrize("inline_bytes", [0, 4096])
async def test_killed_at_any_call_the_next_one_goes_on_with_the_same_id(
    wall: list[float], when: str, payload: bytes, inline_bytes: int
) -> None:
    at, is_over = 0, False
    while not is_over:
        cloud, left = Cloud(), [at]

        def kill(_call: str, cloud: Cloud = cloud, left: list[int] = left) -> None:
            if left[0] <= 0:
                cloud.before = kill_all
                raise KilledError
            left[0] -= 1

        setattr(cloud, when, kill)
        try:
            await submit(cloud, payload, "id1", inline_bytes)
            is_over = True
        except KilledError:
            pass
        cloud.before = cloud.after = lambda _call: None
        claimed = RECORD in cloud.memory.objects
        is_stored = claimed and json.loads(cloud.memory.objects[RECORD][0])["state"] == "stored"
        if claimed and not is_stored:
            with pytest.raises(KeyInUseError):
                await submit(cloud, payload, "id2", inline_bytes)
        wall[0] += TAKE_OVER_S + 1
        if claimed and not is_stored and payload is SMALL:
            with pytest.raises(KeyReusedError):
                await submit(cloud, b"other", "id3", inline_bytes)
        result = await submit(cloud, payload, "id4", inline_bytes)
        assert result.request_id == ("id1" if claimed else "id4")
        assert set(cloud.sent) == {result.request_id}
        assert set(cloud.marked) == {True}
        assert (await submit(cloud, payload, "id5", inline_bytes)).request_id == result.request_id
        at += 1
    assert at > 4


@pytest.mark.looptime
@pytest.mark.parametrize("payload", [SMALL, BIG], ids=["small", "big"])
async def test_a_submission_that_fails_gives_its_key_up_but_not_its_id(payload: bytes) -> None:
    cloud = Cloud()

    def fail(call: str) -> None:
        if call == "send":
            raise SourceUnavailableError("x")

    cloud.after = fail  # the message is in the queue all the same
    with pytest.raises(BusyError):
        await submit(cloud, payload, "id1")
    cloud.after = lambda _call: None
    assert (await submit(cloud, payload, "id2")).request_id == "id1"
    assert set(cloud.sent) == {"id1"}


async def test_a_slow_gateway_whose_claim_was_taken_over_sends_nothing(wall: list[float]) -> None:
    cloud = Cloud()
    reached, resume = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield BIG
        reached.set()
        await resume.wait()

    body = replace(submission(b"", "id1"), body=slow())
    first = asyncio.create_task(cloud.gateway().submit_once(body, KEY, may_exist=False))
    await reached.wait()
    wall[0] += TAKE_OVER_S + RECHECK_S
    assert (await submit(cloud, BIG, "id2")).request_id == "id1"
    resume.set()
    with pytest.raises(KeyInUseError):
        await first
    assert cloud.sent == ["id1"]
    assert (await submit(cloud, BIG, "id3")).request_id == "id1"


async def test_the_payload_that_a_killed_gateway_stored_is_the_one_that_counts(wall: list[float]) -> None:
    cloud = Cloud()

    def kill(call: str) -> None:
        if call == "put_stream":
            cloud.before = cloud.after = kill_all
            raise KilledError

    cloud.after = kill
    with pytest.raises(KilledError):
        await submit(cloud, BIG, "id1")
    cloud.before = cloud.after = lambda _call: None
    wall[0] += TAKE_OVER_S + 1
    for other in (SMALL, BIG + b"y"):
        with pytest.raises(KeyReusedError):
            await submit(cloud, other, "id2", inline_bytes=4096)
    assert cloud.memory.objects[f"{PREFIX}id1/payload"][0] == BIG
    assert cloud.sent == []
    assert (await submit(cloud, BIG, "id3")).request_id == "id1"


async def test_a_gateway_that_sends_no_payloads_stores_the_one_that_another_had_put_into_its_message(
    wall: list[float],
) -> None:
    cloud = Cloud()

    def kill(call: str) -> None:
        if call == "send":
            cloud.before = kill_all
            raise KilledError

    cloud.before = kill
    with pytest.raises(KilledError):
        await submit(cloud, SMALL, "id1", inline_bytes=4096)
    cloud.before = lambda _call: None
    wall[0] += TAKE_OVER_S + 1
    assert (await submit(cloud, SMALL, "id2")).request_id == "id1"
    assert cloud.memory.objects[f"{PREFIX}id1/payload"][0] == SMALL
    assert f"{PREFIX}id1/headers.json" in cloud.memory.objects
    assert cloud.sent == ["id1"]


async def test_a_payload_that_was_stored_and_refused_is_replaced_by_the_one_of_the_key(wall: list[float]) -> None:
    cloud = Cloud()

    def kill(call: str) -> None:
        cloud.before = kill_all if call == "create" else cloud.before
        if call == "create":
            raise KilledError

    cloud.after = kill
    with pytest.raises(KilledError):
        await submit(cloud, SMALL, "id1")
    cloud.before = cloud.after = lambda _call: None
    wall[0] += TAKE_OVER_S + 1
    with pytest.raises(KeyReusedError):
        await submit(cloud, BIG, "id2")
    assert cloud.memory.objects[f"{PREFIX}id1/payload"][0] == BIG

    def fail(call: str) -> None:
        if call == "send":
            raise SourceUnavailableError("away")

    cloud.before = fail
    with pytest.raises(BusyError):
        await submit(cloud, SMALL, "id3", inline_bytes=4096)
    cloud.before = lambda _call: None
    assert (await submit(cloud, SMALL, "id4")).request_id == "id1"
    assert cloud.memory.objects[f"{PREFIX}id1/payload"][0] == SMALL


@pytest.mark.parametrize(
    ("age_s", "retry_after_s", "left_s"),
    [(-100, 1, 301), (0, 1, 301), (0.2, 1, 300), (20, 20, 281), (150, 150, 151), (200, 101, 101), (299.5, 1, 1)],
)
async def test_a_key_in_use_says_when_to_come_again(
    store: Store, queue: FakeQueue, wall: list[float], age_s: float, retry_after_s: int, left_s: int
) -> None:
    claim = {"id": "id1", "sha256": None, "state": "storing", "at": wall[0] - age_s, "by": "another"}
    store.objects[RECORD] = (json.dumps(claim).encode(), None)
    async with serving(make_app(make_gateway(store, queue), {"api": URL})) as http:
        headers = {"Idempotency-Key": '"k1"'}
        async with http.post("/api", data=b"one", headers=headers) as answer:
            problem = await answer.json(content_type="application/problem+json")
            assert (answer.status, problem["code"]) == (409, "idempotency_key_in_use")
            assert answer.headers["Retry-After"] == str(retry_after_s)
            assert f"succeeds in {left_s} s" in problem["detail"]
        wall[0] += left_s
        async with http.post("/api", data=b"one", headers=headers) as answer:
            # It is not later than said, unless this clock is behind that of the gateway which was killed.
            assert answer.status == (200 if age_s >= 0 else 409)
    assert len(queue.sent) == (age_s >= 0)


async def test_over_http(store: Store, queue: FakeQueue) -> None:
    async with serving(make_app(make_gateway(store, queue), {"api": URL})) as http:
        headers = {"Idempotency-Key": '"k1"', "Content-Type": "text/plain"}
        texts = []
        for _ in range(2):
            async with http.post("/api", data=b"one", headers=headers) as answer:
                assert answer.status == 200
                texts.append(await answer.text())
        assert texts[0] == texts[1]
        stored = store.objects[f"{PREFIX}{json.loads(texts[0])['id']}/headers.json"][0]
        assert json.loads(stored)["Idempotency-Key"] == ['"k1"']  # the container may want it, too
        async with http.post("/api", data=b"two", headers=headers) as answer:
            problem = await answer.json(content_type="application/problem+json")
            assert (answer.status, problem["status"], problem["code"]) == (422, 422, "idempotency_key_reused")
        async with http.post("/api", data=b"two", headers={"Idempotency-Key": "a b"}) as answer:
            problem = await answer.json(content_type="application/problem+json")
            assert (answer.status, problem["code"]) == (400, "invalid_idempotency_key")
        store.objects[RECORD] = (b"[", None)
        async with http.post("/api", data=b"one", headers=headers) as answer:
            assert answer.status == 503
    assert len(queue.sent) == 1
