"""The items of one file: compressed or not, whole or damaged, and where its items go on after a bad one."""

import gzip
import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.enqueuer.content import FileItems
from dequeuer.enqueuer.model import EnqueueFaultError, Portion
from dequeuer.jobs.checkpoint import JobFile
from dequeuer.jobs.file_search import Position
from dequeuer.sinks.base import ListedObject

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def portions(
    body: bytes, key: str = "k", begin: int = 0, *, skips: bool = False, part: int = 7, limit: int = 1000
) -> Iterator[Portion]:
    listed = ListedObject(key=key, size=len(body), e_tag="")
    file = JobFile(position=Position(path_index=0, key=key), bucket="b", listed=listed)
    reader = FileItems(file, begin, limit=limit, skips=skips)
    rest = body if key != "k" else body[begin:]
    parts = [rest[at : at + part] for at in range(0, len(rest), part)] or [b""]
    for number, one in enumerate(parts, 1):
        yield from reader.feed(one, is_last=number == len(parts))


def texts(body: bytes, key: str = "k", begin: int = 0, **options: Any) -> list[bytes]:
    return [item.text for portion in portions(body, key, begin, **options) for item in portion.items]


def errors(body: bytes, **options: Any) -> list[tuple[int | None, str]]:
    found = portions(body, skips=True, **options)
    return [(one.error.offset, one.error.message) for portion in found for one in portion.skipped]


BODY = b'{"a": 1}\n{"a": 2} 3\n\n"x"'
ITEMS = [b'{"a": 1}', b'{"a": 2}', b"3", b'"x"']
GZIP = gzip.compress(BODY[:10], mtime=0) + gzip.compress(BODY[10:], mtime=0)
ZSTD = zstd.compress(BODY[:10]) + zstd.compress(BODY[10:])


@pytest.mark.parametrize("part", [1, 7, 10_000])
def test_files_are_read_as_their_suffix_says(part: int) -> None:
    assert texts(BODY, part=part) == ITEMS
    assert texts(GZIP, "x.json.gz", part=part) == ITEMS
    assert texts(ZSTD, "x.json.zst", part=part) == ITEMS


@pytest.mark.parametrize(("body", "key"), [(BODY, "k"), (GZIP, "k.gz"), (ZSTD, "k.zst")])
def test_reading_goes_on_after_any_item(body: bytes, key: str) -> None:
    ends = [item.end for portion in portions(body, key) for item in portion.items]
    for count, end in enumerate(ends, 1):
        assert texts(body, key, end) == ITEMS[count:]


def test_the_offset_after_a_file_is_its_end() -> None:
    assert list(portions(b"1 2\n\n"))[-1].end == 5
    assert list(portions(gzip.compress(b"1 2\n\n"), "k.gz"))[-1].end == 5


@pytest.mark.parametrize(
    "body",
    [GZIP[:-1], GZIP[:20], GZIP + b"x", b"plain", GZIP[:-8] + bytes(8)],
    ids=["cut", "cut early", "more", "plain", "checksum"],
)
@pytest.mark.parametrize("skips", [False, True])
def test_damaged_compressed_data_is_a_fault_whatever_bad_items_are(body: bytes, skips: bool) -> None:
    with pytest.raises(EnqueueFaultError, match=r"s3://b/x\.gz.*damaged"):
        list(portions(body, "x.gz", skips=skips))


@pytest.mark.parametrize("suffix", ["gz", "zst"])
@pytest.mark.parametrize("skips", [False, True])
def test_a_compressed_file_without_a_byte_ends_too_early(suffix: str, *, skips: bool) -> None:
    with pytest.raises(EnqueueFaultError, match="ends too early") as caught:
        list(portions(b"", f"k.{suffix}", skips=skips))
    assert (caught.value.error.source, caught.value.error.offset) == (f"s3://b/k.{suffix}", 0)
    assert texts(b"") == []


def test_nothing_may_be_compressed() -> None:
    assert texts(gzip.compress(b""), "k.gz") == texts(zstd.compress(b""), "k.zst") == []


