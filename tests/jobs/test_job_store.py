from dequeuer.jobs.job_store import JobStore
from dequeuer.jobs.spec import dump_spec
from tests.fakes import MemoryStore
from tests.jobs.stage import job_keys, job_spec, seed_job


async def test_a_specification_is_never_overwritten() -> None:
    store = MemoryStore()
    jobs = JobStore(store)
    assert await jobs.create_spec(job_keys(), job_spec())
    assert not await jobs.create_spec(job_keys(), job_spec(kind="TaskAPI"))
    assert store.objects == {job_keys().spec: (dump_spec(job_spec()), "application/json")}


async def test_a_job_leaves_the_index_before_anything_else_is_deleted() -> None:
    store = MemoryStore()
    keys = seed_job(store, "payload.json")
    await JobStore(store).discard(keys)
    assert store.objects == {}
    assert store.journal[0] == ("delete", keys.in_progress)


async def test_requests_of_clients_are_objects_beside_the_specification() -> None:
    store = MemoryStore()
    jobs, keys = JobStore(store), job_keys()
    for _ in range(2):
        await jobs.request_stop(keys)
        await jobs.request_pause(keys)
    assert set(store.objects) == {keys.stop, keys.pause}
    for _ in range(2):
        await jobs.request_resume(keys)
    assert set(store.objects) == {keys.stop}
