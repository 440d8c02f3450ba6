from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from dequeuer.dev.display import PlainDisplay, SampleRow
from dequeuer.dev.joined_display import JoinedDisplay


class Table:
    """A table that is updated in place."""

    def __init__(self) -> None:
        self.shown: list[list[str]] = []
        self.texts: list[str] = []

    def show(self, rows: Sequence[SampleRow]) -> None:
        self.shown.append([f"{row.name}: {row.status}" for row in rows])

    def print_text(self, text: str) -> None:
        self.texts.append(text)

    def live(self) -> AbstractContextManager[object]:
        return nullcontext()


def row(name: str, status: str) -> SampleRow:
    return SampleRow(name=name, status=status, seconds=0.5)


def test_a_table_has_the_rows_of_all_parts_in_the_order_of_the_parts() -> None:
    table = Table()
    joined = JoinedDisplay(table, in_order=False)
    first, second = joined.part("a"), joined.part("b", ["a request"])
    with joined.live():
        second.show([row("id-1", "in_queue"), row("id-2", "in_queue")])
        first.show([row("id-3", "running")])
        second.show([row("id-1", "completed"), row("id-2", "in_queue")])
    assert table.shown == [
        ["b  a request: in_queue", "b  id-2: in_queue"],
        ["a  id-3: running", "b  a request: in_queue", "b  id-2: in_queue"],
        ["a  id-3: running", "b  a request: completed", "b  id-2: in_queue"],
    ]


def test_plain_lines_are_final_and_in_the_order_of_the_parts() -> None:
    stream = io.StringIO()
    joined = JoinedDisplay(PlainDisplay(stream, (5, 9)), in_order=True)
    first, second, third = (joined.part(label) for label in "abc")
    with first.live():
        with second.live():
            second.show([row("x", "in_queue")])
            second.show([row("x", "completed")])
        first.show([row("y", "failed")])
        assert stream.getvalue() == ""
    third.show([row("z", "running")])
    assert [line.split()[:3] for line in stream.getvalue().splitlines()] == [
        ["a", "y", "failed"],
        ["b", "x", "completed"],
    ]


def test_texts_are_printed_as_they_come() -> None:
    table = Table()
    JoinedDisplay(table, in_order=True).part("a").print_text("hello")
    assert table.texts == ["hello"]
