from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from dequeuer.controller.launchers.local.log_file import LogFile
from dequeuer.files import log_reader
from dequeuer.files.log_reader import LogReader, log_names

NAME = "worker-0.api"


def write(folder: Path, *lines: str, max_bytes: int = 1000) -> None:
    log = LogFile(folder / f"{NAME}.log", max_bytes)
    for line in lines:
        log.write(line)


def read(reader: LogReader) -> list[str]:
    return [line.decode() for line in reader.lines()]


def all_of(folder: Path, tail: int | None = None) -> list[str]:
    reader = LogReader(folder, NAME, tail)
    return read(reader) + [line.decode() for line in reader.rest()]


def numbered(first: int, last: int) -> list[str]:
    return [f"line {number:04}" for number in range(first, last)]


def test_both_files_of_a_log_are_read_in_their_order(tmp_path: Path) -> None:
    write(tmp_path, *numbered(0, 150))
    assert (tmp_path / f"{NAME}.1.log").exists()
    assert all_of(tmp_path) == numbered(0, 150)


@pytest.mark.parametrize("tail", [0, 1, 49, 50, 51, 149, 1000])
@pytest.mark.parametrize("read_bytes", [7, 64 * 1024])
def test_the_last_lines_go_over_both_files(
    tmp_path: Path, tail: int, read_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_reader, "READ_BYTES", read_bytes)
    write(tmp_path, *numbered(0, 150))
    assert all_of(tmp_path, tail) == all_of(tmp_path)[len(all_of(tmp_path)) - min(tail, len(all_of(tmp_path))) :]


def test_a_log_that_grows_is_followed_through_its_replacements(tmp_path: Path) -> None:
    reader, found = LogReader(tmp_path, NAME), list[str]()
    for first in range(0, 2000, 37):
        write(tmp_path, *numbered(first, first + 37))
        found += read(reader)
    assert found == numbered(0, first + 37)


@pytest.mark.parametrize("seed", range(20))
def test_no_line_is_lost_or_doubled_whenever_one_looks(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(log_reader, "READ_BYTES", chance.choice([1, 5, 64, 1000]))
    log = LogFile(tmp_path / f"{NAME}.log", max_bytes=chance.choice([15, 100, 1000]))
    reader, written, found = LogReader(tmp_path, NAME), list[str](), list[str]()
    for _ in range(300):
        before = log_numbers(tmp_path)
        written.append("x" * chance.randrange(12))
        log.write(written[-1])
        if log_numbers(tmp_path) != before or chance.random() < 0.2:  # a look after each replacement at the latest
            found += read(reader)
    found += read(reader)
    assert found == written


def log_numbers(folder: Path) -> list[int]:
    return [path.stat().st_ino for path in sorted(folder.iterdir())]


def test_a_log_that_was_replaced_twice_between_two_looks_goes_on_with_what_is_there(tmp_path: Path) -> None:
    write(tmp_path, *numbered(0, 10))
    reader = LogReader(tmp_path, NAME)
    found = read(reader)
    write(tmp_path, *numbered(10, 250))
    found += read(reader)
    assert found[:10] == numbered(0, 10)
    assert found[-50:] == numbered(200, 250)
    assert found == sorted(set(found))


def test_a_log_that_appears_later_is_read_from_its_beginning(tmp_path: Path) -> None:
    reader = LogReader(tmp_path, NAME, tail=0)
    assert read(reader) == []
    write(tmp_path, "one", "two")
    assert read(reader) == ["one", "two"]


def test_half_a_line_waits_for_the_rest_of_it(tmp_path: Path) -> None:
    path = tmp_path / f"{NAME}.log"
    path.write_bytes(b"one\ntw")
    reader = LogReader(tmp_path, NAME)
    assert read(reader) == ["one"]
    with path.open("ab") as file:
        file.write(b"o\nthr")
    assert read(reader) == ["two"]
    assert list(reader.rest()) == [b"thr"]


def test_a_line_without_end_takes_bounded_memory(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.log").write_bytes(b"x" * 1_000_000)
    reader = LogReader(tmp_path, NAME)
    assert max(len(line) for line in [*reader.lines(), *reader.rest()]) <= 2 * log_reader.MAX_LINE_BYTES


def test_what_is_no_regular_file_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (tmp_path / f"{NAME}.log").symlink_to(secret)
    os.mkfifo(tmp_path / f"{NAME}.1.log")
    assert all_of(tmp_path) == []


def test_processes_are_named_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("worker-10.api", "worker-2.sidecar", "worker-2.api", "enqueuer", "worker-2.api.1"):
        (tmp_path / f"{name}.log").touch()
    (tmp_path / "other.txt").touch()
    assert log_names(tmp_path) == ["enqueuer", "worker-2.api", "worker-2.sidecar", "worker-10.api"]
