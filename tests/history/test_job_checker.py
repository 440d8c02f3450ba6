"""The checker of jobs: the life of a good job passes, and each rule finds a life that breaks it, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest

from tests.history.job_checker import JobRule, judge_job
from tests.history.job_facts import Call, JobFacts, Line, WorkerRun
from tests.history.records import ON_COMPLETE

DONE = Call(at=50.0, path=ON_COMPLETE)
FIRST = Call(at=1.0, items=(0, 1), results={0: "0", 1: "2"})
SECOND = Call(at=2.0, items=(2, 3), results={2: "4", 3: "6"})
LINES = tuple(Line(index=index, result=str(2 * index), source=f"{index // 2}") for index in range(4))
GOOD = JobFacts(
    items=4,
    batches=2,
    has_output=True,
    calls=(FIRST, SECOND, DONE),
    lines=LINES,
    ends=("succeeded",),
    ended_at=60.0,
    status="succeeded",
    total_batches=2,
    metrics={"succeeded": 2, "failed": 0},
    names=frozenset({"spec.json", "end.json", "enqueuing", "running", "succeeded", "workers/"}),
    runs=(WorkerRun(controller="a", name="worker-0", began_at=0.0, ended_at=60.0),),
    is_calm=True,
)
STOPPED = replace(GOOD, ends=("stopped",), status="stopped", names=frozenset({"stopped"}), calls=(FIRST,), lines=LINES[:2], causes=frozenset({"stop"}))  # fmt: skip
REFUSED = replace(SECOND, status=500, results={})
ERRORS = tuple(replace(line, result=None) for line in LINES[2:])
FAILED = replace(
    GOOD,
    calls=(FIRST, REFUSED, DONE),
    lines=LINES[:2] + ERRORS,
    ends=("completed_with_failures",),
    status="completed_with_failures",
    names=frozenset({"completed_with_failures"}),
    metrics={"succeeded": 1, "failed": 1},
    records=1,
)
OTHER_RUN = WorkerRun(controller="b", name="worker-1", began_at=40.0, ended_at=70.0)


def rules(facts: JobFacts) -> set[JobRule]:
    return {violation.rule for violation in judge_job(facts, overlap_s=10.0)}


@pytest.mark.parametrize(
    "facts",
    [
        GOOD,
        STOPPED,
        FAILED,
        replace(GOOD, calls=(FIRST, FIRST, SECOND, DONE), metrics={"succeeded": 3, "failed": 0}),
        replace(GOOD, calls=(FIRST, SECOND, replace(DONE, may_be_cut=True), DONE)),
        replace(GOOD, calls=(FIRST, SECOND, replace(DONE, status=404))),
        replace(GOOD, calls=(FIRST, SECOND, replace(DONE, status=500), DONE)),
        replace(FAILED, calls=(FIRST, REFUSED, replace(DONE, status=500))),
        replace(FAILED, calls=(FIRST, REFUSED), completion_died=True),
        replace(FAILED, ends=("succeeded", "completed_with_failures")),
        replace(
            FAILED, calls=(FIRST, DONE), lines=LINES[:2], dead=frozenset({2, 3}), metrics={"succeeded": 1, "failed": 0}
        ),
        replace(GOOD, has_output=False, lines=()),
        replace(GOOD, is_calm=False, metrics={"succeeded": 1, "failed": 7}),
        replace(STOPPED, calls=(FIRST, SECOND, replace(DONE, at=61.0))),
        replace(GOOD, runs=(*GOOD.runs, replace(OTHER_RUN, began_at=51.0))),
        replace(GOOD, runs=(*GOOD.runs, replace(OTHER_RUN, controller="a"))),
    ],
)
def test_a_good_life_passes(facts: JobFacts) -> None:
    assert rules(facts) == set()


BROKEN: list[tuple[JobFacts, dict[str, Any], JobRule]] = [
    (GOOD, {"items": 5, "lines": (), "has_output": False}, "unhandled"),
    (GOOD, {"lines": LINES[:3]}, "line missing"),
    (FAILED, {"lines": FAILED.lines[:3]}, "line missing"),
    (GOOD, {"lines": (*LINES, LINES[0])}, "line twice"),
    (FAILED, {"lines": (*FAILED.lines, replace(LINES[0], result=None))}, "line twice"),
    (STOPPED, {"lines": (LINES[0], LINES[0])}, "line twice"),
    (GOOD, {"lines": (*LINES[:3], replace(LINES[3], result="7"))}, "wrong line"),
    (GOOD, {"lines": (*LINES, Line(index=4, result="8", source="4"))}, "wrong line"),
    (GOOD, {"calls": (FIRST, SECOND)}, "completion"),
    (GOOD, {"calls": (FIRST, SECOND, replace(DONE, status=500))}, "completion"),
    (FAILED, {"calls": (FIRST, REFUSED)}, "completion"),
    (GOOD, {"calls": (FIRST, SECOND, DONE, DONE)}, "completion"),
    (GOOD, {"calls": (FIRST, replace(DONE, at=1.5), SECOND)}, "completion"),
    (STOPPED, {"calls": (FIRST, replace(DONE, at=61.0))}, "completion"),
    (STOPPED, {"calls": (FIRST, DONE)}, "completion"),
    (STOPPED, {"calls": (FIRST, SECOND, replace(DONE, at=71.0))}, "completion"),
    (FAILED, {"ends": ("stopped", "completed_with_failures")}, "two ends"),
    (FAILED, {"ends": ("succeeded", "completed_with_failures"), "has_output": False}, "two ends"),
    (GOOD, {"ends": ()}, "stuck"),
    (GOOD, {"names": GOOD.names | {"stopped"}}, "marker"),
    (GOOD, {"names": GOOD.names - {"succeeded"}}, "marker"),
    (GOOD, {"status": "running"}, "marker"),
    (STOPPED, {"causes": frozenset()}, "wrong end"),
    (STOPPED, {"ends": ("unexpected_error",), "status": "unexpected_error", "names": frozenset({"unexpected_error"})}, "wrong end"),
    (FAILED, {"ends": ("succeeded",), "status": "succeeded", "names": GOOD.names}, "wrong end"),
    (GOOD, {"ends": ("completed_with_failures",), "status": "completed_with_failures", "names": frozenset({"completed_with_failures"})}, "wrong end"),
    (GOOD, {"has_output": False, "lines": (), "calls": (FIRST, REFUSED, DONE), "metrics": {"succeeded": 1, "failed": 1}, "is_calm": False}, "wrong end"),
    (GOOD, {"has_queue": True}, "left over"),
    (GOOD, {"is_in_index": True}, "left over"),
    (GOOD, {"names": GOOD.names | {"payload.json"}}, "left over"),
    (GOOD, {"names": GOOD.names | {"owner/"}}, "left over"),
    (GOOD, {"runs": (*GOOD.runs, OTHER_RUN)}, "two owners"),
    (GOOD, {"total_batches": 3}, "counts"),
    (GOOD, {"total_batches": None}, "counts"),
    (GOOD, {"metrics": None}, "counts"),
    (GOOD, {"metrics": {"succeeded": 1, "failed": 0}}, "counts"),
    (GOOD, {"metrics": {"succeeded": 3, "failed": 0}, "is_calm": False}, "counts"),
    (GOOD, {"metrics": {"succeeded": 2, "failed": 1}}, "counts"),
    (GOOD, {"skipped": 1}, "skipped"),
    (GOOD, {"skipped_lines": 1}, "skipped"),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "changes", "rule"), BROKEN)
def test_each_rule_finds_a_life_that_breaks_it(facts: JobFacts, changes: dict[str, Any], rule: JobRule) -> None:
    assert rules(replace(facts, **changes)) == {rule}


def test_every_rule_has_a_life_that_breaks_it() -> None:
    assert {rule for _, _, rule in BROKEN} == set(get_args(JobRule))
