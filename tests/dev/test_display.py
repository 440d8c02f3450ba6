from __future__ import annotations

import io
import os
import pty
from collections.abc import Iterator
from typing import TextIO, get_args

import pytest

from dequeuer.dev.display import JOB_WIDTHS, PlainDisplay, SampleRow, make_display
from dequeuer.dev.table_display import TableDisplay
from dequeuer.jobs.state import JobState

ID = "0a1b2c3d-0000-4000-8000-000000000001"
QUEUED = SampleRow(name=ID, status="in_queue", seconds=0.04)
RUNNING = SampleRow(name=ID, status="in_progress", seconds=0.3)
DONE = SampleRow(name=ID, status="completed", seconds=0.71, result='{"label": "cat"}')


def test_plain_lines_report_each_change_once() -> None:
    stream = io.StringIO()
    display = PlainDisplay(stream)
    with display.live():
        for row in (QUEUED, QUEUED, RUNNING, RUNNING, RUNNING, DONE, DONE):
            display.show([row])
    assert stream.getvalue().splitlines() == [
        f"  {ID}  in_queue       0.0 s",
        f"  {ID}  in_progress    0.3 s",
        f'  {ID}  completed      0.7 s  {{"label": "cat"}}',
    ]


def test_rows_of_a_job_are_aligned_whatever_its_status() -> None:
    stream = io.StringIO()
    display = PlainDisplay(stream, JOB_WIDTHS)
    for status in get_args(JobState):
        display.show([SampleRow(name="67144af9550f37ff", status=status, seconds=1.0, result="x")])
    lines = stream.getvalue().splitlines()
    assert {line.index("  1.0 s  x") for line in lines} == {2 + 16 + 2 + 23 + 2}


def test_a_row_that_returns_to_in_queue_is_printed_again() -> None:
    stream = io.StringIO()
    display = PlainDisplay(stream)
    for row in (QUEUED, RUNNING, QUEUED):
        display.show([row])
    assert [line.split()[1] for line in stream.getvalue().splitlines()] == ["in_queue", "in_progress", "in_queue"]


def test_elsewhere_than_in_a_terminal_lines_are_plain() -> None:
    assert isinstance(make_display(io.StringIO()), PlainDisplay)


@pytest.fixture
def terminal() -> Iterator[TextIO]:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream:
        yield stream
    os.close(ours)


def test_a_terminal_gets_the_table(terminal: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    assert isinstance(make_display(terminal), TableDisplay)


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(terminal: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(make_display(terminal), PlainDisplay)


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")


def last_line(stream: io.StringIO) -> str:
    return stream.getvalue().rstrip().splitlines()[-1]


@pytest.mark.usefixtures("wide")
def test_the_table_shows_whole_ids_states_times_and_results() -> None:
    stream = io.StringIO()
    display = TableDisplay(stream)
    with display.live():
        display.show([QUEUED])
        display.show([DONE])
    last = last_line(stream)
    assert last.split() == [ID, "completed", "0.7", "s", '{"label":', '"cat"}']


@pytest.mark.usefixtures("wide")
def test_a_long_result_is_cut_before_anything_else() -> None:
    stream = io.StringIO()
    display = TableDisplay(stream)
    with display.live():
        display.show([SampleRow(name=ID, status="completed", seconds=1234.5, result="x" * 500)])
    last = last_line(stream)
    assert ID in last
    assert "1234.5 s" in last
    assert last.endswith("x…")
    assert len(last) <= 100


@pytest.mark.usefixtures("wide")
def test_how_far_a_job_is_can_be_read_in_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    stream = io.StringIO()
    display = TableDisplay(stream)
    progress = "9 of 9 items, 1 failed"
    with display.live():
        display.show(
            [SampleRow(name="67144990ed5854ff", status="completed_with_failures", seconds=13.9, result=progress)]
        )
    last = last_line(stream)
    assert last.startswith(" 67144990ed5854ff ")
    assert last.rstrip().endswith(progress)
    assert len(last) <= 80


@pytest.mark.usefixtures("wide")
def test_text_of_others_is_no_markup() -> None:
    stream = io.StringIO()
    display = TableDisplay(stream)
    display.print_text("container | [bold]not bold[/bold] [/]")
    with display.live():
        display.show([SampleRow(name="[red]", status="in_queue", seconds=0, result="[/red]")])
    assert "[bold]not bold[/bold] [/]" in stream.getvalue()
    assert "[red]" in stream.getvalue()
    assert "[/red]" in stream.getvalue()
