from __future__ import annotations

import dataclasses

from dequeuer.controller.admission import WaitingJob, admitted
from tests.controller.stage import KEYS


def job(name: str, *, priority: int = 0, submitted_ns: int = 0, is_stopped: bool = False) -> WaitingJob:
    keys = dataclasses.replace(KEYS, job_id=name)
    return WaitingJob(keys=keys, priority=priority, submitted_ns=submitted_ns, is_stopped=is_stopped)


def names(jobs: list[WaitingJob]) -> list[str]:
    return [one.keys.job_id for one in jobs]


def test_urgent_jobs_go_first_then_old_ones() -> None:
    waiting = [job("new", submitted_ns=9), job("old", submitted_ns=1), job("urgent", priority=5, submitted_ns=10)]
    assert names(admitted(waiting, 2)) == ["urgent", "old"]
    assert names(admitted(waiting, 0)) == []
    assert names(admitted(waiting, -1)) == []


def test_stopped_jobs_need_no_room() -> None:
    assert names(admitted([job("a"), job("b", is_stopped=True)], 0)) == ["b"]
