import pytest

from dequeuer.jobs.job_listing import ListedJob, list_jobs
from dequeuer.jobs.layout import api_jobs_prefix
from tests.fakes import MemoryStore
from tests.jobs.stage import CountingStore, job_spec, seed_job

PREFIX = api_jobs_prefix("uid", "BatchAPI", "0.42.1", "sum")
IDS = [f"67e3b0f1a2c4d5e{digit}" for digit in "123456789"]


async def listed(store: MemoryStore, after: str = "") -> list[ListedJob]:
    return [job async for job in list_jobs(store, PREFIX, after=after)]


@pytest.mark.parametrize("page_size", [1, 2, 3, 1000])
async def test_the_newest_comes_first_whatever_the_size_of_a_page(page_size: int) -> None:
    store = MemoryStore(page_size=page_size)
    for job_id in reversed(IDS):
        seed_job(store, "payload.json", "running", spec=job_spec(job_id))
    found = await listed(store)
    assert [job.job_id for job in found] == IDS
    assert all(job.names == {"spec.json", "payload.json", "running"} for job in found)


async def test_a_list_goes_on_after_a_job_that_may_be_gone() -> None:
    store = MemoryStore()
    for job_id in IDS:
        if job_id != IDS[4]:
            seed_job(store, "running", spec=job_spec(job_id))
    assert [job.job_id for job in await listed(store, IDS[2])] == [IDS[3], *IDS[5:]]
    assert [job.job_id for job in await listed(store, IDS[4])] == IDS[5:]
    assert await listed(store, IDS[-1]) == []


async def test_what_has_no_specification_and_the_jobs_of_other_apis_are_left_out() -> None:
    store = MemoryStore()
    keys = seed_job(store, spec=job_spec(IDS[0]))
    store.seed([(f"{PREFIX}{IDS[1]}/running", b""), (f"{PREFIX}stray", b""), (f"{PREFIX}No/spec.json", b"")])
    store.seed([(f"{PREFIX[:-1]}-2/{IDS[2]}/spec.json", b"")])
    assert await listed(store) == [ListedJob(IDS[0], frozenset({"spec.json"}))]
    assert keys.spec in store.objects
    assert await listed(MemoryStore()) == []


async def test_the_folders_of_a_job_cost_few_requests() -> None:
    store = CountingStore(page_size=10)
    for job_id in IDS[:2]:
        keys = seed_job(store, "running", spec=job_spec(job_id))
        store.seed((f"{keys.failures}{number:05}.json", b"") for number in range(1000))
    assert await listed(store) == [
        ListedJob(job_id, frozenset({"failures/", "running", "spec.json"})) for job_id in IDS[:2]
    ]
    assert store.pages == 3


async def test_an_object_with_the_name_of_a_folder_hides_no_job() -> None:
    store = MemoryStore(page_size=1)
    keys = seed_job(store, spec=job_spec(IDS[0]))
    store.seed([(keys.prefix, b"")])
    assert [job.job_id for job in await listed(store)] == [IDS[0]]
