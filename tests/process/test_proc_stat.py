from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from dequeuer.process.proc_stat import parent_of, session_of


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc/<pid>/stat")
def test_fields_of_this_process() -> None:
    own = Path("/proc/self")
    assert (parent_of(own), session_of(own)) == (os.getppid(), os.getsid(0))


def test_the_name_of_a_program_may_hold_anything(tmp_path: Path) -> None:
    (tmp_path / "stat").write_bytes(b"7 (a) S 1 1 (\xff\n) S 40 41 42 0 -1 4194304")
    assert (parent_of(tmp_path), session_of(tmp_path)) == (40, 42)


@pytest.mark.parametrize("stat", [None, b"", b"7 (a)", b"7 (a) S"])
def test_a_process_that_has_ended_has_neither(tmp_path: Path, stat: bytes | None) -> None:
    if stat is not None:
        (tmp_path / "stat").write_bytes(stat)
    assert (parent_of(tmp_path), session_of(tmp_path)) == (None, None)
