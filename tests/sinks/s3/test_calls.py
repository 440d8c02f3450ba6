from __future__ import annotations

import pytest

from dequeuer.core.errors import StoreDeniedError, StoreMissingError, StoreUnavailableError
from dequeuer.core.events import StoreCalled, StoreOp
from dequeuer.sinks.s3.calls import CallReporter
from tests.fakes import Recorder


async def outcome(error: Exception | None) -> int:
    if error is not None:
        raise error
    return 7


async def test_what_a_call_returns_is_returned_and_reported() -> None:
    seen = Recorder()
    assert await CallReporter(seen).run("get", outcome(None), "a/key") == 7
    assert [(event.op, event.error, event.key) for event in seen.of(StoreCalled)] == [("get", None, "a/key")]


async def test_a_refusal_is_reported_with_its_code_and_what_it_is_about() -> None:
    seen = Recorder()
    with pytest.raises(StoreDeniedError):
        await CallReporter(seen).run("put", outcome(StoreDeniedError("S3 answered 403", "AccessDenied")), "a/key")
    [event] = seen.of(StoreCalled)
    assert (event.error, event.code, event.key, event.detail) == ("denied", "AccessDenied", "a/key", "S3 answered 403")


@pytest.mark.parametrize("op", ["get", "list", "delete"])
async def test_what_is_missing_for_a_reader_is_missing(op: StoreOp) -> None:
    seen = Recorder()
    with pytest.raises(StoreMissingError):
        await CallReporter(seen).run(op, outcome(StoreMissingError("S3 answered 404")))
    assert [(event.error, event.detail) for event in seen.of(StoreCalled)] == [("missing", "")]


async def test_a_write_that_is_answered_404_is_tried_again() -> None:
    """Otherwise the handler would take the error for a missing payload, and fail the request."""
    seen = Recorder()
    with pytest.raises(StoreUnavailableError, match="404"):
        await CallReporter(seen).run("put", outcome(StoreMissingError("S3 answered 404")), "a/key")
    assert [(event.error, event.key) for event in seen.of(StoreCalled)] == [("unavailable", "a/key")]
