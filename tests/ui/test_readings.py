"""What is read of the metrics of the programs, as they write them."""

from __future__ import annotations

import pytest

from dequeuer.core.events import GateChanged, GatewayRequestEnded, Received, Settled, Settlement, StatusClass
from dequeuer.observability.metrics import Metrics
from dequeuer.observability.metrics.gateway import GatewayMetrics
from dequeuer.proxy.metrics import ProxyMetrics
from dequeuer.proxy.record import RequestRecord
from dequeuer.ui.readings import Reading, readings_of
from dequeuer.ui.scraping import MAX_SAMPLES, samples_of


def read(text: bytes, api_name: str = "api") -> dict[str, Reading]:
    return dict(readings_of(samples_of(text.decode()), api_name))


def settle(metrics: Metrics, settlement: Settlement, held_s: float = 0.3) -> None:
    metrics(Received(message_id="m", receive_count=1, queued_s=None))
    metrics(Settled(message_id="m", ref="", settlement=settlement, reason="", held_s=held_s, receive_count=1))


def test_a_sidecar_says_what_ended_and_how_what_is_in_flight_and_whether_it_is_ready() -> None:
    metrics = Metrics("async", "api", "", 1)
    assert read(metrics.render())["api"].is_ready is False
    settlements: tuple[Settlement, ...] = (
        *("completed", "completed", "succeeded", "failed", "rejected", "poison", "retried"),
    )
    for settlement in settlements:
        settle(metrics, settlement)
    metrics(Received(message_id="n", receive_count=1, queued_s=None))
    metrics(GateChanged(is_open=True))
    reading = read(metrics.render())["api"]
    assert (reading.source, reading.in_flight, reading.is_ready) == ("sidecar", 1, True)
    assert (reading.totals.completed, reading.totals.failed) == (3, 3)
    assert (reading.totals.buckets[0.25], reading.totals.buckets[0.5], reading.totals.buckets[float("inf")]) == (
        0,
        7,
        7,
    )
    assert read(metrics.render(), "") == {}, "nobody says whose they are"


def test_a_proxy_says_what_was_answered_and_what_runs_and_waits() -> None:
    metrics = ProxyMetrics()
    metrics.read_from(executing=lambda: 2, queued=lambda: 3, limit=lambda: 8, connections=lambda: 9)
    for status in (200, 404, 503, 0):
        record = RequestRecord(b"GET", b"/", 100.0)
        record.status, record.ended_at = status, 100.2
        metrics.request_ended(record)
    reading = read(metrics.render())["api"]
    assert (reading.source, reading.in_flight, reading.totals.completed, reading.totals.failed) == ("proxy", 5, 2, 1)
    assert reading.totals.buckets[0.25] == 4


def test_a_gateway_says_it_of_each_api_by_its_name() -> None:
    metrics = GatewayMetrics(["hello", "split"])
    statuses: tuple[StatusClass, ...] = ("2xx", "2xx", "4xx", "5xx", "none")
    for status in statuses:
        metrics(GatewayRequestEnded(route="x", api_name="hello", status=status, duration_s=0.1, reason=""))
    found = read(metrics.render(), "")
    assert {name: (one.totals.completed, one.totals.failed) for name, one in found.items()} == {
        "hello": (3, 1),
        "split": (0, 0),
    }


@pytest.mark.parametrize(
    "line",
    [
        "dequeuer_in_flight",
        "dequeuer_in_flight x",
        "dequeuer_in_flight NaN",
        "dequeuer_in_flight +Inf",
        "dequeuer_in_flight -1",
        "dequeuer_in_flight 1e16",
        'dequeuer_in_flight{a="b} 1',
        'dequeuer_in_flight{a="b"} 1 x',
        "dequeuer_in_flight_other 1",
        "# HELP dequeuer_in_flight 1",
        " dequeuer_in_flight 1",
    ],
)
def test_lines_of_another_form_are_passed_over(line: str) -> None:
    assert list(samples_of(line)) == []


def test_labels_are_read_with_their_escapes() -> None:
    line = 'dequeuer_gateway_api_requests_total{api_name="a\\"b\\\\c\\nd",status="2xx"} 1e+03 1700000000000\r'
    [sample] = samples_of(line)
    assert (sample.labels, sample.value) == ({"api_name": 'a"b\\c\nd', "status": "2xx"}, 1000)


@pytest.mark.parametrize("labels", ["a" * 300_000, 'a="b",' * 50_000, '"\\"' * 100_000, 'a="' + '\\"' * 150_000])
def test_a_line_is_read_once_whatever_it_holds(labels: str) -> None:
    """Names were looked for again from each of their letters: a line of 40 kB took a minute."""
    for end in ("", "} 1", " 1"):
        assert len(list(samples_of(f"dequeuer_in_flight{{{labels}{end}"))) <= 1


def test_bounds_of_latencies_that_no_time_has_are_passed_over() -> None:
    lines = "".join(
        f'dequeuer_message_held_seconds_bucket{{le="{bound}"}} 3\n'
        for bound in ("-Inf", "-1", "NaN", "x", "0.5", "+Inf")
    )
    found = read(f"dequeuer_messages_total 1\n{lines}".encode())["api"]
    assert found.totals.buckets == {0.5: 3, float("inf"): 3}


def test_what_is_read_is_bounded() -> None:
    text = "dequeuer_in_flight 1\n" * (MAX_SAMPLES + 10)
    assert len(list(samples_of(text))) == MAX_SAMPLES
