from __future__ import annotations

import pytest

from dequeuer.formats.deadline import DEADLINE_ATTRIBUTE, deadline_of, encode_deadline


@pytest.mark.parametrize("at_s", [0.0, 1_700_000_000.0, 1_700_000_000.25, 1_700_000_000.9996])
def test_what_is_written_can_be_read(at_s: float) -> None:
    assert deadline_of({DEADLINE_ATTRIBUTE: encode_deadline(at_s)}) == pytest.approx(at_s, abs=0.001)


@pytest.mark.parametrize("text", ["", "soon", "-1", "1e9", "nan", "inf", "1.2345", "1 ", "\n1", "\u0661", "1" * 13])
def test_other_texts_are_no_deadline(text: str) -> None:
    assert deadline_of({DEADLINE_ATTRIBUTE: text}) is None


def test_most_messages_have_none() -> None:
    assert deadline_of({}) is None
