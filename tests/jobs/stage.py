"""A store with jobs in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from dequeuer.core.errors import StoreMissingError
from dequeuer.formats.go_time import parse_time
from dequeuer.jobs.layout import JobKeys, JobKind
from dequeuer.jobs.spec import JobSpec, dump_spec
from dequeuer.sinks.base import ListedPage, Payload
from tests.fakes import MemoryStore

JOB = "67e3b0f1a2c4d5e6"
START = parse_time("2026-11-26T16:38:16.123456789Z")
MODIFIED_AT_S = 1_700_000_000.75
QUEUE = "https://sqs.us-west-2.amazonaws.com/000000000000/cx_b_sum.fifo"


class DatedStore(MemoryStore):
    """A store whose objects are all of the same age."""

    async def get(self, key: str) -> Payload:
        if key not in self.objects:
            raise StoreMissingError(key)
        found = await super().get(key)
        return Payload(size=found.size, content_type=found.content_type, chunks=found.chunks, modified_at=MODIFIED_AT_S)


@dataclass
class CountingStore(MemoryStore):
    """A store that counts the pages that it is asked for."""

    pages: int = 0

    async def list_page(self, prefix: str, *, after: str = "", token: str = "") -> ListedPage:
        self.pages += 1
        return await super().list_page(prefix, after=after, token=token)


@dataclass
class FakeCounts:
    """Counts of queues by URL; a queue that is not there does not exist."""

    messages: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    error: Exception | None = None

    async def count(self, queue_url: str) -> int | None:
        self.asked.append(queue_url)
        if self.error is not None:
            raise self.error
        return self.messages.get(queue_url)


def job_keys(job_id: str = JOB, kind: JobKind = "BatchAPI", api_name: str = "sum") -> JobKeys:
    return JobKeys(cluster_uid="uid", kind=kind, version="0.42.1", api_name=api_name, job_id=job_id)


def job_spec(job_id: str = JOB, kind: JobKind = "BatchAPI") -> JobSpec:
    return JobSpec(job_id=job_id, api_name="sum", kind=kind, workers=2, api_id="api-1", start_time_ns=START)


def seed_job(store: MemoryStore, *names: str, spec: JobSpec | None = None, indexed: bool = True) -> JobKeys:
    """Add a job with its specification, empty objects of these names, and its entry in the index."""
    spec = spec or job_spec()
    keys = job_keys(spec.job_id, spec.kind)
    store.seed([(keys.spec, dump_spec(spec)), *((f"{keys.prefix}{name}", b"") for name in names)])
    if indexed:
        store.seed([(keys.in_progress, b"")])
    return keys
