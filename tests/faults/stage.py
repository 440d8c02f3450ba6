"""Everything of one round: its queue and bucket, the proxy, pods, and the judgement at the end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Literal

from tests.faults.container_log import with_sidecars
from tests.faults.final import snapshot
from tests.faults.notebook import Notebook
from tests.faults.plan import Plan
from tests.faults.pod import Pod
from tests.faults.proxy import Proxy
from tests.faults.servers import Servers
from tests.history.checker import Terms, Violation, judge
from tests.history.records import Final, Record
from tests.integration.cloud import Bucket, Queue
from tests.integration.sidecar import async_settings, batch_settings
from tests.integration.waiting import eventually

TRANSIT_S = 2.0
"""How long a request may be on its way on a machine with other work to do."""
EMPTY_S = 180.0
"""After the faults: the longest backoff of a message that was received often is a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a round has shown.

    Attributes:
        tally: what is counted, by the row of the table.
        violations: what the checker found.
        problems: what went wrong besides: processes that ended by themselves, tracebacks in logs.
        history: for whoever wants to look.
    """

    tally: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    history: list[Record] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether every promise was kept."""
        return not self.violations and not self.problems


class Stage:
    """Made by `staged`."""

    def __init__(
        self, servers: Servers, folder: Path, plan: Plan, proxy: Proxy, notebook: Notebook, terms: Terms
    ) -> None:
        self.servers = servers
        self.plan = plan
        self.proxy = proxy
        self.notebook = notebook
        self.terms = terms
        self.bucket: Bucket = servers.s3.bucket()
        self.queue: Queue = servers.sqs.queue(max_receives=6 if terms.has_redrive else None)
        self.pods: list[Pod] = []
        self._folder = folder

    def add_pod(self, **settings: str) -> Pod:
        """Add a pod whose sidecar sees the cloud through the proxy; nothing is started."""
        name = f"pod-{len(self.pods)}"
        url = self.proxy.open(name)
        more = {"AWS_ENDPOINT_URL": url, "DEQUEUER_WORKERS": str(self.terms.slots), **settings}
        cloud = self.servers.sqs
        if self.terms.kind == "async":
            full = async_settings(cloud, self.queue, self.bucket, 0, **more)
        else:
            full = batch_settings(cloud, self.queue, 0, **more)
        pod = Pod(name, self._folder, full, self.notebook)
        self.pods.append(pod)
        return pod

    def wait_empty(self, watch: Callable[[], None] | None = None) -> None:
        """Wait until the queue has nothing any more; `watch` is called meanwhile."""

        def look() -> bool:
            if self.queue.is_empty():
                return True
            if watch is not None:
                watch()
            return False

        eventually(look, "the queue to be empty", EMPTY_S)

    def failures(self) -> str:
        """Tell of each failed request what its `status/failed` says, and what the sidecars logged of its receives.

        To be called after `conclude`: the logs are whole then.
        """
        told: dict[str, list[str]] = {}
        for page in self.bucket.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket.name):
            for entry in page.get("Contents", ()):
                if entry["Key"].endswith("/status/failed"):
                    ref = entry["Key"].split("/")[-3]
                    told[ref] = [f"{ref}: {json.dumps(self.bucket.failure(ref))}"]
        for pod in self.pods:
            for name, lines in pod.past_lines:
                for line in lines:
                    if line.startswith("{") and '"message_settled"' in line:
                        event = json.loads(line)
                        told.get(event["request_id"], []).append(f"    {name}: {line}")
        return "\n".join(chain.from_iterable(told.values()))

    def conclude(self) -> Verdict:
        """End the pods, then judge. Everything that was asked of the servers has been answered by then."""
        self.proxy.calm()
        for pod in self.pods:
            pod.terminate_sidecar()
        for pod in self.pods:
            pod.end()
        self.proxy.close()
        final = snapshot(self.servers.sqs, self.queue, self.bucket if self.terms.kind == "async" else None)
        history = self._history(final)
        problems = [*self.proxy.problems]
        for pod in self.pods:
            problems += pod.problems
            for name, lines in pod.past_lines:
                problems += [f"{name}: {line}" for line in lines if _is_trouble(line)]
        return Verdict(
            tally=_count(history, final, self),
            violations=judge(history, final, self.terms),
            problems=problems,
            history=history,
        )

    def _history(self, final: Final) -> list[Record]:
        more: list[Record] = []
        for pod in self.pods:
            more += with_sidecars(pod.log.records(), self.notebook.caller)
            for name, lines in pod.past_lines:
                more += self._fences(name, lines)
        last = {record.ref: record.at for record in sorted(self.notebook.records, key=lambda record: record.at)}
        # The queue moves a message when it would be received once too often: nobody is told.
        more += [Record(at=last[ref], what="dead_lettered", ref=ref) for ref in final.dead]
        return self.notebook.history(more)

    def _fences(self, sidecar: str, lines: list[str]) -> Iterator[Record]:
        """Read from a sidecar's log which deliveries it gave up."""
        offset = datetime.now().astimezone().timestamp() - self.notebook.now()
        for line in lines:
            if '"lease_lost"' not in line or not line.startswith("{"):
                continue
            told = json.loads(line)
            if told["event"] != "lease_lost":
                continue
            at = datetime.fromisoformat(told["timestamp"]).timestamp() - offset + TRANSIT_S
            deliveries = self.proxy.received.get((sidecar, told["message_id"]), [])
            # Of several deliveries of a message the log does not say which one was lost.
            known = [delivery for handed_at, delivery in deliveries if handed_at <= at]
            if len(known) == 1:
                yield Record(at=at, what="fenced", sidecar=sidecar, delivery=known[0])


def _is_trouble(line: str) -> bool:
    return "Traceback" in line or '"a bug' in line or "never retrieved" in line or "was never awaited" in line


def _count(history: list[Record], final: Final, stage: Stage) -> Counter[str]:
    tally: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    for record in history:
        tally["requests"] += record.what == "submitted"
        if record.what == "called":
            calls[record.ref] += 1
    ends = [set(objects) for objects in final.objects.values()]
    tally["completed"] = sum("status/completed" in names for names in ends)
    tally["failed"] = sum("status/failed" in names for names in ends)
    tally["dead-lettered"] = len(final.dead)
    tally["container calls"] = calls.total()
    tally["duplicates"] = sum(count - 1 for count in calls.values())
    for kind, count in stage.plan.counts.items():
        tally[f"fault: {kind}"] = count
    return tally


@contextmanager
def staged(
    servers: Servers, folder: Path, plan: Plan, kind: Literal["async", "batch"], **terms: object
) -> Iterator[Stage]:
    """Set up a round; its processes are gone afterwards, whatever happens."""
    notebook = Notebook()
    judged_by = Terms(kind=kind, transit_s=TRANSIT_S, **terms)  # type: ignore[arg-type]
    proxy = Proxy(servers.upstreams, plan, notebook)
    with proxy:
        stage = Stage(servers, folder, plan, proxy, notebook, judged_by)
        try:
            yield stage
        finally:
            for pod in stage.pods:
                pod.kill_sidecar()
                pod.kill_container()
