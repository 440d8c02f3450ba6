"""What the scripted server of the page's tests tells: APIs, requests, jobs and ten minutes of numbers, the same each time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeAlias

Json: TypeAlias = dict[str, object]

NOW_S: Final = int(datetime(2026, 11, 27, 9, 30, tzinfo=UTC).timestamp())
STEP_S: Final = 2
JOB_ID: Final = "67144b71fbbb1dff"
JOB_ITEMS: Final = 1200
TASK_ID: Final = "67144b7355e0ab12"
FAILED_ID: Final = "fe5de3c4-22b0-8a11-9f02-6d1f0a7c5e21"
RUNNING_ID: Final = "fe5de3c4-19aa-8c40-b7de-0c6b1f2e9a77"
RESULT_ID: Final = "fe5de3c4-0b51-8e02-a4c3-51d20f88b6e4"
_DAY_S: Final = 86_400


def at(seconds_ago: float) -> str:
    """Return a time before now, as the gateway writes it."""
    return datetime.fromtimestamp(NOW_S - seconds_ago, tz=UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@dataclass(slots=True, kw_only=True)
class Api:
    """An API: its name, its kind, and numbers that its curves are made of."""

    name: str
    kind: str
    queue: float | None = None
    in_flight: float = 0
    rate_per_s: float = 0
    latency_s: float | None = None
    dead: int = 0
    paused: bool = False
    ready: bool | None = True
    failing: float = 0

    def snapshot(self, time_s: float) -> Json:
        """Return the state at a time."""
        wave = _wave(self.name, time_s)
        other = _wave(self.name[::-1], time_s + 77)
        rate = self.rate_per_s * (0.75 + 0.3 * wave)
        latency = None if self.latency_s is None else self.latency_s * (0.8 + 0.35 * other)
        return {
            "name": self.name,
            "kind": self.kind,
            "endpoint": f"/{self.name}",
            "paused": self.paused,
            "ready": self.ready,
            "queue": None
            if self.queue is None
            else {
                "messages": round(self.queue * max(0.0, 0.6 + 0.6 * wave)),
                "in_flight": round(self.in_flight),
                "delayed": round(self.queue * 0.08),
                "dead": self.dead,
            },
            "in_flight": round(self.in_flight * (0.7 + 0.4 * other)),
            "rate_per_s": round(rate, 2),
            "failed_per_s": round(self.failing * rate * max(0.0, other), 3),
            "latency_s": None
            if latency is None
            else {"p50": latency, "p95": latency * (1.9 + 0.3 * wave), "p99": latency * (2.8 + 0.5 * wave)},
            "completed": round(self.rate_per_s * (_DAY_S + time_s - NOW_S)),
            "failed": round(self.rate_per_s * self.failing * (_DAY_S + time_s - NOW_S)),
        }


def _wave(name: str, time_s: float) -> float:
    """Return a number between -1 and 1 that changes smoothly, in another way for each name."""
    seed = sum(ord(letter) * (place + 3) for place, letter in enumerate(name))
    slow, fast = 190 + seed % 97, 31 + seed % 17
    return 0.7 * math.sin(time_s / slow * 2 * math.pi + seed) + 0.3 * math.sin(time_s / fast * 2 * math.pi + seed * 2)


@dataclass(slots=True, kw_only=True)
class World:
    """Everything that the server knows. Tests change it."""

    apis: list[Api]
    requests: dict[str, list[Json]] = field(default_factory=dict)
    details: dict[str, Json] = field(default_factory=dict)
    payloads: dict[str, bytes] = field(default_factory=dict)
    jobs: dict[str, list[Json]] = field(default_factory=dict)
    items: dict[str, Sequence[Json]] = field(default_factory=dict)
    dead_letters: list[Json] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    answer: Mapping[str, object] = field(default_factory=dict)
    history_s: int = 600

    def snapshot(self, time_s: float = NOW_S) -> Json:
        """Return the snapshot at a time."""
        return {"time": time_s, "apis": [api.snapshot(time_s) for api in self.apis], "faults": self.faults}

    def history(self) -> Json:
        """Return the snapshots of the last minutes."""
        return {"points": [self.snapshot(NOW_S - ago) for ago in range(self.history_s, -1, -STEP_S)]}

    def detail(self, api: str, request_id: str) -> Json | None:
        """Return the whole document of a request."""
        listed = next((one for one in self.requests.get(api, []) if one["id"] == request_id), None)
        return self.details.get(request_id, listed)


def request(number: int) -> Json:
    """Return the list's document of a request; the first is the newest."""
    document: Json = {"id": f"fe5de3c4-{number:04x}-8b3c-9d41-{(number * 2654435761) % 2**48:012x}"}
    created = 3 + number * 7
    kind = number % 11
    document |= {"status": "completed", "created": at(created), "ended": at(created - 1 - number % 3)}
    if kind == 4:
        error = {"code": "container_status", "message": "the container answered 500", "status_code": 500}
        document |= {"status": "failed", "error": error}
    elif number < 2:
        document = {"id": document["id"], "status": "in_queue", "created": at(created)}
    return document


