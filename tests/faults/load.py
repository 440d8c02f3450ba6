"""The clients of a run. The payload of a request decides how the container responds."""

from __future__ import annotations

import json
import random
import threading
import uuid
from collections.abc import Mapping
from typing import Self

from tests.faults.recorder import RunRecorder
from tests.faults.wire_formats import COMPLETION
from tests.history.records import Record
from tests.integration.cloud import Bucket, Queue

FIRST: Mapping[str, int] = {
    "ok": 70,
    "slow": 4,
    "500": 4,
    "invalid": 3,
    "429": 4,
    "503": 4,
    "cut": 6,
    "hang up": 5,
}


class Mix:
    """Draws payloads.

    Args:
        seed: of the payloads.
        lease_s: slow requests take longer than this.
        first: weights of the kinds of the first response to a request. All later responses are 200.
    """

    def __init__(self, seed: int, lease_s: float, first: Mapping[str, int] = FIRST) -> None:
        self._random = random.Random(f"load-{seed}")
        self._lease_s = lease_s
        self._first = first

    def payload(self, number: int) -> dict[str, object]:
        """Draw the payload of a request."""
        [first] = self._random.choices(list(self._first), list(self._first.values()))
        work_s = round(self._random.uniform(0.0, 0.2), 3)
        slow_s = round(self._lease_s + self._random.uniform(0.2, 2.0), 3)
        return {"n": number, "first": first, "work_s": work_s, "slow_s": slow_s}


def submit(bucket: Bucket, queue: Queue, recorder: RunRecorder, payload: object) -> str:
    """Submit an async request. It is recorded before the queue can deliver it."""
    ref = str(uuid.uuid4())
    bucket.put(ref, "headers.json", b'{"Content-Type": ["application/json"]}', "application/json")
    bucket.put(ref, "payload", json.dumps(payload).encode())
    recorder.record(Record(at=recorder.now(), what="submitted", ref=ref))
    queue.send(ref)
    return ref


def submit_job(queue: Queue, recorder: RunRecorder, mix: Mix, batches: int) -> None:
    """Submit the batches of a job, then its completion message."""
    for number in range(batches):
        recorder.record(Record(at=recorder.now(), what="submitted", ref=f"batch-{number}"))
        queue.send(json.dumps([mix.payload(number)]))
    recorder.record(Record(at=recorder.now(), what="submitted", ref=COMPLETION, name=COMPLETION))
    queue.send_completion("job-1")


class Load:
    """Submits `per_second` requests per second, in a thread, until the end of the block."""

    def __init__(self, bucket: Bucket, queue: Queue, recorder: RunRecorder, mix: Mix, per_second: float) -> None:
        self._facts = (bucket, queue, recorder)
        self._mix = mix
        self._pause_s = 1 / per_second
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")
        self._error: Exception | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        number = 0
        try:
            while not self._stop.wait(self._pause_s):
                submit(*self._facts, self._mix.payload(number))
                number += 1
        except Exception as error:  # noqa: BLE001 - raised in the thread that waits for this one
            self._error = error
