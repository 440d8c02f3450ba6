import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench import proc

STAT = "7 (a name) R) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 9 9 20 0 3 0 1000 1 1 1"


def process(folder: Path, pid: int, *, children: str, rss: int, peak: int, schedstat: dict[int, int]) -> None:
    own = folder / str(pid)
    for task, nanoseconds in schedstat.items():
        (own / "task" / str(task)).mkdir(parents=True)
        (own / "task" / str(task) / "schedstat").write_text(f"{nanoseconds} 5 6\n")
        (own / "task" / str(task) / "children").write_text(children if task == pid else "")
    (own / "status").write_text(f"Name:\tx\nVmHWM:\t{peak} kB\nVmRSS:\t{rss} kB\n")
    (own / "stat").write_text(STAT)


def test_a_tree_is_added_up(tmp_path: Path) -> None:
    process(tmp_path, 7, children="8 ", rss=1024, peak=2048, schedstat={7: 10**9, 70: 5 * 10**8})
    process(tmp_path, 8, children="9", rss=512, peak=1024, schedstat={8: 10**8})
    process(tmp_path, 9, children="", rss=512, peak=1024, schedstat={9: 10**8})
    found = proc.usage(7, tmp_path)
    assert found.cpu_s == pytest.approx(1.7)
    assert (found.rss_mib, found.peak_mib) == (2.0, 4.0)


def test_threads_and_descendants_that_end_meanwhile_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process(tmp_path, 7, children="8 9", rss=1024, peak=2048, schedstat={7: 10**9, 70: 5 * 10**8})
    process(tmp_path, 8, children="", rss=512, peak=1024, schedstat={8: 10**8})
    gone = {tmp_path / "7" / "task" / "70" / name for name in ("children", "schedstat")}
    read = Path.read_text

    def read_text(path: Path, **how: str) -> str:
        if path in gone:
            raise FileNotFoundError(path)
        return read(path, **how)

    monkeypatch.setattr(Path, "read_text", read_text)
    found = proc.usage(7, tmp_path)
    assert found.cpu_s == pytest.approx(1.1)
    assert found.rss_mib == 1.5
    with pytest.raises(FileNotFoundError):
        proc.usage(9, tmp_path)


def test_without_an_account_in_nanoseconds_ticks_are_taken(tmp_path: Path) -> None:
    process(tmp_path, 7, children="", rss=1, peak=1, schedstat={7: 0})
    assert proc.usage(7, tmp_path).cpu_s == pytest.approx(300 / proc.TICKS_PER_S)


def test_a_name_may_hold_brackets_and_spaces() -> None:
    assert proc.stat_ticks(STAT) == 300


def test_a_real_process_and_its_child() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as parent:
        try:
            until = time.monotonic() + 60
            while len(members := proc.tree(parent.pid)) < 2 and time.monotonic() < until:
                time.sleep(0.01)
            used = proc.usage(parent.pid)
        finally:
            parent.communicate(b"\n")
    assert len(members) == 2
    assert members[0] == parent.pid
    assert used.cpu_s > 0
    assert used.peak_mib >= used.rss_mib > 1
    assert os.getpid() not in members
