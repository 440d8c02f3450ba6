from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

import pytest

from dequeuer.core import clock
from dequeuer.core.errors import SourceUnavailableError, StoreUnavailableError
from dequeuer.gateway.errors import BusyError, GatewayError
from dequeuer.gateway.idempotency import RECHECK_S, TAKE_OVER_S
from dequeuer.gateway.idempotency_key import (
    IdempotencyKey,
    InvalidKeyError,
    KeyInUseError,
    KeyReusedError,
    read_key,
)
from dequeuer.gateway.model import Submission, SubmitResult
from dequeuer.gateway.queue import NO_ATTRIBUTES
from dequeuer.gateway.routes import make_app
from dequeuer.gateway.service import MAX_BUFFERED_BYTES, Gateway
from dequeuer.sinks.base import Check, ListedPage, Payload, unchecked
from tests.fakes import MemoryStore, chunked
from tests.gateway.fakes import PREFIX, URL, FakeQueue, Store, make_gateway, serving

KEY = IdempotencyKey(caller="", value="k1")
RECORD = f"{PREFIX}_keys/{KEY.digest}"
BIG = b"x" * (MAX_BUFFERED_BYTES + 100_000)
SMALL = b'{"a":1}'


def submission(payload: bytes, request_id: str, content_type: str = "application/json") -> Submission:
    return Submission(
        api_name="api",
        request_id=request_id,
        queue_url=URL,
        headers=b"{}\n",
        content_type=content_type,
        size=None,
        body=chunked(payload),
    )


