from __future__ import annotations

import pytest

from dequeuer.jobs.checkpoint import Checkpoint, InvalidCheckpointError, dump_checkpoint, parse_checkpoint
from dequeuer.jobs.enqueue_error import EnqueueError, dump_error, parse_error

DEEP = b"[" * 100_000
CHECKPOINT = Checkpoint(batches=3, items=7, is_last=True, total=9)
ERROR = EnqueueError(message="too large", source="s3://b/k", offset=7)


def test_what_an_enqueuer_stores_comes_back_as_it_was() -> None:
    assert parse_checkpoint(dump_checkpoint(CHECKPOINT)) == CHECKPOINT
    assert parse_error(dump_error(ERROR)) == ERROR
    assert parse_error(dump_error(EnqueueError(message="x"))) == EnqueueError(message="x")


@pytest.mark.parametrize(
    "text", [b"", b"\xff", b"[]", b"{}", DEEP, dump_checkpoint(CHECKPOINT).replace(b":7,", b":Infinity,")]
)
def test_other_text_is_no_checkpoint(text: bytes) -> None:
    with pytest.raises(InvalidCheckpointError):
        parse_checkpoint(text)


@pytest.mark.parametrize("text", [b"", b"\xff", b"[]", b"{}", DEEP, dump_error(ERROR).replace(b" 7}", b" Infinity}")])
def test_other_text_is_no_error(text: bytes) -> None:
    assert parse_error(text) is None
