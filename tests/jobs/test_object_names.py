from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dequeuer.jobs.object_names import names_below, object_names
from tests.fakes import MemoryStore
from tests.jobs.stage import CountingStore

names = st.text(st.sampled_from("ab.0-/"), min_size=1, max_size=6).filter(lambda name: not name.startswith("/"))


@given(names=st.sets(names, max_size=30), page_size=st.integers(1, 4))
async def test_folders_count_as_one_name_whatever_the_pages(names: set[str], page_size: int) -> None:
    store = MemoryStore(page_size=page_size)
    store.seed((f"job/{name}", b"") for name in names)
    store.seed([("job0", b""), ("jo", b"")])
    expected = {name if "/" not in name else name.partition("/")[0] + "/" for name in names}
    assert await object_names(store, "job/") == expected


async def test_a_folder_with_many_objects_costs_few_requests() -> None:
    store = CountingStore(page_size=10)
    store.seed((f"job/skipped/{number:05}", b"") for number in range(1000))
    store.seed((f"job/{name}", b"") for name in ("end.json", "spec.json", "stop"))
    assert await object_names(store, "job/") == {"end.json", "skipped/", "spec.json", "stop"}
    assert store.pages == 2


@given(names=st.sets(names, max_size=30), page_size=st.integers(1, 4), depth=st.integers(0, 2))
async def test_names_come_once_in_the_order_of_their_keys_also_those_after_a_folder(
    names: set[str], page_size: int, depth: int
) -> None:
    store = MemoryStore(page_size=page_size)
    store.seed((f"job/{name}", b"") for name in names)
    expected = list(
        dict.fromkeys(
            "/".join(name.split("/")[: depth + 1]) + "/" * (name.count("/") > depth) for name in sorted(names)
        )
    )
    assert [name async for name in names_below(store, "job/", depth=depth)] == expected
    after = [name for name in expected if name > "a/" and not name.startswith("a/")]
    assert [name async for name in names_below(store, "job/", depth=depth, after="a")] == after
