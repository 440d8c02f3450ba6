"""Results by item: one line for each item, whatever the container answers and whenever the process is killed."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.core.errors import (
    ContainerTimeoutError,
    ContainerUnavailableError,
    LeaseLostError,
    SourceDeniedError,
    StoreUnavailableError,
)
from dequeuer.core.events import BatchEnded, BatchFailed, ItemsFailed
from dequeuer.core.message import Done, Outcome, Reject, Retry
from dequeuer.handlers.batch_api import answer
from dequeuer.handlers.response_body import TOTAL_BUFFER_BYTES
from dequeuer.sinks.base import Check, unchecked
from tests.fakes import SwitchFence
from tests.handlers.batch_api.stage import KEYS, Job, Killer, MortalStore, array, doubled, partial
from tests.handlers.stage import Reply

pytestmark = pytest.mark.looptime

FAILED = {"code": "item_failed", "message": "bad", "attempts": 1}


def states(outcomes: list[Outcome]) -> list[str]:
    return [outcome.state if isinstance(outcome, Done) else type(outcome).__name__ for outcome in outcomes]


async def test_each_item_is_a_line_with_its_index_in_the_job_before_the_acknowledgement() -> None:
    job = Job(lambda _: Reply(body=b'[ 1.50, {"a" : "x y"},\n 12345678901234567890 ]'))
    job.enqueue(12, 1, 2, 3, first=36)
    assert states(await job.work()) == ["succeeded"]
    key = "out/67f0/results/00000012.jsonl"
    assert job.store.journal == [("put", key)]
    assert job.store.objects[key] == (
        b'{"index":36,"result":1.50}\n{"index":37,"result":{"a":"x y"}}\n{"index":38,"result":12345678901234567890}\n',
        "application/x-ndjson",
    )
    assert [event.succeeded for event in job.seen.of(BatchEnded)] == [True]


async def test_an_empty_batch_has_an_empty_object() -> None:
    job = Job(doubled)
    job.enqueue(0)
    await job.work()
    assert job.text(KEYS.results("00000000")) == b""


WRONG = {
    "too few": b"[1]", "too many": b"[1,2,3]", "no array": b"{}", "a number": b"1", "no JSON": b"[1,2", "null": b"null",
    "two arrays": b"[1,2][1,2]", "NaN": b"[NaN,1]", "empty": b"", "results of another type": b'{"results":{}}',
    "failures alone": b'{"failures":[]}', "another field": b'{"results":[1,2],"more":1}',
    "failures of another type": b'{"results":[1,2],"failures":{}}', "partial, too few": b'{"results":[1]}',
    "a failure without an index": b'{"results":[null,2],"failures":[{"error":"x"}]}',
    "an index that is none": b'{"results":[null,2],"failures":[{"index":true,"error":"x"}]}',
    "an index outside": b'{"results":[null,2],"failures":[{"index":2,"error":"x"}]}',
    "a negative index": b'{"results":[null,2],"failures":[{"index":-1,"error":"x"}]}',
    "an index twice": b'{"results":[null,2],"failures":[{"index":0,"error":"x"},{"index":0,"error":"x"}]}',
    "an error that is no text": b'{"results":[null,2],"failures":[{"index":0,"error":{}}]}',
    "retry that is no boolean": b'{"results":[null,2],"failures":[{"index":0,"error":"x","retry":1}]}',
    "a result and a failure": b'{"results":[1,2],"failures":[{"index":0,"error":"x"}]}',
}  # fmt: skip


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
async def test_anything_else_is_a_failed_attempt(body: bytes) -> None:
    job = Job(lambda _: Reply(body=body), max_receives=3)
    job.enqueue(0, 1, 2)
    message = job.queue.receive()
    assert message is not None
    outcome = await job.process().handle(message, job.fence)
    assert isinstance(outcome, Reject)
    assert outcome.code == "invalid_result"
    assert not job.store.objects
    assert [event.succeeded for event in job.seen.of(BatchEnded)] == [False]


async def test_an_answer_above_the_limit_is_a_failed_attempt() -> None:
    job = Job(lambda _: array(["x" * 5 * 1024 * 1024]))
    job.enqueue(0, 1)
    [outcome] = await job.work()
    assert "DEQUEUER_MAX_RESULT_BYTES" in outcome.reason
    assert job.errors[0]["code"] == "invalid_result"


@pytest.mark.parametrize("size", [60_000, 600_000, 1_000_000, 3_900_000])
async def test_answers_of_all_sizes_are_stored(size: int) -> None:
    job = Job(lambda items: array([str(item) * (size // 2) for item in items]))
    job.enqueue(0, 1, 2)
    await job.work()
    assert job.results == {0: "1" * (size // 2), 1: "2" * (size // 2)}


async def test_a_large_array_of_the_wrong_length_stores_nothing() -> None:
    job = Job(lambda _: array(["x" * 1_500_000]), max_receives=3)
    job.enqueue(0, 1, 2)
    assert states(await job.work()) == ["Reject", "Reject", "Reject"]
    assert set(job.errors) == {0, 1}


async def test_items_that_failed_are_errors_and_are_recorded() -> None:
    job = Job(lambda _: partial([None, 4, None], (2, "bad", False), (0, "worse", False)))
    job.enqueue(3, 1, 2, 3, first=9)
    assert states(await job.work()) == ["succeeded"]
    assert job.results == {10: 4}
    assert job.errors == {9: FAILED | {"message": "worse"}, 11: FAILED}
    assert job.text(KEYS.errors("00000003")).splitlines()[0] == (
        b'{"index":9,"error":{"code":"item_failed","message":"worse","attempts":1}}'
    )
    assert job.failures["00000003"]["items"] == 2
    assert job.seen.of(ItemsFailed) == [ItemsFailed(items=2)]


@pytest.mark.parametrize("size", [10, 1_200_000])
async def test_items_to_be_tried_again_are_a_batch_of_their_own(size: int) -> None:
    def flaky(items: list[Any]) -> Reply:
        if items == [6]:
            return array([12])
        if len(items) == 3:
            return partial(["x" * size, None, None], (1, "later", True), (2, "later", True))
        return partial([10, None], (1, "later", True))

    job = Job(flaky, max_attempts=4)
    job.enqueue(1, 4, 5, 6, first=4)
    assert states(await job.work()) == ["succeeded"] * 3
    assert job.results == {4: "x" * size, 5: 10, 6: 12}
    assert not job.errors
    assert not job.failures
    assert [request.body for request in job.container.requests] == [b"[4, 5, 6]", b"[5,6]", b"[6]"]
    names = sorted(key.removeprefix(KEYS.prefix) for key in job.store.objects)
    assert names == [f"results/{name}.jsonl" for name in ("00000001-1", "00000001-2", "00000001")]
    # A batch of the job succeeded; what was tried again is no other batch.
    assert [event.succeeded for event in job.seen.of(BatchEnded)] == [True]


async def test_an_item_is_tried_max_attempts_times() -> None:
    job = Job(lambda items: partial([None] * len(items), *((at, "bad", True) for at in range(len(items)))))
    job.enqueue(0, 1, 2)
    await job.work()
    assert len(job.container.requests) == 3
    assert job.errors == dict.fromkeys((0, 1), FAILED | {"attempts": 3})


async def test_items_that_do_not_fit_into_a_message_any_more_fail() -> None:
    job = Job(lambda _: partial([None, 2], (0, "bad", True)))
    job.queue.max_message_bytes = 40
    job.enqueue(0, 1, 2)
    await job.work()
    assert job.errors == {0: FAILED}


@pytest.mark.parametrize(("max_receives", "attempts"), [(None, 1), (1, 1), (4, 4)])
@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(status=500), "container_status"),
        (Reply(error=ContainerTimeoutError("too long")), "timeout"),
        (Reply(body=b"1"), "invalid_result"),
    ],
)
async def test_a_batch_that_failed_for_good_is_errors_of_all_its_items(
    max_receives: int | None, attempts: int, reply: Reply, code: str
) -> None:
    job = Job(lambda _: reply, max_receives=max_receives)
    job.enqueue(0, 1, 2)
    assert states(await job.work()) == ["Reject"] * attempts
    assert set(job.errors) == {0, 1}
    assert {(error["code"], error["attempts"]) for error in job.errors.values()} == {(code, attempts)}
    assert job.failures["00000000"]["items"] == 2
    assert job.failures["00000000"]["error"] == job.errors[0]


async def test_the_last_release_moves_a_batch_away_too() -> None:
    job = Job(lambda _: Reply(status=503), max_receives=2)
    job.enqueue(0, 1)
    assert states(await job.work()) == ["Retry", "Retry"]
    assert job.errors[0]["code"] == "released"
    assert job.queue.dead


async def test_without_a_redrive_policy_a_release_is_no_failure() -> None:
    replies = [Reply(status=503)] * 9 + [array([2])]
    job = Job(lambda _: replies.pop(0))
    job.enqueue(0, 1)
    await job.work()
    assert (job.results, job.failures) == ({0: 2}, {})


@pytest.mark.parametrize("keeps_results", [False, True])
async def test_poison_is_recorded_by_the_id_of_its_message(keeps_results: bool) -> None:
    job = Job(doubled, keeps_results=keeps_results)
    job.queue.put("../m 1", "no array", {})
    assert states(await job.work()) == ["Reject"]
    [(name, record)] = job.failures.items()
    assert name == "message-m1"
    assert record["error"]["code"] == "invalid_message"
    assert "no array" not in json.dumps(record)


ATTRIBUTES: list[dict[str, str]] = [
    {},
    {"batch_index": "1"},
    {"batch_index": "x", "item_index": "1"},
    {"batch_index": "1", "item_index": "-1"},
    {"batch_index": "1", "batch_part": "1"},
    {"batch_index": "1", "batch_part": "1", "item_indexes": "1-999999999999999"},
    {"batch_index": "1", "batch_part": "1", "item_indexes": "1,1"},
    {"batch_index": "1", "batch_part": "1", "item_indexes": "2-1,5-6"},
    {"batch_index": "1", "batch_part": "1", "item_indexes": "1," * 9},
]


@pytest.mark.parametrize("attributes", ATTRIBUTES)
async def test_a_message_that_does_not_say_which_items_it_has_is_poison(attributes: dict[str, str]) -> None:
    job = Job(doubled)
    job.queue.put("m", "[1,2]", attributes)
    [outcome] = await job.work()
    assert isinstance(outcome, Reject)
    assert outcome.poison
    assert not job.container.requests
    assert not job.lines("results")
    assert not job.lines("errors")


async def test_without_results_the_answer_is_ignored_and_batches_that_fail_are_recorded() -> None:
    job = Job(lambda items: Reply(body=b"not JSON", status=200 if items == [1] else 500), keeps_results=False)
    job.enqueue(0, 1)
    job.enqueue(1, 2, 3)
    assert states(await job.work()) == ["succeeded", "Reject"]
    assert set(job.store.objects) == {"uid/failures/00000001.json"}
    assert job.failures["00000001"]["items"] == 2


async def test_a_second_delivery_of_what_is_stored_does_not_call_the_container() -> None:
    job = Job(doubled)
    job.enqueue(0, 1)
    message = job.queue.receive()
    assert message is not None
    await job.process().handle(message, job.fence)
    assert states(await job.work()) == ["already_finished"]
    assert len(job.container.requests) == 1


async def test_a_message_that_was_sent_again_may_have_been_finished_before() -> None:
    """Its receive count is 1: only the mark of a copy tells that it is not new."""
    job = Job(doubled)
    job.enqueue(0, 1)
    message = job.queue.receive()
    assert message is not None
    await job.process().handle(message, job.fence)
    copy = replace(message, id="copy", receive_count=1, may_repeat=True)
    assert states([await job.process().handle(copy, job.fence)]) == ["already_finished"]
    assert len(job.container.requests) == 1


async def test_another_message_with_the_same_batch_replaces_and_adds_nothing() -> None:
    job = Job(doubled)
    job.enqueue(0, 1, 2)
    await job.work()
    stored = dict(job.store.objects)
    job.container.answer = lambda _: partial([None, 9], (0, "bad", False))
    job.queue.put("again", "[1, 2]", {"batch_index": "0", "item_index": "0"})
    assert states(await job.work()) == ["succeeded"]
    assert job.store.objects == stored


async def test_while_the_store_refuses_or_is_away_the_answer_is_kept() -> None:
    job = Job(doubled)
    job.enqueue(0, 1)
    job.store.fail(3)
    await job.work()
    job.enqueue(1, 2)
    job.store.fail(3, StoreUnavailableError("away"))
    await job.work()
    assert job.results == {0: 2, 1: 4}
    assert len(job.container.requests) == 2


async def test_a_large_answer_that_the_store_refuses_is_released() -> None:
    job = Job(lambda _: array(["x" * 2_000_000]))
    job.store.refuse("put_stream")
    job.enqueue(0, 1)
    for receives in (1, 2):
        message = job.queue.receive()
        assert message is not None
        outcome = await job.process().handle(message, job.fence)
        assert isinstance(outcome, Retry)
        assert outcome.after_s == 60
        assert message.receive_count == receives
    job.store.allow()
    await job.work()
    assert job.results == {0: "x" * 2_000_000}


async def test_a_refused_message_is_released_and_sent_by_the_next_delivery() -> None:
    job = Job(lambda items: partial([1, None], (1, "later", True)) if len(items) == 2 else array([7]))
    job.queue.failures = [SourceDeniedError("denied", "AccessDenied")]
    job.enqueue(0, 1, 2)
    assert states(await job.work()) == ["Retry", "already_finished", "succeeded"]
    assert job.results == {0: 1, 1: 7}


async def test_items_whose_message_is_refused_until_the_last_receive_are_recorded() -> None:
    job = Job(lambda _: partial([1, None, None], (1, "later", True), (2, "later", True)), max_receives=3)
    job.queue.failures = [SourceDeniedError("no permission to send", "AccessDenied")] * 99
    job.enqueue(4, 1, 2, 3)
    outcomes = await job.work()
    assert states(outcomes) == ["Retry", "Retry", "Retry"]
    assert all("could not be sent" in outcome.reason for outcome in outcomes)
    assert [message.id for message in job.queue.dead] == ["67f0-4"]
    assert job.results == {0: 1}
    assert job.failures["00000004"]["items"] == 2
    assert job.failures["00000004"]["error"]["code"] == "released"
    assert "no permission to send" in job.failures["00000004"]["error"]["message"]
    assert job.seen.of(ItemsFailed) == [ItemsFailed(items=2)]


async def test_a_refused_message_is_kept_when_the_queue_moves_none_away() -> None:
    job = Job(lambda _: Reply(status=500), max_receives=None)
    job.enqueue(0, 1, 2)
    # Another delivery has stored results meanwhile, and was killed before it sent the rest.
    job.store.seed([(KEYS.results("00000000"), b'{"index":0,"result":1}\n')])
    job.queue.failures = [SourceDeniedError("denied", "AccessDenied")]
    message = job.queue.receive()
    assert message is not None
    outcome = await job.process().handle(message, job.fence)
    assert isinstance(outcome, Retry)
    assert not job.failures


async def test_an_attempt_whose_results_the_store_refuses_at_the_end_has_failed() -> None:
    job = Job(lambda _: array(["x" * 2_000_000]))
    job.store.refuse("put_stream")
    job.enqueue(0, 1)
    for _ in range(3):
        message = job.queue.receive()
        assert message is not None
        outcome = await job.process().handle(message, job.fence)
    assert isinstance(outcome, Reject)
    assert outcome.code == "store"
    assert [event.succeeded for event in job.seen.of(BatchEnded)] == [False]


async def test_a_record_that_two_deliveries_write_at_the_same_time_is_written() -> None:
    class Conflicting(MortalStore):
        """Refuses the first write of each object, because of another one under way that fails, too."""

        async def create(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> bool:
            if key in tried:
                return await super().create(key, body, content_type, check=check)
            tried.add(key)
            return False

    tried: set[str] = set()
    job = Job(lambda _: Reply(status=500), keeps_results=False)
    job.store = Conflicting()
    job.store.killer = job.killer
    job.enqueue(0, 1)
    assert states(await job.work()) == ["Reject"]
    assert set(job.failures) == {"00000000"}
    assert len(job.seen.of(BatchFailed)) == 1


async def test_nothing_is_stored_or_sent_once_the_lease_is_lost() -> None:
    for reply in (array([1]), Reply(status=500), partial([None], (0, "later", True)), array(["x" * 2_000_000])):
        job = Job(lambda _, reply=reply: reply)  # type: ignore[misc]
        fence = SwitchFence()
        fence.lost = True
        job.enqueue(0, 1)
        message = job.queue.receive()
        assert message is not None
        with pytest.raises(LeaseLostError):
            await job.process().handle(message, fence)
        assert not job.store.objects
        assert len(job.queue.messages) == 1


async def test_memory_of_answers_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer, "MAX_PARTIAL_BYTES", 2 * 1024 * 1024)
    large = "x" * 1_200_000
    replies = [
        array(["x" * 200_000, 1]), array(["x" * 200_000]), partial(["x" * 200_000, None], (1, "bad", False)),
        partial([large, None], (1, "bad", False)), partial([large * 2, None], (1, "bad", False)), array([large, 1]),
        array([large]), Reply(body=b"[1", body_error=ContainerUnavailableError("broke")),
    ]  # fmt: skip
    job = Job(lambda _: replies.pop(0), max_receives=1)
    for at in range(len(replies)):
        job.enqueue(at, 1, 2)
    handler = job.process()
    outcomes = []
    while (message := job.queue.receive()) is not None:
        outcomes.append(await handler.handle(message, job.fence))
        del job.queue.messages[message.id]
    expected = ["succeeded", "Reject", "succeeded", "succeeded", "Reject", "succeeded", "Reject", "Retry"]
    assert states(outcomes) == expected
    assert job.reader is not None
    assert job.reader._buffers.free == TOTAL_BUFFER_BYTES
    assert not job.reader._partial.locked()


def ordinary(items: list[Any]) -> Reply:
    """Answer by the items: `["ok", n]`, `["bad", n]`, `["again", n]` (until it is alone), `["fail", n]`."""
    if any(word == "fail" for word, _ in items):
        return Reply(status=500)
    if all(word == "ok" for word, _ in items) or len(items) == 1:
        return array([None if word == "ok" and n == 0 else n for word, n in items])
    results = [n if word == "ok" else None for word, n in items]
    failures = [(at, "bad", word == "again") for at, (word, _) in enumerate(items) if word != "ok"]
    return partial(results, *failures)


def whole_job(max_receives: int | None) -> Job:
    job = Job(ordinary, max_receives=max_receives)
    job.enqueue(0, ("ok", 0), ("ok", 1))
    job.enqueue(1, ("ok", 2), ("bad", 3), ("again", 4))
    job.enqueue(2, ("fail", 5), ("ok", 6))
    job.enqueue(3, ("again", 7), ("ok", 8))
    job.enqueue(4, ("bad", 9), ("bad", 10))
    return job


@pytest.mark.parametrize("max_receives", [None, 4])
async def test_killed_at_any_call_no_line_is_lost_or_doubled(max_receives: int | None) -> None:
    undisturbed = whole_job(max_receives)
    await undisturbed.work()
    results, errors = undisturbed.results, undisturbed.errors
    assert (set(results), set(errors)) == ({0, 1, 2, 4, 7, 8}, {3, 5, 6, 9, 10})
    calls = undisturbed.killer.calls
    assert calls > 30
    for at in range(1, calls + 1):
        job = whole_job(max_receives)
        job.use(Killer(at=at))
        await job.work_through()
        # An item that failed can get another attempt by the kill; none is in neither or in both. What was killed at its
        # last receive is in the dead-letter queue.
        assert job.results.keys() | job.errors.keys() | dead_items(job) == set(range(11)), at
        assert dead_items(job) <= {5, 6}
        assert results.items() <= job.results.items(), at
        assert {name.partition("-")[0] for name in job.failures} >= {"00000001", "00000004"} & {
            f"0000000{batch}" for batch, items in ((1, {3}), (4, {9, 10})) if items & job.errors.keys()
        }, at


def all_again(items: list[Any]) -> Reply:
    return partial([None] * len(items), *((at, "busy", True) for at in range(len(items))))


@pytest.mark.parametrize("at", range(1, 9))
@pytest.mark.parametrize("batch", [1, 2, 3, 4])
@pytest.mark.parametrize("receive_count", [1, 2])
async def test_two_deliveries_at_the_same_time_decide_once(batch: int, at: int, receive_count: int) -> None:
    job = whole_job(None)
    messages = [message for message, _ in job.queue.messages.values()]
    job.queue.messages.clear()
    message = messages[batch]
    job.queue.messages[message.id] = (message, 1)

    turns = iter(range(1, 1000))

    class Crossing(MortalStore):
        """Before or after one call of the first delivery the second one comes, from beginning to end."""

        async def create(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> bool:
            await self.cross()
            is_written = await super().create(key, body, content_type, check=check)
            await self.cross()
            return is_written

        async def cross(self) -> None:
            if next(turns) == at:
                # With the first receive of a duplicate the container is called again, and may answer otherwise.
                job.container.answer = all_again
                await job.process().handle(replace(message, receive_count=receive_count), job.fence)
                job.container.answer = ordinary

    job.store = Crossing()
    job.store.killer = job.killer
    await job.process().handle(message, job.fence)
    del job.queue.messages[message.id]
    await job.work()
    first = int(message.attributes["item_index"])
    items = set(range(first, first + len(json.loads(message.body))))
    assert job.results.keys() | job.errors.keys() == items


WORDS = st.tuples(st.sampled_from(["ok", "ok", "bad", "again", "fail"]), st.integers(0, 9))


@given(st.lists(st.lists(WORDS, max_size=6), max_size=4), st.sampled_from([None, 2, 5]), st.integers(0, 2**32))
async def test_any_job_killed_at_any_moments_has_one_line_for_each_item(
    batches: list[list[tuple[str, int]]], max_receives: int | None, seed: int
) -> None:
    chance = random.Random(seed)
    job = Job(ordinary, max_receives=max_receives)
    for index, items in enumerate(batches):
        job.enqueue(index, *items)

    class Random(Killer):
        def __call__(self) -> None:
            self.at = self.calls + 1 if chance.random() < 0.1 else -1
            super().__call__()

    job.use(Random())
    await job.work_through()
    stored = job.results.keys() | job.errors.keys()
    if max_receives is None:
        assert stored == job.items.keys()
    else:
        # A batch whose worker was killed at its last receive is in the dead-letter queue, which has its items.
        assert stored | dead_items(job) == job.items.keys()


def dead_items(job: Job) -> set[int]:
    return {item for message in job.queue.dead for item in covered(message.attributes, message.body)}


def covered(attributes: Any, body: str) -> set[int]:
    if "item_indexes" not in attributes:
        first = int(attributes["item_index"])
        return set(range(first, first + len(json.loads(body))))
    spans = [part.partition("-") for part in attributes["item_indexes"].split(",")]
    return {at for first, _, last in spans for at in range(int(first), int(last or first) + 1)}


@given(
    st.binary(max_size=60) | st.text(alphabet='[]{}",:0 1nul"results"failures"index"error', max_size=40).map(str.encode)
)
async def test_any_answer_is_stored_or_is_a_failed_attempt(body: bytes) -> None:
    job = Job(lambda _: Reply(body=body))
    job.enqueue(0, 1, 2)
    await job.work()
    assert job.results.keys() | job.errors.keys() == {0, 1}
