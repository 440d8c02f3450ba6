"""Sidecars get SIGKILL during work, and SIGSTOP for longer than a lease."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

from tests.faults.load import Mix, submit
from tests.faults.request_faults import RequestFaults
from tests.faults.servers import Servers
from tests.faults.stage import Stage, staged
from tests.integration.waiting import eventually

REQUESTS, KILLS = 2000, 20
ONLY_OK = {"ok": 1}


def submit_many(stage: Stage, count: int) -> None:
    mix = Mix(1, 4, ONLY_OK)
    for number in range(count):
        submit(stage.bucket, stage.queue, stage.recorder, mix.payload(number) | {"work_s": 0.05})


def test_nothing_is_lost_when_sidecars_are_killed_20_times_during_2000_requests(
    ministack: Servers, tmp_path: Path, print_at_end: Callable[[str], None]
) -> None:
    choice = random.Random(1)
    with staged(ministack, tmp_path, RequestFaults(1), "async", slots=8) as stage:
        submit_many(stage, REQUESTS)
        for _ in range(3):
            pod = stage.add_pod(DEQUEUER_VISIBILITY_TIMEOUT="4")
            pod.start_container()
            pod.start_sidecar()
        for kill in range(KILLS):
            # The kills are spread over the work, at any speed of the machine.
            left = REQUESTS - REQUESTS * (kill + 1) // (KILLS + 1)
            eventually(lambda left=left: stage.queue.count() <= left, f"{left} requests to be left")  # type: ignore[misc]
            pod = choice.choice(stage.pods)
            pod.kill_sidecar()
            pod.start_sidecar()
        stage.wait_empty()
        verdict = stage.conclude()
    print_at_end(str(dict(verdict.tally)))
    assert not verdict.violations, "\n".join(map(str, verdict.violations))
    assert not verdict.problems
    assert verdict.tally["completed"] == REQUESTS
    assert verdict.tally["failed"] == 0
    # A kill repeats at most the requests that the container had at that moment.
    assert verdict.tally["duplicates"] <= KILLS * 8


def test_a_sidecar_stopped_for_longer_than_its_lease_writes_nothing_when_it_is_resumed(
    ministack: Servers, tmp_path: Path
) -> None:
    with staged(ministack, tmp_path, RequestFaults(1), "async", slots=1) as stage:
        # The other one, too, loses a shorter lease when it stalls.
        stopped, other = (stage.add_pod(DEQUEUER_VISIBILITY_TIMEOUT="6") for _ in range(2))
        stopped.start_container()
        stopped.start_sidecar()
        assert stopped.sidecar is not None
        # It has to run when the stop comes.
        ref = submit(stage.bucket, stage.queue, stage.recorder, {"n": 1, "work_s": 5})
        eventually(lambda: any(record.what == "called" for record in stopped.log.records()), "the call")
        stopped.stop_sidecar()
        other.start_container()
        other.start_sidecar()
        eventually(lambda: stage.bucket.ended(ref) == "completed", "the other one to complete it")
        before = len(stage.recorder.records)
        stopped.resume_sidecar()
        eventually(lambda: stopped.sidecar and stopped.sidecar.events("lease_lost"), "the lease to be lost")
        time.sleep(0.5)
        late = [record for record in stage.recorder.records[before:] if record.what == "asked"]
        assert [record for record in late if record.sidecar == "pod-0.1" and record.ref == ref] == []
        verdict = stage.conclude()
    assert verdict.is_clean, [str(violation) for violation in verdict.violations] + verdict.problems
    assert verdict.tally["container calls"] == 2
