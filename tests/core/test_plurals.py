from __future__ import annotations

from dequeuer.core.plurals import counted


def test_one_thing_is_no_plural() -> None:
    assert [counted(count, "item") for count in (0, 1, 2, 2000)] == ["0 items", "1 item", "2 items", "2,000 items"]
    assert [counted(count, "batch") for count in (1, 2)] == ["1 batch", "2 batches"]
