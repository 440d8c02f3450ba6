"""The file of the keys is read again when it changes."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from dequeuer.core.errors import ConfigurationError
from dequeuer.webhooks.keys import MAX_BYTES, KeyFile, load_keys


def written(letter: bytes) -> str:
    return f"whsec_{base64.b64encode(letter * 32).decode()}\n"


def replace(file: Path, text: str) -> None:
    """Replace a file as Kubernetes does: by another one."""
    other = file.with_suffix(".new")
    other.write_text(text)
    other.rename(file)


def test_keys_are_replaced_and_a_fault_keeps_the_old_ones(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(written(b"a"))
    reports: list[str] = []
    keys = KeyFile(str(file), reports.append)
    assert keys.keys() == keys.keys() == (b"a" * 32,)
    replace(file, written(b"a") + written(b"b"))
    assert keys.keys() == (b"a" * 32, b"b" * 32)
    replace(file, "whsec_not-base64")
    assert keys.keys() == keys.keys() == (b"a" * 32, b"b" * 32)
    file.unlink()
    assert keys.keys() == keys.keys() == (b"a" * 32, b"b" * 32)
    replace(file, written(b"c"))
    assert keys.keys() == (b"c" * 32,)
    assert [bool(report) for report in reports] == [False, True, True, False]
    assert not any("not-base64" in report for report in reports)


@pytest.mark.parametrize("content", [b"", b"\xff", b"x" * (MAX_BYTES + 1), b"secret"])
def test_a_file_that_is_wrong_is_refused_without_a_quote(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "keys"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load_keys(str(file))
    assert str(file) in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_absent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_keys(str(tmp_path / "none"))
