"""SQS or S3 is away in the middle of work: the process stays, says so in a few lines, and goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from tests.faults.plan import Plan
from tests.faults.servers import Servers
from tests.faults.stage import staged
from tests.faults.test_sidecar_kills import submit_many
from tests.integration.waiting import eventually

AWAY_S = float(os.environ.get("FAULTS_AWAY_S", "60"))
"""Longer than any lease here and any wait between two tries."""
REQUESTS = 200
LINES = 20
"""What may be said of the outage itself; lost leases and settled messages have a line each besides."""
EACH = {"message_settled", "lease_lost"}


@pytest.mark.parametrize("service", ["sqs", "s3"])
def test_it_stays_and_goes_on(
    ministack: Servers, tmp_path: Path, service: Literal["sqs", "s3"], tell: Callable[[str], None]
) -> None:
    plan = Plan(3)
    with staged(ministack, tmp_path, plan, "async", slots=4) as stage:
        submit_many(stage, REQUESTS)
        pod = stage.add_pod(DEQUEUER_VISIBILITY_TIMEOUT="4")
        pod.start_container()
        pod.start_sidecar()
        eventually(lambda: stage.queue.count() < REQUESTS - 30, "work to be under way")
        sidecar = pod.sidecar
        assert sidecar is not None
        plan.away(service, AWAY_S)
        before = len(sidecar.lines)
        # Not a wait for something to happen: this is how long nothing may happen.
        time.sleep(AWAY_S)
        back_at = stage.notebook.now()
        assert sidecar.process.poll() is None
        assert sidecar.get("/livez")[0] == 200
        left = stage.queue.count()
        eventually(lambda: stage.queue.count() < left, "the work to go on")
        went_on_after_s = stage.notebook.now() - back_at
        said = [line for line in sidecar.lines[before:] if not any(f'"{name}"' in line for name in EACH)]
        stage.wait_empty()
        verdict = stage.conclude()
    facts = f"{service} away for {AWAY_S:g} s, went on after {went_on_after_s:.1f} s, {len(said)} lines"
    tell("\n".join([facts, *said]))
    assert len(said) <= LINES, "\n".join(said)
    assert sum("_unavailable" in line for line in said) <= 3
    assert verdict.is_clean, [str(violation) for violation in verdict.violations] + verdict.problems
    assert verdict.tally["completed"] == REQUESTS