@dataclass
class Cloud:
    """A store and a queue. Before each call, `before` may raise or wait; after it, `after`."""

    memory: MemoryStore = field(default_factory=MemoryStore)
    sent: list[str] = field(default_factory=list)
    marked: list[object] = field(default_factory=list)
    before: Callable[[str], None] = lambda _call: None
    pause: Callable[[], float] = lambda: 0.0
    after: Callable[[str], None] = lambda _call: None

    async def _begin(self, call: str) -> None:
        self.before(call)
        if pause := self.pause():
            await asyncio.sleep(pause)

    async def _end(self, call: str) -> None:
        if pause := self.pause():
            await asyncio.sleep(pause)
        self.after(call)

    async def get(self, key: str) -> Payload:
        await self._begin("get")
        found = await self.memory.get(key)
        await self._end("get")
        return found

    async def list(self, prefix: str) -> Sequence[str]:
        await self._begin("list")
        return await self.memory.list(prefix)

    async def list_page(self, prefix: str, *, after: str = "", token: str = "") -> ListedPage:
        await self._begin("list")
        found = await self.memory.list_page(prefix, after=after, token=token)
        await self._end("list")
        return found

    async def put(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> None:
        await self._begin("put")
        await self.memory.put(key, body, content_type, check=check)
        await self._end("put")

    async def create(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> bool:
        await self._begin("create")
        is_written = await self.memory.create(key, body, content_type, check=check)
        await self._end("create")
        return is_written

    async def put_stream(
        self,
        key: str,
        body: AsyncIterator[bytes],
        content_type: str,
        *,
        size: int | None = None,
        check: Check = unchecked,
    ) -> bool:
        whole = b"".join([chunk async for chunk in body])
        await self._begin("put_stream")
        is_written = await self.memory.create(key, whole, content_type, check=check)
        await self._end("put_stream")
        return is_written

    async def delete(self, keys: Collection[str]) -> None:
        await self._begin("delete")
        await self.memory.delete(keys)
        await self._end("delete")

    async def send(
        self, queue_url: str, request_id: str, body: str, *, may_repeat: bool, attributes: object = NO_ATTRIBUTES
    ) -> None:
        await self._begin("send")
        self.sent.append(request_id)
        self.marked.append(may_repeat)
        await self._end("send")

    def gateway(self, inline_bytes: int = 0) -> Gateway:
        return Gateway(
            sink=self,
            reads=self,
            queue=self,
            cluster_uid="uid",
            max_payload_bytes=1 << 20,
            inline_bytes=inline_bytes,
        )


async def submit(cloud: Cloud, payload: bytes, request_id: str, inline_bytes: int = 0) -> SubmitResult:
    return await cloud.gateway(inline_bytes).submit_once(submission(payload, request_id), KEY, may_exist=False)


@pytest.mark.parametrize(
    ("text", "value"),
    [('"abc"', "abc"), ("abc", "abc"), (r'"a\"b\\c"', r"a\b\c".replace("a\\b", 'a"b')), ('" "', " "), ("x" * 255,) * 2],
)
def test_what_a_key_is(text: str, value: str) -> None:
    assert read_key([text], "") == IdempotencyKey(caller="", value=value)


@pytest.mark.parametrize(
    "texts", [[""], ['""'], ['"'], ['"a'], ["a b"], ["a,b"], ["a;b"], ["é"], ["x" * 256], ['"a\\b"'], ["a", "a"]]
)
def test_what_a_key_is_not(texts: list[str]) -> None:
    with pytest.raises(InvalidKeyError):
        read_key(texts, "")


def test_callers_and_keys_are_told_apart() -> None:
    assert read_key([], "") is None
    digests = {IdempotencyKey(caller=caller, value=value).digest for caller in ("", "a", "b") for value in ("k", "l")}
    assert len(digests) == 6


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


@dataclass
class Answers:
    """What clients were told for one key."""

    ids: dict[bytes, set[str]] = field(default_factory=dict)
    enqueued: list[bool] = field(default_factory=list)


async def _submit_and_note(
    cloud: Cloud, payload: bytes, request_id: str, inline_bytes: int, answers: Answers, cut_after_s: float | None = None
) -> None:
    task = asyncio.create_task(submit(cloud, payload, request_id, inline_bytes))
    if cut_after_s is not None:
        asyncio.get_running_loop().call_later(cut_after_s, task.cancel)
    try:
        result = await task
    except (GatewayError, asyncio.CancelledError):
        return
    answers.ids.setdefault(payload, set()).add(result.request_id)
    answers.enqueued.append(result.request_id in cloud.sent)


async def _client(cloud: Cloud, rng: random.Random, number: int, answers: Answers, *, cuts: bool) -> None:
    """One client, which sends one of three payloads again and again."""
    payload = rng.choice([SMALL, SMALL, SMALL, BIG, b"other"])
    for attempt in range(4):
        await asyncio.sleep(rng.choice([0, 0, 0.5, 5, 400]))
        cut_after_s = rng.random() * 3 if cuts and rng.random() < 0.2 else None
        inline_bytes = rng.choice([0, 4096])
        await _submit_and_note(cloud, payload, f"id-{number}-{attempt}", inline_bytes, answers, cut_after_s)


@pytest.mark.looptime
@pytest.mark.parametrize("hundred", range(2))
async def test_gateways_that_race_answer_one_id(hundred: int, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    first = int(os.environ.get("IDEMPOTENCY_SEED", "0")) + 100 * hundred
    for seed in range(first, first + 100):
        rng = random.Random(seed)

        def wall(rng: random.Random = rng) -> float:
            return 1e9 + loop.time() + rng.choice([-100, 0, 100])

        def pause(rng: random.Random = rng) -> float:
            return rng.random() * 0.4

        monkeypatch.setattr(clock, "wall", wall)
        cloud, answers = Cloud(pause=pause), Answers()
        rate, cuts = rng.choice([0, 0.02, 0.1]), rng.random() < 0.5

        def fail(call: str, rng: random.Random = rng, rate: float = rate) -> None:
            if rng.random() < rate:
                raise (SourceUnavailableError if call == "send" else StoreUnavailableError)(call)

        cloud.before = cloud.after = fail
        async with asyncio.TaskGroup() as group:
            for number in range(6):
                group.create_task(_client(cloud, rng, number, answers, cuts=cuts))
        assert len(set(cloud.sent)) <= 1, (seed, cloud.sent)
        if not rate and not cuts:
            assert len(cloud.sent) == 1, (seed, cloud.sent)
        cloud.before = cloud.after = lambda _call: None
        await asyncio.sleep(2 * TAKE_OVER_S)
        for payload in (SMALL, b"other", BIG):
            await _submit_and_note(cloud, payload, f"id-last-{len(payload)}", 4096, answers)
        # In the end one payload has the key, one id, and its message was sent.
        assert len(answers.ids) == 1, (seed, answers.ids)
        told = set().union(*answers.ids.values())
        assert told == set(cloud.sent), (seed, answers.ids, cloud.sent)
        assert len(told) == 1, (seed, answers.ids)
        assert all(answers.enqueued), seed


async def test_over_http(store: Store, queue: FakeQueue) -> None:
    async with serving(make_app(make_gateway(store, queue), {"api": URL})) as http:
        headers = {"Idempotency-Key": '"k1"', "Content-Type": "text/plain"}
        texts = []
        for _ in range(2):
            async with http.post("/api", data=b"one", headers=headers) as answer:
                assert answer.status == 200
                texts.append(await answer.text())
        assert texts[0] == texts[1]
        async with http.post("/api", data=b"two", headers=headers) as answer:
            problem = await answer.json(content_type="application/problem+json")
            assert (answer.status, problem["status"], problem["code"]) == (422, 422, "idempotency_key_reused")
        async with http.post("/api", data=b"two", headers={"Idempotency-Key": "a b"}) as answer:
            problem = await answer.json(content_type="application/problem+json")
            assert (answer.status, problem["code"]) == (400, "invalid_idempotency_key")
        record = json.loads(store.objects[RECORD][0])
        store.objects[RECORD] = (json.dumps(record | {"state": "storing", "at": time.time()}).encode(), None)
        async with http.post("/api", data=b"one", headers=headers) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (409, "1")
        store.objects[RECORD] = (b"[", None)
        async with http.post("/api", data=b"one", headers=headers) as answer:
            assert answer.status == 503
    assert len(queue.sent) == 1
