"""Containers are killed: their requests are processed again, and none fails because of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from tests.faults.request_faults import RequestFaults
from tests.faults.servers import Servers
from tests.faults.stage import staged
from tests.faults.test_sidecar_kills import submit_many
from tests.integration.waiting import eventually

REQUESTS, KILLS = 400, 20


def test_no_request_fails_when_containers_are_killed_20_times(
    ministack: Servers, tmp_path: Path, print_at_end: Callable[[str], None]
) -> None:
    choice = random.Random(2)
    with staged(ministack, tmp_path, RequestFaults(2), "async", slots=3) as stage:
        submit_many(stage, REQUESTS)
        for _ in range(2):
            pod = stage.add_pod(DEQUEUER_VISIBILITY_TIMEOUT="4")
            pod.start_container()
            pod.start_sidecar()
        for kill in range(KILLS):
            left = REQUESTS - REQUESTS * (kill + 1) // (KILLS + 1)
            eventually(lambda left=left: stage.queue.count() <= left, f"{left} requests to be left")  # type: ignore[misc]
            pod = choice.choice(stage.pods)
            pod.kill_container()
            pod.start_container()
        stage.wait_empty()
        verdict = stage.conclude()
    print_at_end(str(dict(verdict.tally)))
    assert not verdict.violations, "\n".join(map(str, verdict.violations))
    assert not verdict.problems
    assert (verdict.tally["completed"], verdict.tally["failed"]) == (REQUESTS, 0), stage.failures()
