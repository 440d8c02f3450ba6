"""One round: its queue and bucket, the proxy, the pods, and the check at the end."""

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
from tests.faults.pod import Pod
from tests.faults.proxy import Proxy
from tests.faults.recorder import RunRecorder
from tests.faults.request_faults import RequestFaults
from tests.faults.servers import Servers
from tests.history.checker import Terms, Violation, judge
from tests.history.records import Final, Record
from tests.integration.cloud import Bucket, Queue
from tests.integration.sidecar import async_settings, batch_settings
from tests.integration.waiting import eventually

TRANSIT_S = 2.0
"""How long a request may take to arrive on a machine that is busy with other work."""
EMPTY_TIMEOUT_S = 180.0
"""How long the queue may take to become empty after the faults. The longest backoff of a message is a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of a round.

    Attributes:
        tally: counts, by row of the table.
        violations: the broken promises.
        problems: other failures: processes that ended by themselves, tracebacks in logs.
        history: all records, to find the cause of a violation.
    """

    tally: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    history: list[Record] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether there are no violations and no problems."""
        return not self.violations and not self.problems


class Stage:
    """The servers, pods and history of one round. Use `staged` to create it."""

    def __init__(
        self,
        servers: Servers,
        folder: Path,
        request_faults: RequestFaults,
        proxy: Proxy,
        recorder: RunRecorder,
        terms: Terms,
    ) -> None:
        self.servers = servers
        self.request_faults = request_faults
        self.proxy = proxy
        self.recorder = recorder
        self.terms = terms
        self.bucket: Bucket = servers.s3.bucket()
        self.queue: Queue = servers.sqs.queue(max_receives=6 if terms.has_redrive else None)
        self.pods: list[Pod] = []
        self._folder = folder

    def add_pod(self, **settings: str) -> Pod:
        """Add a pod whose sidecar uses SQS and S3 through the proxy. Its processes are not started."""
        name = f"pod-{len(self.pods)}"
        url = self.proxy.open(name)
        more = {"AWS_ENDPOINT_URL": url, "DEQUEUER_WORKERS": str(self.terms.slots), **settings}
        cloud = self.servers.sqs
        if self.terms.kind == "async":
            full = async_settings(cloud, self.queue, self.bucket, 0, **more)
        else:
            full = batch_settings(cloud, self.queue, 0, **more)
        pod = Pod(name, self._folder, full, self.recorder)
        self.pods.append(pod)
        return pod

    def wait_empty(self, watch: Callable[[], None] | None = None) -> None:
        """Wait until the queue is empty. `watch` is called repeatedly during the wait."""

        def is_empty() -> bool:
            if self.queue.is_empty():
                return True
            if watch is not None:
                watch()
            return False

        eventually(is_empty, "the queue to be empty", EMPTY_TIMEOUT_S)

    def failures(self) -> str:
        """Return, for each failed request, its `status/failed` and the log lines about its receives.

        Call it after `conclude`, when the logs are complete.
        """
        found: dict[str, list[str]] = {}
        for page in self.bucket.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket.name):
            for entry in page.get("Contents", ()):
                if entry["Key"].endswith("/status/failed"):
                    ref = entry["Key"].split("/")[-3]
                    found[ref] = [f"{ref}: {json.dumps(self.bucket.failure(ref))}"]
        for pod in self.pods:
            for name, lines in pod.ended_logs:
                for line in lines:
                    if line.startswith("{") and '"message_settled"' in line:
                        event = json.loads(line)
                        found.get(event["request_id"], []).append(f"    {name}: {line}")
        return "\n".join(chain.from_iterable(found.values()))

    def conclude(self) -> Verdict:
        """End the pods and wait for all responses of the servers, then check the history."""
        self.proxy.clear()
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
            for name, lines in pod.ended_logs:
                problems += [f"{name}: {line}" for line in lines if _is_problem(line)]
        return Verdict(
            tally=_count(history, final, self),
            violations=judge(history, final, self.terms),
            problems=problems,
            history=history,
        )

    def _history(self, final: Final) -> list[Record]:
        more: list[Record] = []
        for pod in self.pods:
            more += with_sidecars(pod.log.records(), self.recorder.caller)
            for name, lines in pod.ended_logs:
                more += self._fences(name, lines)
        last = {record.ref: record.at for record in sorted(self.recorder.records, key=lambda record: record.at)}
        # No response reports that SQS moved a message to the dead-letter queue. The time of its last record is used.
        more += [Record(at=last[ref], what="dead_lettered", ref=ref) for ref in final.dead]
        return self.recorder.history(more)

    def _fences(self, sidecar: str, lines: list[str]) -> Iterator[Record]:
        """Yield the deliveries whose lease is lost, as the log of a sidecar reports them."""
        offset = datetime.now().astimezone().timestamp() - self.recorder.now()
        for line in lines:
            if '"lease_lost"' not in line or not line.startswith("{"):
                continue
            event = json.loads(line)
            if event["event"] != "lease_lost":
                continue
            at = datetime.fromisoformat(event["timestamp"]).timestamp() - offset + TRANSIT_S
            deliveries = self.proxy.received.get((sidecar, event["message_id"]), [])
            # When a message was delivered several times, the log does not name the delivery whose lease is lost.
            known = [delivery for handed_at, delivery in deliveries if handed_at <= at]
            if len(known) == 1:
                yield Record(at=at, what="fenced", sidecar=sidecar, delivery=known[0])


def _is_problem(line: str) -> bool:
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
    for kind, count in stage.request_faults.counts.items():
        tally[f"fault: {kind}"] = count
    return tally


@contextmanager
def staged(
    servers: Servers, folder: Path, request_faults: RequestFaults, kind: Literal["async", "batch"], **terms: object
) -> Iterator[Stage]:
    """Set up a round. Its processes are killed at the end of the block, also after an error."""
    recorder = RunRecorder()
    judged_by = Terms(kind=kind, transit_s=TRANSIT_S, **terms)  # type: ignore[arg-type]
    proxy = Proxy(servers.upstreams, request_faults, recorder)
    with proxy:
        stage = Stage(servers, folder, request_faults, proxy, recorder, judged_by)
        try:
            yield stage
        finally:
            for pod in stage.pods:
                pod.kill_sidecar()
                pod.kill_container()
