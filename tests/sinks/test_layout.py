"""The keys: those of Cortex, and those beside them that can be no request's."""

from __future__ import annotations

from dequeuer.formats.request_id import is_request_id
from dequeuer.sinks.layout import ApiKeys, RequestKeys, workloads_prefix


def test_the_keys_of_a_request_are_those_of_cortex() -> None:
    keys = RequestKeys("uid", "api", "r1")
    assert (keys.headers, keys.payload, keys.result, keys.completed, keys.failed, keys.status("in_queue")) == (
        "uid/workloads/api/r1/headers.json",
        "uid/workloads/api/r1/payload",
        "uid/workloads/api/r1/result.json",
        "uid/workloads/api/r1/status/completed",
        "uid/workloads/api/r1/status/failed",
        "uid/workloads/api/r1/status/in_queue",
    )


def test_the_keys_of_an_api_expire_with_its_requests_and_are_no_request() -> None:
    keys = ApiKeys("uid", "api")
    for key in (keys.cancellation("r1"), keys.attempt("r1", 3), keys.idempotency_key("ab")):
        assert key.startswith(workloads_prefix("uid"))
        assert not is_request_id(key.removeprefix(keys.requests).partition("/")[0])
    assert keys.attempt("r1", 3) == "uid/workloads/api/_attempts/r1/0003"
    assert keys.cancellation("r1").removeprefix(keys.cancellations) == "r1"


def test_the_mark_of_a_cancellation_is_no_status() -> None:
    keys = RequestKeys("uid", "api", "r1")
    assert keys.cancel.startswith(keys.prefix)
    assert not keys.cancel.startswith(keys.status(""))
