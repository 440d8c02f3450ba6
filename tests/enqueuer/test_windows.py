"""Batches and windows: their sizes, what is too large, and what a window remembers."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

import pytest

from dequeuer.enqueuer import windows as module
from dequeuer.enqueuer.model import EnqueueFaultError, Portion, Skipped, Window
from dequeuer.enqueuer.windows import compact_items, windows
from dequeuer.formats.json_values import Value
from dequeuer.jobs.checkpoint import Checkpoint, JobFile, Place, dump_checkpoint, parse_checkpoint
from dequeuer.jobs.enqueue_error import EnqueueError
from dequeuer.jobs.file_search import Position
from dequeuer.sinks.base import ListedObject


def file(key: str) -> JobFile:
    return JobFile(
        position=Position(path_index=0, key=key), bucket="b", listed=ListedObject(key=key, size=9, e_tag='"e"')
    )


def portion(where: JobFile | None, *texts: str, skipped: Sequence[int] = (), end: int | None = None) -> Portion:
    items, at = [], 0
    for text in texts:
        items.append(Value(text.encode(), at, at + len(text)))
        at += len(text) + 1
    bad = [Skipped(EnqueueError(message="bad", source="s", offset=start), start) for start in skipped]
    return Portion(where, items, bad, at if end is None else end)


async def made(
    *portions: Portion, batch_size: int = 2, limit: int = 1000, checkpoint: Checkpoint | None = None
) -> list[Window]:
    async def given() -> AsyncIterator[Portion]:
        for one in portions:
            yield one

    async with aclosing(windows(given(), checkpoint or Checkpoint(), batch_size=batch_size, body_limit=limit)) as found:
        return [window async for window in found]


def test_items_are_compact_and_have_no_character_that_sqs_refuses() -> None:
    assert compact_items([b'{ "a" : [ 1 ,\n2 ] }', b'"< >"', b'"\\u003e"', '"\ufffe\uffff\U0001f600"'.encode()]) == (
        b'{"a":[1,2]},"\\u003c \\u003e","\\u003e","\\ufffe\\uffff\xf0\x9f\x98\x80"'
    )


async def test_a_batch_of_exactly_the_limit_is_sent_and_one_byte_more_is_a_fault() -> None:
    [window] = await made(portion(None, '"123"', "4"), limit=9)
    assert window.batches[0].body == '["123",4]'
    with pytest.raises(EnqueueFaultError) as caught:
        await made(portion(None, '"123"', "45"), limit=9)
    assert caught.value.error == EnqueueError(
        message="items with index between 0 to 2: cannot enqueue message because its size of 10 bytes exceeds the 9 bytes "
        "limit; use a smaller batch size or reduce the size of each of item in the batch",
        kind="batchapi.message_exceeds_max_size",
    )


async def test_whitespace_does_not_count_for_the_limit_but_escapes_do() -> None:
    [window] = await made(portion(None, "[" + " " * 100 + "1]", "2"), limit=9)
    assert window.batches[0].body == "[[1],2]"
    with pytest.raises(EnqueueFaultError, match=r"item 0: .* 10 bytes"):
        await made(portion(None, '"<"'), batch_size=1, limit=9)


async def test_a_batch_that_does_not_fit_is_told_with_the_place_of_its_first_item() -> None:
    with pytest.raises(EnqueueFaultError) as caught:
        await made(portion(file("f"), "1", "2", '"xxxxxxxxx"'), portion(file("g"), "4"), limit=9)
    assert (caught.value.error.source, caught.value.error.offset) == ("s3://b/f", 4)


async def test_a_batch_that_never_ends_is_given_up_as_soon_as_it_is_too_large() -> None:
    with pytest.raises(EnqueueFaultError, match="index between 0 to 5"):
        await made(*(portion(None, "1") for _ in range(100)), batch_size=1_000_000, limit=10)


async def test_a_window_ends_with_a_batch_when_it_has_enough_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WINDOW_BYTES", 10)
    found = await made(portion(None, "1", "2", "3", "4", "5", "6", "7"))
    assert [[batch.number for batch in window.batches] for window in found] == [[0, 1], [2, 3]]
    assert [window.before.batches for window in found] == [0, 2]
    assert [window.after.items for window in found] == [4, 7]
    assert [window.before.is_last for window in found] == [False, True]


async def test_a_window_names_the_files_of_its_items_but_not_those_without_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WINDOW_BATCHES", 1)
    a, b, c, d = map(file, "abcd")
    first, second = await made(portion(a, "1"), portion(b), portion(c, "2", "3"), portion(d, "4"))
    assert (first.before.place, first.before.window) == (Place(), (a, c))
    assert first.after.place == second.before.place == Place(file=c, offset=1)
    assert second.before.window == (d,)


async def test_files_without_items_move_the_place_so_that_they_are_not_listed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_WINDOW_FILES", 3)
    names = [file(str(number)) for number in range(7)]
    found = await made(*(portion(one, end=5) for one in names))
    assert [window.after.place for window in found] == [Place(file=names[2], offset=5), Place(file=names[5], offset=5)]
    assert [window.batches for window in found] == [[], []]


async def test_what_was_skipped_behind_the_last_batch_belongs_to_the_next_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_WINDOW_BATCHES", 1)
    one = file("a")
    first, second = await made(portion(one, "1", "2", "3", "4", skipped=(1, 3)))
    assert [[skipped.start for skipped in window.skipped] for window in (first, second)] == [[1], [3]]
    assert (first.before.skipped, second.before.skipped, second.after.skipped) == (0, 1, 2)


async def test_too_many_bad_items_in_one_batch_end_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SKIPPED_IN_MEMORY", 3)
    with pytest.raises(EnqueueFaultError, match="more than 3 bad items"):
        await made(portion(file("a"), "1", skipped=(5, 6, 7, 8)))


async def test_a_checkpoint_is_read_as_it_was_written() -> None:
    full = Checkpoint(
        batches=3,
        items=7,
        skipped=1,
        place=Place(file=file("ä\n"), offset=9),
        window=(file("b"), file("c")),
        is_last=True,
        total=9,
    )
    for checkpoint in (Checkpoint(), full):
        assert parse_checkpoint(dump_checkpoint(checkpoint)) == checkpoint
    assert json.loads(dump_checkpoint(full))["batches"] == 3
