from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dequeuer.jobs.object_names import object_names
from tests.fakes import MemoryStore

names = st.text(st.sampled_from("ab.0-/"), min_size=1, max_size=6).filter(lambda name: not name.startswith("/"))


@given(names=st.sets(names, max_size=30), page_size=st.integers(1, 4))
async def test_folders_count_as_one_name_whatever_the_pages(names: set[str], page_size: int) -> None:
    store = MemoryStore(page_size=page_size)
    store.seed((f"job/{name}", b"") for name in names)
    store.seed([("job0", b""), ("jo", b"")])
    expected = {name if "/" not in name else name.partition("/")[0] + "/" for name in names}
    assert await object_names(store, "job/") == expected


async def test_a_folder_with_many_objects_costs_few_requests() -> None:
    store = MemoryStore(page_size=10)
    store.seed((f"job/skipped/{number:05}", b"") for number in range(1000))
    store.seed((f"job/{name}", b"") for name in ("end.json", "spec.json", "stop"))
    store.failures = []
    pages = 0
    inner = store.list_page

    async def counted(prefix: str, *, after: str = "", token: str = "") -> object:
        nonlocal pages
        pages += 1
        return await inner(prefix, after=after, token=token)

    store.list_page = counted  # type: ignore[method-assign,assignment]
    assert await object_names(store, "job/") == {"end.json", "skipped/", "spec.json", "stop"}
    assert pages == 2
