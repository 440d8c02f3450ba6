from __future__ import annotations

import asyncio

import pytest

from dequeuer.controller import objects
from dequeuer.controller.objects import JobObjects
from dequeuer.controller.ownership import Ownership, OwnershipLostError
from tests.controller.stage import Calls, Passing
from tests.fakes import MemoryStore
from tests.opened import opened_by

pytestmark = pytest.mark.looptime

PREFIX = "uid/jobs/BatchAPI/0.42.1/sum/job/"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def ownership(store: MemoryStore, name: str) -> Ownership:
    return Ownership(JobObjects(store), PREFIX, name, 30.0)


async def test_the_first_one_owns_a_job(store: MemoryStore) -> None:
    one, two = ownership(store, "one"), ownership(store, "two")
    assert await one.try_acquire()
    assert not await two.try_acquire()
    one.check()
    with pytest.raises(OwnershipLostError):
        two.check()
    assert list(store.objects) == [f"{PREFIX}owner/00000001"]


async def test_an_owner_that_gives_no_sign_of_life_may_not_act_for_long(store: MemoryStore) -> None:
    one = ownership(store, "one")
    await one.try_acquire()
    await asyncio.sleep(19)
    one.check()
    await asyncio.sleep(1)
    with pytest.raises(OwnershipLostError):
        one.check()


async def test_a_silent_owner_is_followed_after_the_timeout(store: MemoryStore) -> None:
    one, two = ownership(store, "one"), ownership(store, "two")
    await one.try_acquire()
    await asyncio.sleep(3600)  # how old it is when it is first seen does not matter
    assert not await two.try_acquire()
    await asyncio.sleep(29)
    assert not await two.try_acquire()
    await asyncio.sleep(1)
    assert await two.try_acquire()
    assert two.epoch == 2


async def test_an_owner_that_shows_signs_of_life_keeps_its_job(store: MemoryStore) -> None:
    one, two = ownership(store, "one"), ownership(store, "two")
    await one.try_acquire()
    keeping = asyncio.create_task(one.keep())
    for _ in range(100):
        assert not await two.try_acquire()
        await asyncio.sleep(7)
    one.check()
    keeping.cancel()


async def test_an_owner_that_cannot_write_stops_acting_before_another_one_begins(store: MemoryStore) -> None:
    one, two = ownership(store, "one"), ownership(store, "two")
    await one.try_acquire()
    keeping = asyncio.create_task(one.keep())
    await two.try_acquire()
    store.refuse("put")
    async with asyncio.timeout(21):
        await keeping
    assert not one.is_held
    assert not await two.try_acquire()
    store.allow()
    await asyncio.sleep(10)
    assert await two.try_acquire()


async def test_an_owner_that_comes_back_has_given_a_sign_of_life_before_it_acts(store: MemoryStore) -> None:
    one, two = ownership(store, "one"), ownership(store, "two")
    await one.try_acquire()
    keeping = asyncio.create_task(one.keep())
    await asyncio.sleep(11)
    keeping.cancel()
    await two.try_acquire()
    await asyncio.sleep(29)
    assert not one.is_held
    again = ownership(store, "one")
    assert await again.try_acquire()
    await asyncio.sleep(1)
    assert not await two.try_acquire(), "it would have followed now"
    keeping = asyncio.create_task(again.keep())
    for _ in range(20):
        await asyncio.sleep(5)
        again.check()
        assert not await two.try_acquire()
    keeping.cancel()


async def test_an_owner_that_comes_back_while_another_one_follows_does_not_act(store: MemoryStore) -> None:
    calls = Calls()
    store.objects[f"{PREFIX}owner/00000001"] = (b'{"owner": "one", "beat": 4, "released": false}', None)
    again = Ownership(JobObjects(Passing(store, calls)), PREFIX, "one", 30.0)

    async def follow(number: int) -> None:
        if number == 3:  # after its look at the objects
            store.objects[f"{PREFIX}owner/00000002"] = (b'{"owner": "two", "beat": 0}', None)

    calls.before = follow
    assert not await again.try_acquire()
    assert not await again.try_acquire()


