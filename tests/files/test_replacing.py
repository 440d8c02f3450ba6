"""Files that are replaced by whole ones."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from dequeuer.files.replacing import replaced


def test_until_its_end_the_new_file_is_beside_the_old_one_and_of_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with replaced(path, 0o640) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
        [part] = tmp_path.glob(".file.*.part")
        assert (part.read_bytes(), stat.S_IMODE(part.stat().st_mode)) == (b"new", 0o600)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o640)
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_names_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="No space left") as raised, replaced(path) as file:
        file.write(b"new")
        raise OSError(28, "No space left on device")
    assert raised.value.filename == str(path)
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"old", [path])


def test_a_folder_in_which_nothing_can_be_made_is_an_error_before_the_context_begins(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replaced(tmp_path / "none" / "file").__enter__()
