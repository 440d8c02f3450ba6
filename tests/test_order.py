"""Which test files begin first."""

from __future__ import annotations

from pathlib import Path

from tests.order import LONG_FILES, rank

ROOT = Path(__file__).resolve().parents[1]


def test_long_files_begin_first_and_exist() -> None:
    assert all((ROOT / file).exists() for file in LONG_FILES)
    others = ["tests/aws/test_signing.py::test_b", "tests/aws/test_signing.py::test_a"]
    long = [f"{file}::test" for file in LONG_FILES]
    assert sorted([*others, *reversed(long)], key=rank) == [*long, *others]
