"""Parts of the tests have each test once."""

from __future__ import annotations

import pytest

from tests.parts import part_of, worlds_of

NAMES = [f"tests/a/test_b.py::test_{number}[{number % 7}]" for number in range(3000)]


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_each_test_is_in_one_part(parts: int) -> None:
    selected = [[name for name in NAMES if part_of(f"{part}/{parts}")(name)] for part in range(1, parts + 1)]

    assert sorted(name for names in selected for name in names) == sorted(NAMES)
    assert all(len(names) > len(NAMES) / parts * 0.8 for names in selected)


def test_without_a_part_each_test_is_selected() -> None:
    assert all(map(part_of(""), NAMES))


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "1/0", "a/b", "1/3 ", "-1/3", "1/1000"])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^PART is .*; it is <part>/<parts>, from 1/1 to 999/999"):
        part_of(text)
    with pytest.raises(ValueError, match=r"^SIMULATION_PART is .*; it is <part>/<parts>, from 1/1 to 999/999"):
        worlds_of(text, 7)


@pytest.mark.parametrize("count", [0, 1, 2, 7, 250])
def test_each_world_is_in_one_part(count: int) -> None:
    parts = [worlds_of(f"{part}/3", count) for part in (1, 2, 3)]

    assert [world for part in parts for world in part] == list(range(count)) == list(worlds_of("", count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
