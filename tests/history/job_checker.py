"""Checks the life of a batch job against the promises of docs/jobs.md, one rule for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Final, Literal

from dequeuer.jobs.state import has_ended, parse_state
from tests.history.job_facts import Cause, JobFacts

JobRule = Literal[
    "unhandled",  # the container has never got an item of a job that is completed
    "line missing",  # an item of a completed job is neither in the results nor in the errors
    "line twice",  # an item has two lines in results and errors together
    "wrong line",  # a result that the container has not given, or an index that is not one of the job
    "completion",  # the container was not told once that the job is complete, or before that, or after another end
    "stuck",  # the job has not ended
    "two ends",  # it has ended in two ways
    "marker",  # status, marker and end.json do not say the same
    "wrong end",  # the end does not follow from what has happened
    "left over",  # queue, entry in the index, input, or claims of controllers exist after the end
    "two owners",  # workers of two controllers ran at the same time for longer than a change of the owner takes
    "counts",  # what is told of batches is not what the container has seen
    "skipped",  # items that were left out are not named
]
COMPLETED: Final = frozenset({"succeeded", "completed_with_failures"})
ACCEPTED: Final = frozenset({200, 404})
"""Statuses with which a container accepts that the job is complete."""
CAUSES: Final[dict[str, Cause]] = {
    "stopped": "stop",
    "timed_out": "timeout",
    "enqueue_failed": "bad item",
    "worker_error": "bad container",
    "worker_oom": "bad container",
}
TEMPORARY: Final = ("payload.json", "checkpoint.json", "owner/")
SHOWN: Final = 5
"""Items that a text names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobViolation:
    """A broken promise."""

    rule: JobRule
    text: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.text}"


def judge_job(facts: JobFacts, *, overlap_s: float) -> list[JobViolation]:
    """Return the broken promises. `overlap_s`: how long a change of the owner of a job takes at most, drain included."""
    if not facts.ends:
        return [_broken("stuck", "the job has not ended")]
    rules = (
        _items(facts),
        _lines(facts),
        _completion(facts, overlap_s),
        _end(facts),
        _owners(facts, overlap_s),
        _counts(facts),
    )
    return [violation for found in rules for violation in found]


def _broken(rule: JobRule, text: str) -> JobViolation:
    return JobViolation(rule=rule, text=text)


def _items(facts: JobFacts) -> Iterator[JobViolation]:
    if facts.end not in COMPLETED:
        return
    tried = {item for call in facts.calls for item in call.items}
    if missing := set(range(facts.items)) - tried - facts.dead:
        yield _broken("unhandled", f"{_some(missing)}: the container has never got them")
    accepted = _accepted(facts)
    # Nobody can know of a batch whose worker was killed at its last receive, unless results are kept.
    failed = tried - accepted - (frozenset() if facts.has_output else facts.dead)
    if failed and facts.end == "succeeded":
        yield _broken("wrong end", f"succeeded, but {_some(failed)} were never accepted")
    if facts.skipped_lines != facts.skipped:
        yield _broken("skipped", f"{facts.skipped_lines} items are named as left out, not {facts.skipped}")


def _lines(facts: JobFacts) -> Iterator[JobViolation]:
    count = Counter(line.index for line in facts.lines)
    if twice := {index for index, lines in count.items() if lines > 1}:
        where = sorted(line.source for line in facts.lines if line.index == min(twice))
        yield _broken("line twice", f"{_some(twice)}; the first one in {', '.join(where)}")
    if foreign := {index for index in count if not 0 <= index < facts.items}:
        yield _broken("wrong line", f"{_some(foreign)}: the job has {facts.items} items")
    results = {line.index: line.result for line in facts.lines if line.result is not None}
    given = {(item, text) for call in facts.calls for item, text in call.results.items()}
    if wrong := {index for index, text in results.items() if (index, text) not in given}:
        yield _broken("wrong line", f"{_some(wrong)}: the container has not given this result")
    is_complete = facts.has_output and facts.end in COMPLETED
    if is_complete and (missing := set(range(facts.items)) - count.keys() - facts.dead):
        yield _broken("line missing", f"{_some(missing)}: in neither results nor errors")


