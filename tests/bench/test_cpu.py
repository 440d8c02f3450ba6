from typing import Any

import pytest

from bench.child import BenchError
from bench.cpu import rates, window
from bench.floor_plan import WIRE_FORMAT, due, same_requests
from bench.nginx import operations
from bench.sidecar import faults


def observed() -> dict[str, Any]:
    first = {"count": 1000, "at_s": 10.0, "cpu_s": 1.0, "peak_mib": 50.0, "requests": {"GetObject": 2000, "POST": 1000}}
    later = {"GetObject": 4000, "POST": 2000, "ReceiveMessage": 100, "ListObjectsV2": 1}
    last = {"count": 2000, "at_s": 12.0, "cpu_s": 1.4, "peak_mib": 51.0, "requests": later}
    return {"marks": [first, last], "done": 2100, "requests": {"ReceiveMessage": 210}}


def test_only_what_lies_between_the_counts_is_taken() -> None:
    found = window(observed())
    assert found.cpu_ms == pytest.approx(0.4)
    assert (found.per_s, found.peak_mib) == (500.0, 51.0)
    assert found.requests == {"GetObject": 2000, "POST": 1000, "ReceiveMessage": 100, "ListObjectsV2": 1}
    assert rates(found) == {"GetObject": 2.0, "POST": 1.0, "ReceiveMessage": 0.1}


def test_the_container_is_not_aws() -> None:
    assert window(observed()).aws_requests == pytest.approx(2.101)


def test_requests_to_others_are_those_of_the_whole_run() -> None:
    found = window(observed(), {"GetObject": 4200, "POST": 2100})
    assert found.cpu_ms == pytest.approx(0.4)
    assert found.aws_requests == pytest.approx(2.1)


def test_a_fraction_of_a_request_is_sent_every_so_many_messages() -> None:
    messages = due({"PutObject": 2, "DeleteObjects": 0.1, "GetObject": 1.5})
    sent = [name for _ in range(100) for name in next(messages)]
    assert [sent.count(name) for name in ("GetObject", "PutObject", "DeleteObjects")] == [150, 200, 10]


def test_the_wire_format_comes_in_its_order() -> None:
    assert next(due(WIRE_FORMAT["async"])) == [*["GetObject"] * 2, "POST", *["PutObject"] * 3, "DeleteObject"]


def test_the_second_floor_sends_what_was_counted() -> None:
    counted = {"GetObject": 2000, "POST": 1000, "ReceiveMessage": 1000, "DeleteMessageBatch": 100, "unexpected": 0}
    assert same_requests(counted, 1000) == ({"GetObject": 2.0, "POST": 1.0}, 1, 10)
    assert same_requests({"ReceiveMessage": 2000}, 1000)[1:] == (1, 10)


def test_an_access_log_is_counted() -> None:
    assert operations("GetObject 200\nPutObject 201\nGetObject 200\n") == {"GetObject": 2, "PutObject": 1}


@pytest.mark.parametrize("line", ["PutObject 304", "GetObject 404", "unexpected 200"])
def test_a_request_that_nginx_refuses_makes_the_run_void(line: str) -> None:
    with pytest.raises(BenchError, match=line):
        operations(f"GetObject 200\n{line}\n")


METRICS = """# HELP dequeuer_messages_total Messages settled, by how.
dequeuer_messages_total{settlement="completed"} 5.0
dequeuer_messages_total{settlement="released"} 0.0
dequeuer_store_calls_total{error="none",op="get"} 10.0
dequeuer_leases_lost_total 0.0
"""


def test_a_sound_run_has_no_faults() -> None:
    assert faults(METRICS) == []


@pytest.mark.parametrize(
    "sample",
    [
        'dequeuer_messages_total{settlement="failed"} 1.0',
        'dequeuer_messages_total{settlement="released"} 1.0',
        'dequeuer_source_calls_total{error="unavailable",op="receive"} 2.0',
        'dequeuer_store_calls_total{error="missing",op="get"} 1.0',
        "dequeuer_leases_lost_total 1.0",
    ],
)
def test_anything_else_is_a_fault(sample: str) -> None:
    assert faults(f"{METRICS}{sample}\n") == [sample]
