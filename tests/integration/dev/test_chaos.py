"""`dequeuer dev -f --chaos`: two minutes in which processes are killed, and SQS and S3 fare badly. Nothing is lost."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

from tests.integration.dev.project import ENDED, SUMMARY, TEXT, own_files, run_project
from tests.integration.jobs.dev import Dev
from tests.integration.sidecar import ROOT

MAX_SECONDS = 300.0
SECONDS = float(os.environ.get("CHAOS_SECONDS", "120"))
"""How long work is submitted."""
SEED = int(os.environ.get("CHAOS_SEED") or random.randrange(2**32))
REALTIME_PAUSE_S, REQUEST_PAUSE_S, JOB_PAUSE_S = 0.5, 2.0, 20.0
TRY_S = 60.0
RETRY_S = 90.0
"""How long a client tries again: longer than a container, its proxy and the gateway take to start, one after the other."""
END_S = 420.0
"""For all of it, after the last submission, while things still go wrong: leases of killed processes, 60 s, have to end."""
BODIES = {"summaries": TEXT, "counts": ["a b c", "d e", "f", "g h"], "report": {"text": TEXT}}


class Client:
    """What a client of the project does: it tries again, as clients of a cluster have to."""

    def __init__(self, dev: Dev) -> None:
        self._url = f"http://127.0.0.1:{dev.port}/front"
        self.tries: Counter[str] = Counter()

    def call(self, path: str, body: Any = None) -> Any:
        """Return the JSON of the answer to a realtime call."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, {"Content-Type": "application/json"})  # noqa: S310
        ends = time.monotonic() + RETRY_S
        while True:
            try:
                with urllib.request.urlopen(request, timeout=TRY_S) as answer:  # noqa: S310 - loopback
                    self.tries["answered"] += 1
                    return json.loads(answer.read())
            except (OSError, ValueError, http.client.HTTPException) as error:  # cut off, 5xx, half of an answer
                why = str(error.code) if isinstance(error, urllib.error.HTTPError) else type(error).__name__
            self.tries[why] += 1
            assert time.monotonic() < ends, f"seed {SEED}: {path}: {why}"
            assert not why.startswith("4"), f"seed {SEED}: {path}: {why}"
            time.sleep(0.2)


def test_two_minutes_of_chaos_lose_no_request_and_no_job(tmp_path: Path) -> None:
    assert 0 < SECONDS <= MAX_SECONDS, f"CHAOS_SECONDS is {SECONDS:g}; allowed: above 0, at most {MAX_SECONDS:g}"
    print(f"CHAOS_SEED={SEED}")
    with run_project(tmp_path, "--chaos", "--chaos-seed", str(SEED)) as dev:
        dev.wait_ready()
        client = Client(dev)
        submitted: dict[str, list[str]] = {api: [] for api in BODIES}
        broken: list[BaseException] = []
        over = time.monotonic() + SECONDS

        def submit(api: str, pause_s: float) -> None:
            try:
                while time.monotonic() < over:
                    submitted[api].append(client.call(f"/{api}", BODIES[api])["id"])
                    time.sleep(pause_s)
            except BaseException as error:  # noqa: BLE001 - told by the test
                broken.append(error)

        pauses = {"summaries": REQUEST_PAUSE_S, "counts": JOB_PAUSE_S, "report": JOB_PAUSE_S}
        threads = [threading.Thread(target=submit, args=one) for one in pauses.items()]
        for thread in threads:
            thread.start()
        while time.monotonic() < over:
            assert client.call("/")["apis"] == [*BODIES]
            time.sleep(REALTIME_PAUSE_S)
        for thread in threads:
            thread.join()
        assert not broken, broken
        over = time.monotonic() + END_S
        ends = {api: [wait_end(client, dev, api, work, over) for work in found] for api, found in submitted.items()}
        lines = "\n".join(dev.lines)
        told = f"seed {SEED}: {client.tries}\n{ {api: Counter(map(status, found)) for api, found in ends.items()} }\n"
        print(told)
        assert [one for one in ends["summaries"] if one.get("result") != SUMMARY] == [], told + lines
        assert {status(one) for one in ends["counts"]} == {"succeeded"}, told + lines
        # A task has no queue: a kill of its only process ends its job, as it does in a cluster.
        assert {status(one) for one in ends["report"]} <= {"succeeded", "worker_error"}, told + lines
        assert len([line for line in dev.lines if line.startswith("chaos: killed")]) >= SECONDS / 12, lines
        assert any(line.startswith("chaos: S3 ") for line in dev.lines), lines
        dev.send(signal.SIGINT)
        assert dev.wait() == 0
        dev.wait_gone()
        assert own_files(tmp_path / "project") == own_files(ROOT / "examples" / "project")


def wait_end(client: Client, dev: Dev, api: str, work: str, over: float) -> dict[str, Any]:
    """Return the status of a request or a job when it has ended."""
    while True:
        found: dict[str, Any] = client.call(f"/{api}/{work}")
        if status(found) in ENDED[api]:
            return found
        assert dev.process.poll() is None, dev.lines
        assert time.monotonic() < over, f"seed {SEED}: {api} {work} is {status(found)}:\n" + "\n".join(dev.lines)
        time.sleep(0.5)


def status(found: dict[str, Any]) -> str:
    return str(found["status"])