def _completion(facts: JobFacts, overlap_s: float) -> Iterator[JobViolation]:
    told = [call for call in facts.calls if call.is_completion]
    accepted = [call for call in told if call.status in ACCEPTED]
    if facts.end in COMPLETED and not accepted:
        is_known = facts.end == "completed_with_failures" and told
        if not is_known and not facts.completion_died:
            yield _broken("completion", f"the job {facts.end}, but the container was not told so")
    if sum(not call.may_be_cut for call in accepted) > 1:
        yield _broken("completion", f"the container was told {len(accepted)} times that the job is complete")
    if facts.end not in COMPLETED and any(call.at > facts.ended_at + overlap_s for call in told):
        yield _broken("completion", f"the container was told that the job is complete after it had {facts.end}")
    first = min((call.at for call in accepted), default=None)
    if first is not None:
        before = {item for call in facts.calls if call.at <= first for item in call.items}
        # A job that was stopped is not complete because its queue was emptied.
        due = (
            {item for call in facts.calls for item in call.items} if facts.end in COMPLETED else set(range(facts.items))
        )
        if late := due - before - facts.dead:
            yield _broken("completion", f"the container was told before it had got {_some(late)}")


def _end(facts: JobFacts) -> Iterator[JobViolation]:
    for before, after in pairwise(facts.ends):
        # Its results may show that items of a job which seemed to succeed have failed.
        is_corrected = facts.has_output and (before, after) == ("succeeded", "completed_with_failures")
        if before != after and not is_corrected:
            yield _broken("two ends", f"{before}, then {after}")
    markers = {name for name in facts.names if has_ended(parse_state(name))}
    if markers != {facts.end} or facts.status != facts.end:
        yield _broken("marker", f"end.json says {facts.end}, markers {sorted(markers)}, the status {facts.status}")
    cause = CAUSES.get(facts.end)
    if facts.end not in COMPLETED and (cause is None or cause not in facts.causes):
        yield _broken("wrong end", f"{facts.end}: nothing has happened that ends a job so")
    has_errors = any(line.result is None for line in facts.lines)
    has_failures = has_errors or facts.records > 0 or (facts.has_output and bool(facts.dead - _accepted(facts)))
    if facts.end == "succeeded" and has_failures:
        yield _broken("wrong end", "succeeded, but items failed for good")
    told = [call.status in ACCEPTED for call in facts.calls if call.is_completion]
    is_told = any(told) and not facts.completion_died
    if facts.end == "completed_with_failures" and not has_failures and is_told:
        yield _broken("wrong end", "completed with failures, but nothing has failed for good")
    left: list[str] = [name for name in TEMPORARY if name in facts.names]
    left += ["queue"] * facts.has_queue + ["index"] * facts.is_in_index
    if left:
        yield _broken("left over", f"after the end there is still: {', '.join(left)}")


def _owners(facts: JobFacts, overlap_s: float) -> Iterator[JobViolation]:
    for one, two in combinations(facts.runs, 2):
        both_s = min(one.ended_at, two.ended_at) - max(one.began_at, two.began_at)
        if one.controller != two.controller and both_s > overlap_s:
            what = f"{one.name} of {one.controller} and {two.name} of {two.controller}"
            yield _broken("two owners", f"{what} ran at the same time for {both_s:.1f} s")


def _counts(facts: JobFacts) -> Iterator[JobViolation]:
    if facts.end not in COMPLETED:
        return
    if facts.total_batches != facts.batches:
        yield _broken("counts", f"the job has {facts.batches} batches, the status says {facts.total_batches}")
    if facts.metrics is None:
        yield _broken("counts", "there is no metrics.json")
        return
    calls = [call for call in facts.calls if not call.is_completion]
    succeeded, failed = int(str(facts.metrics["succeeded"])), int(str(facts.metrics["failed"]))
    accepted = sum(call.status == 200 for call in calls)
    if succeeded > accepted or (facts.is_calm and succeeded + facts.records < facts.batches):
        yield _broken("counts", f"metrics.json says {succeeded} batches, the container accepted {accepted}")
    if facts.is_calm and failed > len(calls) - accepted:
        yield _broken(
            "counts", f"metrics.json says {failed} failed attempts, the container saw {len(calls) - accepted}"
        )


def _accepted(facts: JobFacts) -> set[int]:
    return {item for call in facts.calls if call.status == 200 for item in call.items}


def _some(items: Iterable[int]) -> str:
    found = sorted(items)
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"items {', '.join(map(str, found[:SHOWN]))}{more}"
