"""An outage of SQS or S3 during work: the process keeps running, logs a few lines, and continues after the outage."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from tests.faults.request_faults import RequestFaults
from tests.faults.servers import Servers
from tests.faults.stage import staged
from tests.faults.test_sidecar_kills import submit_many
from tests.integration.waiting import eventually

OUTAGE_S = float(os.environ.get("FAULTS_AWAY_S", "60"))
"""Longer than every lease of this test, and than every pause between two attempts."""
REQUESTS = 200
MAX_LINES = 20
"""The maximum number of log lines about the outage, without those of `PER_MESSAGE_EVENTS`."""
PER_MESSAGE_EVENTS = {"message_settled", "lease_lost"}


@pytest.mark.parametrize("service", ["sqs", "s3"])
def test_a_sidecar_keeps_running_in_an_outage_and_continues_after_it(
    ministack: Servers, tmp_path: Path, service: Literal["sqs", "s3"], print_at_end: Callable[[str], None]
) -> None:
    request_faults = RequestFaults(3)
    with staged(ministack, tmp_path, request_faults, "async", slots=4) as stage:
        submit_many(stage, REQUESTS)
        pod = stage.add_pod(DEQUEUER_VISIBILITY_TIMEOUT="4")
        pod.start_container()
        pod.start_sidecar()
        eventually(lambda: stage.queue.count() < REQUESTS - 30, "work to be in progress")
        sidecar = pod.sidecar
        assert sidecar is not None
        request_faults.start_outage(service, OUTAGE_S)
        before = len(sidecar.lines)
        # This does not wait for a condition: the process must keep running for the whole outage.
        time.sleep(OUTAGE_S)
        outage_ended_at = stage.recorder.now()
        assert sidecar.process.poll() is None
        assert sidecar.get("/livez")[0] == 200
        left = stage.queue.count()
        eventually(lambda: stage.queue.count() < left, "the work to continue")
        continued_after_s = stage.recorder.now() - outage_ended_at
        logged = [
            line for line in sidecar.lines[before:] if not any(f'"{name}"' in line for name in PER_MESSAGE_EVENTS)
        ]
        stage.wait_empty()
        verdict = stage.conclude()
    facts = f"{service} unavailable for {OUTAGE_S:g} s, continued after {continued_after_s:.1f} s, {len(logged)} lines"
    print_at_end("\n".join([facts, *logged]))
    assert len(logged) <= MAX_LINES, "\n".join(logged)
    assert sum("_unavailable" in line for line in logged) <= 3
    assert verdict.is_clean, [str(violation) for violation in verdict.violations] + verdict.problems
    assert verdict.tally["completed"] == REQUESTS