async def test_an_owner_sees_that_another_one_has_followed_it(store: MemoryStore) -> None:
    one, two = ownership(store, "one"), ownership(store, "two")
    await one.try_acquire()
    store.objects[f"{PREFIX}owner/00000002"] = (b'{"owner": "two", "beat": 0}', None)
    async with asyncio.timeout(11):
        await one.keep()
    assert not one.is_held
    assert not await two.try_acquire() or two.epoch == 2


async def test_a_released_job_is_free_at_once(store: MemoryStore) -> None:
    one, two = ownership(store, "one"), ownership(store, "two")
    await one.try_acquire()
    await one.release()
    assert not one.is_held
    assert await two.try_acquire()


async def test_a_claim_whose_response_was_lost_is_recognised(store: MemoryStore) -> None:
    calls = Calls()
    lost = Ownership(JobObjects(Passing(store, calls)), PREFIX, "one", 30.0)
    store.objects[f"{PREFIX}owner/00000001"] = (b'{"owner": "one", "beat": 0, "released": false}', None)
    assert await lost.try_acquire()
    assert lost.epoch == 1


async def test_text_of_others_counts_as_that_of_a_live_owner(store: MemoryStore) -> None:
    store.objects[f"{PREFIX}owner/00000007"] = (b"[]", None)
    store.objects[f"{PREFIX}owner/x"] = (b"", None)
    one = ownership(store, "one")
    assert not await one.try_acquire()
    await asyncio.sleep(30)
    assert await one.try_acquire()
    assert one.epoch == 8


async def test_of_two_that_follow_at_once_one_does(store: MemoryStore) -> None:
    await ownership(store, "gone").try_acquire()
    two, three = ownership(store, "two"), ownership(store, "three")
    await asyncio.gather(two.try_acquire(), three.try_acquire())
    await asyncio.sleep(30)
    assert sorted(await asyncio.gather(two.try_acquire(), three.try_acquire())) == [False, True]


async def test_nothing_is_left_at_the_end(store: MemoryStore) -> None:
    one = ownership(store, "one")
    await one.try_acquire()
    keeping = asyncio.create_task(one.keep())
    await one.forget()
    one.check()
    await asyncio.sleep(100)
    assert store.objects == {}
    assert keeping.done()


async def test_a_sign_of_life_that_is_under_way_at_the_end_leaves_nothing(store: MemoryStore) -> None:
    calls, is_under_way, may_arrive = Calls(), asyncio.Event(), asyncio.Event()
    one = Ownership(JobObjects(Passing(store, calls)), PREFIX, "one", 30.0)
    await one.try_acquire()

    async def delay(_: int) -> None:
        calls.before = None
        is_under_way.set()
        await may_arrive.wait()

    calls.before = delay
    keeping = asyncio.create_task(one.keep())
    await is_under_way.wait()
    forgetting = asyncio.create_task(one.forget())
    await asyncio.sleep(1)
    may_arrive.set()
    await forgetting
    await asyncio.sleep(100)
    assert store.objects == {}
    assert keeping.done()


async def test_a_release_after_the_end_of_the_job_leaves_nothing(store: MemoryStore) -> None:
    one = ownership(store, "one")
    await one.try_acquire()
    await one.forget()
    await one.release()
    assert store.objects == {}


async def test_an_object_that_is_far_too_large_is_that_of_a_live_owner(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "MAX_OBJECT_BYTES", 100)
    opened = opened_by(store, monkeypatch)
    store.objects[f"{PREFIX}owner/00000001"] = (b"x" * 101, None)
    one = ownership(store, "one")
    assert not await one.try_acquire()
    await asyncio.sleep(30)
    assert await one.try_acquire()
    assert opened == []
