"""What is known of a job that has ended: from its objects, the records of its containers, and the gateway."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Final

from tests.faults.jobs.processes import Processes
from tests.history.job_facts import Call, JobFacts, Line
from tests.integration.cloud import CLUSTER, Bucket, Cloud
from tests.integration.jobs.controller import Job

CUT_S: Final = 5.0
"""A call that came so shortly before a kill may have had no consequence."""
READERS: Final = 4


def find_facts(
    cloud: Cloud, bucket: Bucket, job: Job, processes: Processes, *, items: int, batch_size: int
) -> JobFacts:
    """Return the facts of a job that has ended."""
    prefix = f"{CLUSTER}/jobs/BatchAPI/0.42.1/sum/{job.id}/"
    names = {key.removeprefix(prefix) for key in job.keys(prefix)}
    end = json.loads(_read(bucket, f"{prefix}end.json"))
    status = job.status()
    return JobFacts(
        items=items,
        batches=-(-items // batch_size),
        has_output=True,
        calls=_calls(processes),
        lines=_lines(bucket, job),
        ends=[end["status"]],
        ended_at=datetime.fromisoformat(end["end_time"][:26] + "+00:00").timestamp(),
        status=status["status"],
        total_batches=status.get("total_batch_count"),
        metrics=job.metrics(),
        names=frozenset(name.partition("/")[0] + "/" * ("/" in name) for name in names),
        is_in_index=bool(job.keys(f"{CLUSTER}/jobs/BatchAPI/in_progress/sum/{job.id}")),
        has_queue=any(job.id in url for url in cloud.sqs.list_queues().get("QueueUrls", [])),
        records=sum(name.startswith("failures/") for name in names),
    )


def _read(bucket: Bucket, key: str) -> bytes:
    body: bytes = bucket.s3.get_object(Bucket=bucket.name, Key=key)["Body"].read()
    return body


def _calls(processes: Processes) -> list[Call]:
    found = [_call(json.loads(line), processes.killed_at) for line in _log(processes)]
    return sorted(found, key=lambda call: call.at)


def _log(processes: Processes) -> Iterable[str]:
    for path in processes.calls.iterdir():
        yield from path.read_text().splitlines()


def _call(record: Any, killed_at: Iterable[float]) -> Call:
    at, status = record["at"], record["status"]
    results = zip(record["items"], record["results"], strict=True) if status == 200 else ()
    return Call(
        at=at,
        path=record["path"],
        status=status,
        items=tuple(record["items"]),
        results={item: json.dumps(result) for item, result in results if result is not None},
        may_be_cut=any(0 <= kill - at <= CUT_S for kill in killed_at),
    )


def _lines(bucket: Bucket, job: Job) -> list[Line]:
    keys = job.keys(f"out/{job.id}/results/") + job.keys(f"out/{job.id}/errors/")
    with ThreadPoolExecutor(READERS) as threads:
        return [line for found in threads.map(lambda key: _lines_of(bucket, key), keys) for line in found]


def _lines_of(bucket: Bucket, key: str) -> list[Line]:
    lines = [json.loads(text) for text in _read(bucket, key).splitlines()]
    return [
        Line(
            index=line["index"],
            result=json.dumps(line["result"]) if "result" in line else None,
            source=key,
        )
        for line in lines
    ]
