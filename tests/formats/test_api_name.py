from __future__ import annotations

import pytest

from dequeuer.formats.api_name import is_api_name


@pytest.mark.parametrize("name", ["a", "7", "iris-v1.2_B", "a" * 128])
def test_a_name_is_letters_digits_and_three_signs(name: str) -> None:
    assert is_api_name(name)


@pytest.mark.parametrize(
    "name", ["", "a" * 129, "a\n", "\na", "a/b", "..", ".a", "-a", "_dead-letters", "a b", "a%2f", "\xe4", "\u0661"]
)
def test_what_could_leave_a_key_or_a_path_is_none(name: str) -> None:
    assert not is_api_name(name)
