from __future__ import annotations

from dequeuer.terminal.progress import bar, duration
from dequeuer.terminal.table import columns


def test_cells_are_aligned_by_their_width() -> None:
    rows = [("JOB", "N"), ("日本", "10"), ("abc", "")]
    assert columns(rows, right=frozenset({1})) == ["JOB    N", "日本  10", "abc"]
    assert columns([]) == []


def test_a_bar_shows_the_share_that_is_done() -> None:
    assert bar(0.0) == f"[{'.' * 30}]   0%"
    assert bar(0.5) == f"[{'#' * 15}{'.' * 15}]  50%"
    assert bar(1.0) == f"[{'#' * 30}] 100%"


def test_a_duration_has_hours_only_when_there_are_some() -> None:
    assert [duration(seconds) for seconds in (-5.0, 0.4, 62.0, 3661.0, 360_000.0)] == [
        "0:00",
        "0:00",
        "1:02",
        "1:01:01",
        "100:00:00",
    ]
