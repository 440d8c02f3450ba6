from __future__ import annotations

import os
from pathlib import Path

import pytest

from dequeuer.files.reading import UnreadableError, read_bounded


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert read_bounded(str(path), 3) == b"abc"
    with pytest.raises(UnreadableError, match="larger than 2 bytes"):
        read_bounded(str(path), 2)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, why in [("none", "No such file"), (".", "no regular file"), ("pipe", "no regular file"), ("a\0", "NUL")]:
        with pytest.raises(UnreadableError, match=why):
            read_bounded(str(tmp_path / name), 10)
