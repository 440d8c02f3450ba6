"""How far a job is: counted, estimated, shown."""

import asyncio
from typing import Any

import pytest

from dequeuer.enqueuer.display import bar, progress_fields, show_progress
from dequeuer.enqueuer.model import Window
from dequeuer.enqueuer.payload import parse_payload
from dequeuer.enqueuer.progress import Progress, ProgressReport
from dequeuer.enqueuer.survey import survey
from dequeuer.jobs.checkpoint import Checkpoint
from tests.enqueuer.stage import Stage, files, items, paths


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def window(before: Checkpoint, count: int, size: int, *, is_complete: bool = False) -> Window:
    after = Checkpoint(batches=before.batches + 1, items=before.items + count, is_complete=is_complete)
    return Window(before=before, batches=(), items=count, skipped=(), after=after, bytes_read=size)


def test_the_rate_and_the_time_left_are_those_of_this_process() -> None:
    clock, before = Clock(), Checkpoint(batches=4, items=400)
    progress = Progress(clock)
    progress.begin(before, is_bytes=False)
    progress.total = 1000
    assert (progress.report().done, progress.report().left_s) == (0.4, None)
    clock.now = 10.0
    progress.add(window(before, 100, 5000))
    report = progress.report()
    assert (report.batches, report.items, report.items_per_s, report.done) == (5, 500, 10.0, 0.5)
    assert report.left_s == pytest.approx(50.0)


def test_bytes_of_files_tell_how_much_is_done() -> None:
    clock = Clock()
    progress = Progress(clock)
    progress.begin(Checkpoint(total=20_000), is_bytes=True)
    clock.now = 10.0
    progress.add(window(Checkpoint(), 100, 5000))
    assert (progress.report().done, progress.report().left_s) == (0.25, 30.0)
    progress.add(window(Checkpoint(), 0, 0, is_complete=True))
    assert progress.report().done == 1.0


def test_changes_are_told() -> None:
    seen: list[Any] = []
    progress = Progress()
    progress.changed = lambda: seen.append(progress.numbers())
    progress.begin(Checkpoint(batches=1, items=2, skipped=3), is_bytes=False)
    assert seen == [{"batches": 1, "items": 2, "skipped": 3, "done": None}]


@pytest.mark.parametrize(
    ("submission", "amount"),
    [
        (items(1, 2, 3), 3),
        (paths("s3://data"), 2),
        (files("s3://data/a"), 5),
        (files("s3://data"), None),
        (files("s3://data", includes=["["]), None),
    ],
)
async def test_the_amount_is_found_unless_files_are_compressed(submission: Any, amount: int | None) -> None:
    stage = Stage(submission, data={"a": b"1 2 3", "b.gz": b"x"})
    [text] = [body for body, _ in stage.store.objects.values()]
    assert await survey(parse_payload(text), stage) == amount


REPORT = ProgressReport(batches=1200, items=120_000, skipped=0, items_per_s=20_000.4, done=0.5, left_s=3700.0)


def test_a_bar_and_a_log_line_have_the_same_facts() -> None:
    assert (
        bar(REPORT)
        == "[###############...............]  50%, 1:01:40 left, 1,200 batches, 120,000 items, 20,000 items/s"
    )
    assert progress_fields(REPORT) == {
        "batches": 1200, "items": 120_000, "skipped": 0, "items_per_s": 20_000.4, "done": 0.5, "left_s": 3700,
    }  # fmt: skip
    unknown = ProgressReport(batches=1, items=2, skipped=3, items_per_s=4.0, done=None, left_s=None)
    assert bar(unknown) == "1 batch, 2 items, 4 items/s, 3 skipped"
    assert "done" not in progress_fields(unknown)


class Shown:
    """A terminal, and a log."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, text: str) -> None:
        self.lines.append(text)

    def flush(self) -> None:
        pass

    def info(self, event: str, **fields: Any) -> None:
        self.lines.append(event)

    def report(self) -> ProgressReport:
        return REPORT


@pytest.mark.looptime
@pytest.mark.parametrize(("is_terminal", "count"), [(True, 150), (False, 3)])
async def test_a_terminal_is_written_often_and_a_log_every_ten_seconds(is_terminal: bool, count: int) -> None:
    shown = Shown()
    showing = asyncio.create_task(show_progress(shown.report, shown, shown if is_terminal else None))
    await asyncio.sleep(30.1)
    showing.cancel()
    assert len(shown.lines) == count