def test_truncated_zstd_is_a_fault() -> None:
    with pytest.raises(EnqueueFaultError, match="damaged"):
        list(portions(ZSTD[:-2], "x.zst"))


def test_a_small_file_that_is_huge_inside_is_read_in_pieces() -> None:
    huge = gzip.compress(b"[" + b" " * 50_000_000 + b"]\n1")
    found = list(portions(huge, "x.gz", skips=True, part=1000))
    assert [item.text for portion in found for item in portion.items] == [b"1"]
    assert len(found) > 100


@pytest.mark.parametrize(
    ("body", "offset", "message"),
    [
        (b'1\n"\xff"\n2', 2, "invalid UTF-8"),
        (b"1\n[1,]\n2", 2, "not JSON"),
        (b"1\n" + b"9" * 1001, 2, "exceeds the 1000 bytes limit"),
        (b"1 NaN", 2, "not JSON"),
        (b'1 {"a"', 2, "ends in the middle"),
        (b"1 2.", 2, "not a number"),
    ],
)
def test_a_bad_item_is_a_fault_with_file_and_offset(body: bytes, offset: int, message: str) -> None:
    with pytest.raises(EnqueueFaultError, match=message) as caught:
        list(portions(body))
    assert (caught.value.error.source, caught.value.error.offset) == ("s3://b/k", offset)


@pytest.mark.parametrize("part", [1, 3, 10_000])
@pytest.mark.parametrize(
    ("body", "good", "bad"),
    [
        (b'1\n"\xff" 2\n', [b"1", b"2"], [2]),
        (b'1\n"' + b"x" * 2000 + b'" 2\n', [b"1", b"2"], [2]),
        (b"1\n[1,]\n2\n3", [b"1", b"2", b"3"], [2]),
        (b"1\n2 x 3\n4", [b"1", b"2", b"4"], [4]),
        (b'{"a":1\n{"b":2}\n3', [b'{"b":2}', b"3"], [0]),
        (b"1\nNaN\nNaN\n2", [b"1", b"2"], [2, 6]),
        (b"1\nNaN\r\n\n2", [b"1", b"2"], [2]),
        (b"1\nNaN\n", [b"1"], [2]),
        (b"1\nNaN", [b"1"], [2]),
        (b'1\n{"a":', [b"1"], [2]),
        (b'{"a": NaN, "b": {\n  "c": 1\n}}\n2', [], [0]),
        (b'{\n"a": NaN\n}\n2', [], [0]),
        (b'{"a": NaN\n}\n{"b":1}', [], [0]),
    ],
)
def test_skipping_goes_on_with_the_next_line_only_where_lines_are_items(
    part: int, body: bytes, good: list[bytes], bad: list[int]
) -> None:
    assert texts(body, part=part, skips=True) == good
    assert [offset for offset, _ in errors(body, part=part)] == bad


LINES = st.lists(st.sampled_from(['{"a":1}', "NaN", "[1,", "2", '"x', "[1] 3", "", '"\\ud800"', "{"]), max_size=8)


@given(LINES, st.integers(1, 20), st.booleans())
def test_however_a_file_is_cut_the_same_items_are_good_and_bad(lines: list[str], part: int, ended: bool) -> None:
    body = ("\n".join(lines) + "\n" * ended).encode()
    assert texts(body, skips=True, part=part) == texts(body, skips=True, part=10_000)
    assert errors(body, part=part) == errors(body, part=10_000)


@given(LINES, st.integers(0, 8))
def test_a_restart_after_any_item_finds_the_same_items_and_faults(lines: list[str], number: int) -> None:
    body = "\n".join(lines).encode()
    whole = [item for portion in portions(body, skips=True, part=10_000) for item in portion.items]
    if number < len(whole):
        begin = whole[number].end
        assert texts(body, begin=begin, skips=True) == [item.text for item in whole[number + 1 :]]
        assert errors(body, begin=begin) == [
            error for error in errors(body) if error[0] is not None and error[0] >= begin
        ]


def test_every_text_of_a_fault_is_for_a_person() -> None:
    assert json.dumps(errors(b"NaN")) == '[[0, "not JSON: no value"]]'
