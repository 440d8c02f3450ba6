from __future__ import annotations

from pathlib import Path

from dequeuer.controller.launchers.local.log_file import LogFile


def test_the_file_and_the_one_before_it_are_kept(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "api.log", max_bytes=30)
    for number in range(10):
        log.write(f"line {number}")
    assert (tmp_path / "api.log").read_text() == "line 8\nline 9\n"
    assert (tmp_path / "api.1.log").read_text() == "line 4\nline 5\nline 6\nline 7\n"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_restart_goes_on_in_the_file(tmp_path: Path) -> None:
    LogFile(tmp_path / "api.log").write("one")
    LogFile(tmp_path / "api.log").write("two \udcff")
    assert (tmp_path / "api.log").read_text() == "one\ntwo ?\n"


def test_a_disk_that_takes_nothing_loses_lines_and_raises_nothing(tmp_path: Path) -> None:
    LogFile(tmp_path / "gone" / "api.log").write("line")
