from __future__ import annotations

import errno
from pathlib import Path

import pytest

from dequeuer.controller.launchers.local.log_file import LogFile
from dequeuer.dev import job_logs
from dequeuer.dev.job_logs import JobLogs

SEEN = list[tuple[str, str, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "BatchAPI/sum/67a0/logs"
    made.mkdir(parents=True)
    return made


@pytest.fixture
def seen() -> SEEN:
    return []


@pytest.fixture
def logs(tmp_path: Path, seen: SEEN) -> JobLogs:
    return JobLogs(tmp_path, lambda *line: seen.append(line))


def test_before_the_first_job_there_is_nothing(tmp_path: Path, seen: SEEN) -> None:
    JobLogs(tmp_path / "later", lambda *line: seen.append(line)).look()
    assert seen == []


def test_each_line_of_a_container_is_shown_once(folder: Path, logs: JobLogs, seen: SEEN) -> None:
    log = LogFile(folder / "worker-0.api.log")
    log.write("one")
    logs.look()
    logs.look()
    log.write("two")
    log.write("three")
    logs.look()
    assert seen == [("sum", "worker-0.api", "one"), ("sum", "worker-0.api", "two"), ("sum", "worker-0.api", "three")]


def test_a_line_is_shown_when_it_is_whole(folder: Path, logs: JobLogs, seen: SEEN) -> None:
    path = folder / "worker-0.api.log"
    path.write_bytes(b"ha")
    logs.look()
    assert seen == []
    path.write_bytes(b"half\n")
    logs.look()
    assert seen == [("sum", "worker-0.api", "half")]


def test_sidecars_and_enqueuers_are_not_shown(folder: Path, logs: JobLogs, seen: SEEN) -> None:
    for name in ("worker-0.sidecar", "enqueuer"):
        LogFile(folder / f"{name}.log").write("{}")
    logs.look()
    assert seen == []


def test_when_a_file_became_large_the_next_one_is_shown_from_its_beginning(
    folder: Path, logs: JobLogs, seen: SEEN
) -> None:
    log = LogFile(folder / "worker-0.api.log", max_bytes=10)
    log.write("12345678")
    logs.look()
    log.write("next")
    logs.look()
    assert [line for *_, line in seen] == ["12345678", "next"]


def test_what_was_printed_before_a_file_became_large_is_shown_too(folder: Path, logs: JobLogs, seen: SEEN) -> None:
    log = LogFile(folder / "worker-0.api.log", max_bytes=20)
    for line in ("one", "two", "three", "four", "five", "six"):
        if line == "two":
            logs.look()
        log.write(line)
    logs.look()
    assert [line for *_, line in seen] == ["one", "two", "three", "four", "five", "six"]


def test_of_much_output_a_part_is_read_at_a_time(
    folder: Path, logs: JobLogs, seen: SEEN, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_logs, "MAX_LINES_A_LOOK", 2)
    log = LogFile(folder / "worker-0.api.log")
    for number in range(10):
        log.write(f"line {number}")
    logs.look()
    assert [line for *_, line in seen] == ["line 0", "line 1"]
    for _ in range(10):
        logs.look()
    assert [line for *_, line in seen] == [f"line {number}" for number in range(10)]


def test_folders_that_cannot_be_listed_are_looked_at_again(
    folder: Path, logs: JobLogs, seen: SEEN, monkeypatch: pytest.MonkeyPatch
) -> None:
    LogFile(folder / "worker-0.api.log").write("one")

    def glob(_folder: Path, _pattern: str) -> list[Path]:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "glob", glob)
        logs.look()
    assert seen == []
    logs.look()
    assert seen == [("sum", "worker-0.api", "one")]
