"""The clients of a run: requests whose payload tells the container what to do."""

from __future__ import annotations

import json
import random
import threading
import uuid
from collections.abc import Mapping
from typing import Self

from tests.faults.notebook import Notebook
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
    """Draws what the container is to do with each request.

    Args:
        seed: of what is drawn.
        lease_s: slow work takes longer than this.
        first: weights of the kinds; what is done again goes well.
    """

    def __init__(self, seed: int, lease_s: float, first: Mapping[str, int] = FIRST) -> None:
        self._random = random.Random(f"load-{seed}")
        self._lease_s = lease_s
        self._first = first

    def todo(self, number: int) -> dict[str, object]:
        """Return a payload."""
        [first] = self._random.choices(list(self._first), list(self._first.values()))
        work_s = round(self._random.uniform(0.0, 0.2), 3)
        slow_s = round(self._lease_s + self._random.uniform(0.2, 2.0), 3)
        return {"n": number, "first": first, "work_s": work_s, "slow_s": slow_s}


def submit(bucket: Bucket, queue: Queue, notebook: Notebook, todo: object) -> str:
    """Submit an async request, and take it down before the queue can hand it out."""
    ref = str(uuid.uuid4())
    bucket.put(ref, "headers.json", b'{"Content-Type": ["application/json"]}', "application/json")
    bucket.put(ref, "payload", json.dumps(todo).encode())
    notebook.note(Record(at=notebook.now(), what="submitted", ref=ref))
    queue.send(ref)
    return ref


def submit_job(queue: Queue, notebook: Notebook, mix: Mix, batches: int) -> None:
    """Submit a batch job, its end last."""
    for number in range(batches):
        notebook.note(Record(at=notebook.now(), what="submitted", ref=f"batch-{number}"))
        queue.send(json.dumps([mix.todo(number)]))
    notebook.note(Record(at=notebook.now(), what="submitted", ref=COMPLETION, name=COMPLETION))
    queue.send_completion("job-1")


class Load:
    """Submits requests at a pace, in a thread, until it is left."""

    def __init__(self, bucket: Bucket, queue: Queue, notebook: Notebook, mix: Mix, per_second: float) -> None:
        self._facts = (bucket, queue, notebook)
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
                submit(*self._facts, self._mix.todo(number))
                number += 1
        except Exception as error:  # noqa: BLE001 - told by the thread that waits for this one
            self._error = error
