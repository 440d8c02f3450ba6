"""The items of a job, made of the lines of its results."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dequeuer.client.errors import GatewayLostError, InvalidAnswerError
from dequeuer.ui import job_items
from dequeuer.ui.job_items import items_of

LINES = (
    b'{"index":0,"result":1.10}\n'
    b'{"index":2,"error":{"code":"item_failed","message":"</script>"}}\n'
    b'{"index":3,"result":"a\\nb"}\n'
    b'{"index":6,"result":null}\n'
    b'{"error":{"code":"skipped"}}\n'
)


async def in_pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def items(data: bytes = LINES, *, first: int = 0, limit: int = 100, total: int | None = 8, size: int = 7) -> Any:
    return json.loads(await items_of(in_pieces(data, size), first=first, limit=limit, total=total))


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_each_item_has_its_state_and_what_is_not_there_waits(size: int) -> None:
    found = await items(size=size)
    assert found["total"] == 8
    assert "next" not in found
    assert [one["state"] for one in found["items"]] == [
        *("completed", "waiting", "failed", "completed", "waiting", "waiting", "completed", "waiting"),
    ]
    assert [one["index"] for one in found["items"]] == list(range(8))
    assert found["items"][2]["error"] == {"code": "item_failed", "message": "</script>"}
    assert found["items"][3]["result"] == "a\nb"
    assert found["items"][6]["result"] is None


async def test_a_result_that_is_nested_deep_hides_no_others() -> None:
    deep = b'{"index":0,"result":%b}\n{"index":1,"result":2}\n' % (b"[" * 10_000 + b"]" * 10_000)
    found = await items(deep, total=2, size=1000)
    assert found["items"] == [{"index": 0, "state": "completed"}, {"index": 1, "state": "completed", "result": 2}]


async def test_numbers_keep_their_text() -> None:
    assert b'"result":1.10}' in await items_of(in_pieces(LINES, 7), first=0, limit=1, total=8)


async def test_a_page_says_where_the_next_one_begins() -> None:
    page = await items(first=2, limit=3)
    assert [one["index"] for one in page["items"]] == [2, 3, 4]
    assert page["next"] == 5
    last = await items(first=5, limit=3)
    assert ([one["index"] for one in last["items"]], "next" in last) == ([5, 6, 7], False)
    assert await items(first=8) == {"total": 8, "items": []}


async def test_without_a_known_total_the_last_line_is_the_end_so_far() -> None:
    found = await items(total=None, first=1, limit=3)
    assert ([one["index"] for one in found["items"]], found["total"], found["next"]) == ([1, 2, 3], None, 4)
    assert await items(b"", total=None) == {"total": None, "items": []}


async def test_what_is_too_large_to_show_has_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_items, "MAX_LINE_BYTES", 64)
    large = b'{"index":0,"result":"' + b"x" * 100 + b'"}\n{"index":1,"result":2}\n'
    assert (await items(large, total=2, size=5))["items"] == [
        {"index": 0, "state": "completed"},
        {"index": 1, "state": "completed", "result": 2},
    ]
    monkeypatch.setattr(job_items, "MAX_SHOWN_BYTES", 30)
    assert "result" in (await items(total=4))["items"][0]
    assert (await items(total=4))["items"][2] == {"index": 2, "state": "failed"}


async def test_results_that_are_too_many_to_read_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_items, "MAX_READ_BYTES", 100)
    with pytest.raises(InvalidAnswerError, match="dequeuer jobs"):
        await items(LINES * 100, first=7, total=None)


@pytest.mark.parametrize(
    "line", [b'{"index":0,"result":}\n', b'{"index":0,"result":1}}\n', b'{"index":0,"error":\xff}\n']
)
async def test_a_line_that_is_no_json_is_not_sent_on(line: bytes) -> None:
    with pytest.raises(InvalidAnswerError):
        await items(line)


async def test_results_that_are_cut_off_are_an_error() -> None:
    async def cut() -> AsyncIterator[bytes]:
        yield LINES
        raise GatewayLostError("cut off")

    with pytest.raises(GatewayLostError):
        await items_of(cut(), first=0, limit=100, total=8)


@pytest.mark.looptime
async def test_results_that_do_not_come_end_in_time() -> None:
    async def hanging() -> AsyncIterator[bytes]:
        yield LINES
        await asyncio.sleep(1000)

    with pytest.raises(InvalidAnswerError, match="within 30 s"):
        await items_of(hanging(), first=0, limit=100, total=8)