def usual() -> World:
    """Return the world of most tests and of the screenshots."""
    running: Json = {
        "id": RUNNING_ID,
        "status": "in_progress",
        "created": at(41),
        "started": at(36),
        "progress": {"progress": 0.62, "message": "chunk 31 of 50", "at": at(1)},
    }
    error = {"code": "unreachable", "message": "the container closed the connection before its response was whole"}
    failed: Json = {
        "id": FAILED_ID,
        "status": "failed",
        "created": at(55),
        "ended": at(21),
        "error": error,
        "receives": 3,
    }
    done: Json = {"id": RESULT_ID, "status": "completed", "created": at(70), "ended": at(64)}
    attempts: list[Json] = [
        {
            "began": at(52 - 10 * number),
            "ended": at(50 - 10 * number),
            "worker": f"transcribe-7d9f4-{number}",
            "outcome": "retried",
            "code": "unreachable",
            "reason": "the container closed the connection before its response was whole",
        }
        for number in range(2)
    ]
    attempts.append({"ended": at(21), "outcome": "failed", "code": "unreachable", "reason": error["message"]})
    listed = [request(number) for number in range(4)]
    listed += [running, failed, done, *(request(number) for number in range(10, 130))]
    result: Json = {"text": "good morning", "language": "en", "frames": 12345678901234567890, "scores": [0.97, 0.02]}
    job: Json = {
        "job_id": JOB_ID,
        "api_name": "sum",
        "kind": "BatchAPI",
        "workers": 4,
        "start_time": at(190),
        "status": "running",
        "batches_in_queue": 41,
        "worker_counts": {"ready": 4},
        "output": {"s3_path": "s3://results/sum"},
        "progress": {
            "items_total": JOB_ITEMS,
            "items_done": 790,
            "items_failed": 9,
            "batches_total": 120,
            "batches_done": 79,
            "rate": 4.2,
            "eta_seconds": 98,
        },
    }
    ended: Json = {
        **job,
        "job_id": "67144b72aa01c0de",
        "status": "succeeded",
        "start_time": at(4000),
        "end_time": at(3600),
        "progress": {"items_total": 300, "items_done": 300, "items_failed": 0, "batches_total": 30, "batches_done": 30},
    }
    task: Json = {
        "job_id": TASK_ID,
        "api_name": "nightly-report",
        "kind": "TaskAPI",
        "workers": 1,
        "start_time": at(75),
        "status": "running",
        "worker_counts": {"ready": 1},
    }
    return World(
        apis=[
            Api(
                name="transcribe",
                kind="AsyncAPI",
                queue=180,
                in_flight=24,
                rate_per_s=7.5,
                latency_s=2.1,
                dead=3,
                failing=0.06,
            ),
            Api(name="thumbnails", kind="AsyncAPI", queue=40, in_flight=8, rate_per_s=22, latency_s=0.18),
            Api(name="sum", kind="BatchAPI", queue=41, in_flight=4, rate_per_s=4.2, latency_s=0.9, failing=0.02),
            Api(name="nightly-report", kind="TaskAPI", ready=None),
            Api(name="classify", kind="RealtimeAPI", in_flight=11, rate_per_s=64, latency_s=0.042, failing=0.01),
        ],
        requests={"transcribe": listed, "thumbnails": [request(number) for number in range(200, 240)]},
        details={
            FAILED_ID: {**failed, "attempts": attempts},
            RUNNING_ID: {**running, "attempts": []},
            RESULT_ID: {**done, "attempts": [{"outcome": "completed", "ended": at(64)}], "result": result},
        },
        payloads={RESULT_ID: b'{"audio": "s3://recordings/0412.wav", "speed": 1.0}'},
        jobs={"sum": [job, ended], "nightly-report": [task]},
        items={JOB_ID: [item(index) for index in range(JOB_ITEMS)]},
        dead_letters=[
            {"message_id": f"m-{n}", "receives": 6, "id": request(n + 20)["id"], "status": "in_queue", "sent": at(900)}
            for n in range(3)
        ],
        answer={
            "status": 200,
            "headers": {"content-type": "application/json", "server": "uvicorn"},
            "body": '{"label": "cat", "score": 0.98}',
            "duration_s": 0.041,
        },
    )


def item(index: int) -> Json:
    """Return an item of the job."""
    if index % 89 == 37 and index < 790:
        error = {"code": "item_failed", "message": f"no such file: {index}.wav", "attempts": 3}
        return {"index": index, "state": "failed", "error": error}
    if index < 760 or (index < 800 and index % 3):
        return {"index": index, "state": "completed", "result": {"sum": index * 3}}
    return {"index": index, "state": "waiting"}
