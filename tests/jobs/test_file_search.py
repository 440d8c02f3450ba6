"""Which files a search finds, in which order, and where it goes on."""

from collections.abc import Mapping

import pytest

from dequeuer.core.errors import StoreDeniedError, StoreUnavailableError
from dequeuer.core.retry import Backoff, RetryPolicy
from dequeuer.jobs.file_search import FileSearch, Position, search_files
from dequeuer.jobs.globs import GlobError
from dequeuer.jobs.s3_path import InvalidS3PathError
from dequeuer.sinks.base import ListedPage
from tests.fakes import MemoryStore


class MemoryBuckets:
    """Buckets in memory."""

    def __init__(self, buckets: Mapping[str, MemoryStore]) -> None:
        self.buckets = buckets

    def listing(self, bucket: str) -> MemoryStore:
        return self.buckets[bucket]


def store_of(*keys: str) -> MemoryStore:
    store = MemoryStore(page_size=2)
    store.seed((key, key.encode()) for key in keys)
    return store


def buckets() -> MemoryBuckets:
    return MemoryBuckets({"a": store_of("x/1", "x/2", "x/", "x/3", "y//4", "z"), "b": store_of("é", "1", "\U0001f600")})


async def found(search: FileSearch, after: Position | None = None) -> list[str]:
    return [str(one.path) async for one in search_files(buckets(), search, after=after)]


def paths(*texts: str, includes: tuple[str, ...] = (), excludes: tuple[str, ...] = ()) -> FileSearch:
    return FileSearch(s3_paths=texts, includes=includes, excludes=excludes)


async def test_paths_are_listed_in_their_order_and_what_they_share_is_found_twice() -> None:
    assert await found(paths("s3://b/1", "s3://a/x/", "s3://a/x/2")) == [
        "s3://b/1", "s3://a/x/1", "s3://a/x/2", "s3://a/x/3", "s3://a/x/2",
    ]  # fmt: skip


async def test_a_bucket_alone_is_listed_whole_without_folders() -> None:
    assert await found(paths("s3://a")) == ["s3://a/x/1", "s3://a/x/2", "s3://a/x/3", "s3://a/y//4", "s3://a/z"]
    assert await found(paths("s3://b/")) == ["s3://b/1", "s3://b/é", "s3://b/\U0001f600"]


async def test_globs_are_matched_with_whole_paths() -> None:
    assert await found(paths("s3://a", includes=("s3://a/x/*", "**4"))) == [
        "s3://a/x/1", "s3://a/x/2", "s3://a/x/3", "s3://a/y//4",
    ]  # fmt: skip
    assert await found(paths("s3://a", includes=("x/*",))) == []
    assert await found(paths("s3://a", excludes=("**[23]", "s3://a/z"))) == ["s3://a/x/1", "s3://a/y//4"]


async def test_a_search_continues_after_any_position() -> None:
    search = paths("s3://a/x/", "s3://b", "s3://a/x/2")
    whole = [one async for one in search_files(buckets(), search)]
    for at, one in enumerate(whole):
        assert await found(search, after=one.position) == [str(other.path) for other in whole[at + 1 :]]


async def test_a_search_continues_after_a_deleted_file() -> None:
    assert await found(paths("s3://a/x/"), after=Position(path_index=0, key="x/2.5")) == ["s3://a/x/3"]


async def test_what_is_found_has_size_and_etag_of_the_listing() -> None:
    one = await anext(search_files(buckets(), paths("s3://a/z")))
    assert (one.listed.key, one.listed.size) == ("z", 1)
    assert one.listed.e_tag


@pytest.mark.parametrize(
    ("search", "error"),
    [
        (paths("s3://a", "x"), InvalidS3PathError),
        (paths("s3://a", includes=("[",)), GlobError),
        (paths("s3://a", excludes=("[",)), GlobError),
    ],
)
async def test_an_invalid_search_sends_nothing(search: FileSearch, error: type[Exception]) -> None:
    nowhere = MemoryBuckets({})
    with pytest.raises(error):
        await anext(search_files(nowhere, search))


async def test_pages_are_repeated_while_the_store_is_unavailable_as_far_as_the_policy_goes() -> None:
    few = RetryPolicy(backoff=Backoff(initial_s=0, max_s=0), max_attempts=3)
    these = buckets()
    these.buckets["a"].fail(2)
    assert len([one async for one in search_files(these, paths("s3://a"), retry=few)]) == 5
    these.buckets["a"].fail(3)
    with pytest.raises(StoreUnavailableError):
        await anext(search_files(these, paths("s3://a"), retry=few))


async def test_a_store_that_begins_at_the_first_key_again_is_refused() -> None:
    class Deaf(MemoryStore):
        async def list_page(self, prefix: str, *, after: str = "", token: str = "") -> ListedPage:
            return await super().list_page(prefix, token=token)

    deaf = Deaf()
    deaf.seed([("1", b""), ("2", b"")])
    with pytest.raises(StoreDeniedError, match="does not begin after"):
        await anext(search_files(MemoryBuckets({"a": deaf}), paths("s3://a"), after=Position(path_index=0, key="1")))


async def test_a_bucket_that_may_not_be_listed_is_named() -> None:
    store = MemoryStore()
    store.refuse("list_page")
    with pytest.raises(StoreDeniedError, match=r"^s3://theirs/a: list_page refused by the test$") as caught:
        await anext(search_files(MemoryBuckets({"theirs": store}), FileSearch(s3_paths=("s3://theirs/a",))))
    assert caught.value.code == "AccessDenied"


async def test_a_bucket_that_does_not_exist_is_not_taken_for_our_own() -> None:
    store = MemoryStore()
    store.fail(error=StoreDeniedError("the bucket does not exist: check DEQUEUER_BUCKET", "NoSuchBucket"))
    with pytest.raises(StoreDeniedError, match=r"^s3://theirs/: there is no such bucket$"):
        await anext(search_files(MemoryBuckets({"theirs": store}), FileSearch(s3_paths=("s3://theirs",))))
