"""Which lines the gateway writes about the shadow of a TrafficSplitter."""

from __future__ import annotations

from dequeuer.core.events import CopyEnded, CopyResult
from dequeuer.observability.logs import gateway_event_log
from tests.observability.logs.captured import Clock, Lines


def ended(result: CopyResult, splitter: str = "split") -> CopyEnded:
    return CopyEnded(splitter=splitter, api_name="next", result=result)


def test_a_shadow_that_fails_is_logged_once_and_so_is_its_end(lines: Lines, clock: Clock) -> None:
    observe = gateway_event_log(clock=clock)
    for result in ("responded", "incomplete", "slow", "incomplete", "unreachable", "timeout"):
        observe(ended(result))
        clock.now += 1
    observe(ended("broken", "other"))
    for _ in range(2):
        observe(ended("responded"))
    written = lines()
    assert [(line["event"], line["level"], line["splitter"]) for line in written] == [
        ("shadow_failing", "warning", "split"),
        ("shadow_failing", "warning", "other"),
        ("shadow_responding", "info", "split"),
    ]
    assert written[0]["result"] == "slow"
    assert (written[2]["after_s"], written[2]["failures"], written[2]["api_name"]) == (4.0, 3, "next")
