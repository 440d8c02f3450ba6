"""Which lines the sidecar writes for its events."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dequeuer.core import events
from dequeuer.core.events import (
    ConsumptionPaused,
    ContainerProtocolChanged,
    ErrorKind,
    Event,
    GateChanged,
    LeaseLost,
    LimitChanged,
    Probed,
    ProcessPhaseChanged,
    Settled,
    SourceCalled,
    StoreCalled,
)
from dequeuer.observability.logs import EventLog, sidecar_event_log
from dequeuer.observability.logs.failure_period import MAX_PERIODS_PER_MINUTE
from tests.observability.logs.captured import Clock, Lines, configured, names


@pytest.fixture
def observer(lines: Lines, clock: Clock) -> EventLog:
    return sidecar_event_log("my-api", clock=clock)


def settled(settlement: Any, *, ref: str = "", reason: str = "") -> Settled:
    return Settled(message_id="m-1", ref=ref, settlement=settlement, reason=reason, held_s=1.23456789, receive_count=2)


def probed(*, healthy: bool, detail: str = "", warning: bool = False) -> Probed:
    return Probed(probe="web:http_get", ok=healthy, healthy=healthy, changed=False, detail=detail, warning=warning)


def stored(error: Any = None, op: Any = "get") -> StoreCalled:
    return StoreCalled(op=op, duration_s=0.0, error=error, detail="503 SlowDown" if error else "")


def sourced(error: Any = None, op: Any = "receive") -> SourceCalled:
    return SourceCalled(op=op, messages=0, duration_s=0.0, error=error, detail="no route" if error else "")


def test_a_line_is_one_json_object_with_its_time_in_utc(observer: EventLog, lines: Lines) -> None:
    before = datetime.now(UTC)
    observer(settled("completed", ref="request-1"))
    (line,) = lines()
    stamp = line.pop("timestamp")
    assert before <= datetime.fromisoformat(stamp) <= datetime.now(UTC)
    assert stamp.endswith("Z")
    assert line == {
        "event": "message_settled",
        "level": "info",
        "api_name": "my-api",
        "request_id": "request-1",
        "settlement": "completed",
        "held_s": 1.234568,
        "receive_count": 2,
    }


def test_a_batch_has_its_job_and_message_id(lines: Lines) -> None:
    sidecar_event_log("my-api", "job-7")(settled("rejected", reason="status 500"))
    (line,) = lines()
    assert (line["job_id"], line["message_id"], line["reason"]) == ("job-7", "m-1", "status 500")
    assert line["level"] == "warning"
    assert "request_id" not in line


@pytest.mark.parametrize("settlement", get_args(events.Settlement))
def test_level_of_each_settlement(observer: EventLog, lines: Lines, settlement: str) -> None:
    observer(settled(settlement))
    (line,) = lines()
    expected = {"failed": "warning", "retried": "warning", "rejected": "warning", "poison": "warning", "error": "error"}
    assert line["level"] == expected.get(settlement, "info")


def test_reasons_are_cut_and_cannot_forge_a_line(observer: EventLog, lines: Lines) -> None:
    observer(settled("poison", reason='"}\n{"event": "forged"}\n' + "x" * 100_000))
    (line,) = lines()
    assert len(line["reason"]) == 256
    assert line["event"] == "message_settled"


def test_a_level_above_info_omits_successes() -> None:
    out = configured("warning")
    observer = sidecar_event_log("my-api")
    observer(settled("completed"))
    observer(settled("failed"))
    (line,) = out.getvalue().splitlines()
    assert json.loads(line)["settlement"] == "failed"


def test_a_successful_call_does_not_read_the_clock_even_after_an_outage() -> None:
    looks: list[float] = []

    def clock() -> float:
        looks.append(0.0)
        return 0.0

    observer = sidecar_event_log("my-api", clock=clock)
    for event in (stored("unavailable"), stored("denied"), sourced("unavailable"), stored(), sourced()):
        observer(event)
    looks.clear()
    for event in (stored(), sourced()) * 10:
        observer(event)
    assert looks == []


@pytest.mark.parametrize(("event", "group"), [(stored, "store"), (sourced, "queue")])
def test_a_thousand_errors_are_one_line_and_the_end_is_another(
    observer: EventLog, lines: Lines, clock: Clock, event: Callable[[Any], Event], group: str
) -> None:
    for _ in range(1000):
        observer(event("unavailable"))
        clock.now += 0.5
    (line,) = lines()
    assert (line["event"], line["level"]) == (f"{group}_unavailable", "warning")
    assert line["detail"]
    observer(event(None))
    observer(event(None))
    (line,) = lines()
    assert (line["event"], line["level"]) == (f"{group}_available", "info")
    assert (line["after_s"], line["failed_calls"]) == (500.0, 1000)


def test_the_next_outage_is_logged_again(observer: EventLog, lines: Lines) -> None:
    for error in ("unavailable", None, "unavailable", None):
        observer(stored(error))
    told = lines()
    assert names(told) == ["store_unavailable", "store_available"] * 2
    assert [line.get("failed_calls") for line in told] == [None, 1, None, 1]


def test_queue_and_store_fail_apart(observer: EventLog, lines: Lines) -> None:
    observer(stored("unavailable"))
    observer(sourced())
    observer(sourced("unavailable"))
    observer(stored())
    assert names(lines()) == ["store_unavailable", "queue_unavailable", "store_available"]


@pytest.mark.parametrize("error", ["missing", "refused", "invalid"])
def test_other_errors_are_no_outage_and_end_one(observer: EventLog, lines: Lines, error: Any) -> None:
    observer(stored(error))
    assert lines() == []
    observer(stored("unavailable"))
    observer(stored(error))
    assert names(lines()) == ["store_unavailable", "store_available"]


def test_alternating_failures_and_successes_do_not_fill_the_log(observer: EventLog, lines: Lines, clock: Clock) -> None:
    for _ in range(600):
        observer(stored("unavailable"))
        observer(stored())
        clock.now += 0.1
    assert len(lines()) <= 2 * MAX_PERIODS_PER_MINUTE


def test_an_outage_whose_line_was_suppressed_is_logged_when_it_lasts(
    observer: EventLog, lines: Lines, clock: Clock
) -> None:
    for _ in range(MAX_PERIODS_PER_MINUTE):
        observer(stored("unavailable"))
        observer(stored())
    lines()
    observer(stored("unavailable"))
    assert lines() == []
    clock.now += 61
    observer(stored("unavailable"))
    observer(stored())
    first, second = lines()
    assert (first["event"], second["event"]) == ("store_unavailable", "store_available")
    assert (second["after_s"], second["failed_calls"]) == (61.0, 2)


def test_denied_is_one_line_an_operation_until_it_changes(observer: EventLog, lines: Lines) -> None:
    for _ in range(1000):
        observer(stored("denied", "put"))
        observer(stored(None, "get"))
    (line,) = lines()
    assert (line["event"], line["level"], line["op"]) == ("store_denied", "error", "put")
    observer(stored("denied", "delete"))
    observer(stored(None, "put"))
    first, second = lines()
    assert (first["event"], first["op"]) == ("store_denied", "delete")
    assert (second["event"], second["op"], second["failed_calls"]) == ("store_allowed", "put", 1000)


def test_a_denial_names_code_permission_and_what_to_check(observer: EventLog, lines: Lines) -> None:
    observer(StoreCalled(op="put", duration_s=0.1, error="denied", detail="S3 answered 403", code="AccessDenied"))
    observer(StoreCalled(op="get", duration_s=0.1, error="denied", code="KMS.DisabledException"))
    plain, kms = lines()
    assert (plain["code"], plain["permission"]) == ("AccessDenied", "s3:PutObject")
    assert "kms:GenerateDataKey" in plain["hint"]
    assert (kms["code"], kms["permission"]) == ("KmsDisabled", "kms:Decrypt")


def test_a_denial_of_results_is_one_line_whatever_else_can_be_written(observer: EventLog, lines: Lines) -> None:
    for number in range(20):
        result, marker = f"{number}/result.json", f"{number}/status/in_progress"
        observer(StoreCalled(op="put", duration_s=0.1, error="denied", code="AccessDenied", key=result))
        observer(StoreCalled(op="put", duration_s=0.0, error=None, key=marker))
    observer(StoreCalled(op="put", duration_s=0.0, error=None, key="0/result.json"))
    assert names(lines()) == ["store_denied", "store_allowed"]


def test_a_refusal_shows_that_the_service_is_back(observer: EventLog, lines: Lines) -> None:
    observer(sourced("unavailable"))
    observer(sourced("denied"))
    assert names(lines()) == ["queue_unavailable", "queue_available", "queue_denied"]


def test_a_probe_is_one_line_when_it_fails_and_one_when_it_recovers(observer: EventLog, lines: Lines) -> None:
    for _ in range(1000):
        observer(probed(healthy=False, detail="refused"))
    (line,) = lines()
    assert (line["event"], line["level"], line["detail"]) == ("probe_failing", "info", "refused")
    for _ in range(1000):
        observer(probed(healthy=True))
    for _ in range(1000):
        observer(probed(healthy=False, detail="status 500"))
    told = lines()
    assert [(line["event"], line["level"]) for line in told] == [
        ("probe_healthy", "info"),
        ("probe_failing", "warning"),
    ]


def test_a_failure_below_the_threshold_is_not_yet_a_line(observer: EventLog, lines: Lines) -> None:
    observer(probed(healthy=True))
    lines()
    observer(Probed(probe="web:http_get", ok=False, healthy=True, changed=False, detail="x", warning=False))
    assert lines() == []


def test_a_warning_of_a_probe_is_logged_once_until_its_state_changes(observer: EventLog, lines: Lines) -> None:
    for _ in range(100):
        observer(probed(healthy=True, detail="more than ten redirects", warning=True))
    assert names(lines()) == ["probe_healthy", "probe_warning"]
    observer(probed(healthy=False))
    observer(probed(healthy=True, detail="more than ten redirects", warning=True))
    assert names(lines()) == ["probe_failing", "probe_healthy", "probe_warning"]


def test_concurrency_is_a_line_when_something_is_found_not_for_every_trial(observer: EventLog, lines: Lines) -> None:
    observer(LimitChanged(limit=1, baseline=1, reason="started"))
    observer(LimitChanged(limit=2, baseline=1, reason="more"))
    observer(LimitChanged(limit=2, baseline=2, reason="kept"))
    observer(LimitChanged(limit=4, baseline=2, reason="more"))
    observer(LimitChanged(limit=2, baseline=2, reason="undone"))
    found = [(line["event"], line["limit"], line["reason"]) for line in lines()]
    assert found == [("concurrency_found", 1, "started"), ("concurrency_found", 2, "kept")]


def test_a_container_that_does_not_speak_http_is_logged_with_what_it_looks_like(
    observer: EventLog, lines: Lines
) -> None:
    observer(ContainerProtocolChanged(looks_like="TLS"))
    observer(ContainerProtocolChanged(looks_like=""))
    begun, ended = lines()
    assert (begun["event"], begun["level"], begun["detail"]) == ("container_not_http", "error", "looks like TLS")
    assert "DEQUEUER_USER_PORT" in begun["hint"]
    assert (ended["event"], ended["level"]) == ("container_hold_ended", "info")


def test_a_pause_is_a_line_and_its_end_another_one(observer: EventLog, lines: Lines) -> None:
    observer(ConsumptionPaused(is_paused=True))
    observer(ConsumptionPaused(is_paused=False))
    told = [(line["event"], line["level"]) for line in lines()]
    assert told == [("consumption_paused", "info"), ("consumption_resumed", "info")]


def test_lines_of_gate_lease_and_phases(observer: EventLog, lines: Lines) -> None:
    observer(GateChanged(is_open=True))
    observer(GateChanged(is_open=False))
    observer(LeaseLost(message_id="m-1", reason="renewal refused"))
    for phase in ("started", "drain", "release", "drained", "queue_empty", "idle", "max_messages"):
        observer(ProcessPhaseChanged(phase=phase, in_flight=3))
    told = lines()
    assert [(line["event"], line["level"]) for line in told] == [
        ("container_ready", "info"),
        ("container_not_ready", "info"),
        ("lease_lost", "warning"),
        ("started", "info"),
        ("draining", "info"),
        ("grace_over_releasing", "warning"),
        ("drained", "info"),
        ("queue_empty", "info"),
        ("idle_time_reached", "info"),
        ("max_messages_reached", "info"),
    ]
    assert (told[2]["message_id"], told[2]["reason"]) == ("m-1", "renewal refused")
    assert told[4]["in_flight"] == 3


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happened=st.lists(st.one_of(*(st.from_type(kind) for kind in get_args(events.Event)))))
def test_every_event_makes_at_most_two_whole_lines(lines: Lines, happened: list[Event]) -> None:
    observer = sidecar_event_log("my-api", "job")
    for event in happened:
        observer(event)
        told = lines()
        assert len(told) <= 2
        for line in told:
            assert {"timestamp", "level", "event", "api_name", "job_id"} <= line.keys()


def test_each_of_several_queues_has_lines_of_its_own(observer: EventLog, lines: Lines) -> None:
    begins: tuple[tuple[str, ErrorKind | None], ...] = (
        ("low", "unavailable"),
        ("high", None),
        ("low", "unavailable"),
        ("high", "denied"),
    )
    for queue, error in begins:
        observer(SourceCalled(op="ack", messages=1, duration_s=0, error=error, queue=queue))
    told = [(line["event"], line["queue"]) for line in lines()]
    assert told == [("queue_unavailable", "low"), ("queue_denied", "high")]
    ends: tuple[tuple[str, ErrorKind | None], ...] = (("low", "denied"), ("high", None), ("low", None))
    for queue, error in ends:
        observer(SourceCalled(op="ack", messages=1, duration_s=0, error=error, queue=queue))
    told = [(line["event"], line["queue"]) for line in lines()]
    assert told == [
        ("queue_available", "low"),
        ("queue_denied", "low"),
        ("queue_allowed", "high"),
        ("queue_allowed", "low"),
    ]
