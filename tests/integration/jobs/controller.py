"""The controller as a process, with a container of the Cortex kind, and a gateway to submit to."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from tests.integration.cloud import CLUSTER, KEYS, REGION, Bucket, Cloud
from tests.integration.gateway_process import Gateway
from tests.integration.sidecar import AWS_CLIENT, Sidecar
from tests.integration.waiting import eventually

CONTAINER = '''
"""A batch container as people wrote them for Cortex: it sums lists, and stores what it has when the job is complete."""

import json, os, sys, time, uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3

root = os.environ.get("CORTEX_ROOT", "")
with open(root + "/cortex/spec/job.json") as file:
    job = json.load(file)
config = job["config"] or {}
with open(root + "/mnt/seen", "w") as file:
    file.write(job["job_id"])
if config.get("broken"):
    sys.exit("no module named torch")
s3 = boto3.client("s3")
stuck = [True] if config.get("dead") else []


def grow():
    held = []
    while True:
        held.append(bytearray(b"x") * (4 << 20))
        time.sleep(0.005)


def once(name):
    try:
        os.close(os.open(f"{config['marks']}/{name}", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def answer(items):
    if config["answers"] != "partly":
        return [2 * item for item in items]
    failing = [at for at, item in enumerate(items) if item % 10 in (3, 7) and (item % 10 == 3 or len(items) > 1)]
    results = [None if at in failing else 2 * item for at, item in enumerate(items)]
    return {"results": results, "failures": [{"index": at, "error": "bad", "retry": items[at] % 10 == 7} for at in failing]}


def put(name, text):
    s3.put_object(Bucket=config["bucket"], Key=f"output/{name}", Body=text.encode())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.reply(500 if stuck else 200)

    def do_POST(self):
        items = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/on-job-complete":
            put(f"complete/{uuid.uuid4().hex}", json.dumps(job))
        else:
            time.sleep(config.get("takes", 0))
            if items[0] == config.get("grows") and once("grew"):
                grow()
            if items[0] == config.get("sticks") and once("stuck"):
                stuck.append(True)
                time.sleep(600)
            if items[0] == config.get("fails"):
                return self.reply(500)
            if items[0] == config.get("holds"):
                put("held", "")
                time.sleep(120)
            put(f"sums/{items[0]:06}-{uuid.uuid4().hex}", str(sum(items)))
            if config.get("answers"):
                return self.reply(body=json.dumps(answer(items)).encode())
        self.reply()

    def reply(self, status=200, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if config.get("grows") == "at start":
    grow()
ThreadingHTTPServer(("127.0.0.1", int(os.environ["CORTEX_PORT"])), Handler).serve_forever()
'''
APIS = """
- name: sum
  kind: BatchAPI
  pod:
    port: 8080
    containers:
      - name: api
        image: sum
        command: [{python}, main.py]
        env: {{URL: "http://localhost:$(CORTEX_PORT)"}}
        readiness_probe: {{http_get: {{path: /, port: 8080}}, period_seconds: 1}}
        {more}
- name: train
  kind: TaskAPI
  pod:
    containers:
      - name: train
        image: train
        command: [{python}, -c]
        args: ["import os; print(open(os.environ.get('CORTEX_ROOT', '') + '/cortex/spec/job.json').read())"]
"""


def write_apis(folder: Path, more: str = "") -> Path:
    """Write the container and its cortex.yaml; return the path of that. `more`: fields of the container."""
    (folder / "main.py").write_text(CONTAINER)
    path = folder / "cortex.yaml"
    path.write_text(APIS.format(python=sys.executable, more=more))
    return path


class Controller(Sidecar):
    """One process."""

    def __init__(self, cloud: Cloud, bucket: Bucket, apis: Path, **more: str) -> None:
        settings = {
            **KEYS,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": cloud.url,
            "DEQUEUER_BUCKET": bucket.name,
            "DEQUEUER_CLUSTER_UID": CLUSTER,
            "DEQUEUER_APIS": str(apis),
            "DEQUEUER_WORK_FOLDER": str(apis.parent / "work"),
            "DEQUEUER_OWNERSHIP_TIMEOUT": "3",
            "DEQUEUER_COMPLETION_DELAY": "1",
            "DEQUEUER_POLL_WAIT": "1",
            "DEQUEUER_VISIBILITY_TIMEOUT": "3",
            "DEQUEUER_LOG_FORMAT": "json",
            **AWS_CLIENT,
            **more,
        }
        super().__init__(settings, "controller")

    def wait_started(self) -> Self:
        """Wait until it runs."""
        eventually(lambda: self.events("controller_started"), "the controller to start")
        return self

    def children(self, *words: str) -> list[int]:
        """Return the child processes whose command line ends with these words."""
        return [pid for pid, command in self.commands().items() if command[-len(words) :] == list(words)]

    def commands(self) -> dict[int, list[str]]:
        """Return the command lines of the child processes."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                command = (folder / "cmdline").read_bytes().decode().rstrip("\0").split("\0")
            except OSError:
                continue
            if int(parent) == self.process.pid:
                found[int(folder.name)] = command
        return found


class Job:
    """A job that was submitted to a gateway."""

    def __init__(self, gateway: Gateway, bucket: Bucket, body: Mapping[str, Any], path: str = "/batch/sum") -> None:
        status, text = gateway.call(path, json.dumps(body).encode())
        assert status == 200, text
        self.id: str = json.loads(text)["job_id"]
        self._gateway = gateway
        self._bucket = bucket
        self._path = path

    def status(self) -> dict[str, Any]:
        """Return `job_status`."""
        code, text = self._gateway.call(f"{self._path}?jobID={self.id}")
        assert code == 200, text
        found: dict[str, Any] = json.loads(text)["job_status"]
        return found

    def metrics(self) -> dict[str, Any]:
        """Return `metrics`."""
        found: dict[str, Any] = json.loads(self._gateway.call(f"{self._path}?jobID={self.id}")[1])["metrics"]
        return found

    def stop(self) -> None:
        """Ask for its end."""
        assert self._gateway.call(f"{self._path}?jobID={self.id}", method="DELETE")[0] == 200

    def wait_status(self, *states: str) -> dict[str, Any]:
        """Wait until it has one of these statuses; return it."""

        def look() -> dict[str, Any] | None:
            status = self.status()
            return status if status["status"] in states else None

        return eventually(look, f"{self.id} to be {states}")

    def wait_over(self) -> None:
        """Wait until its index entry is deleted: everything that follows the end is done."""
        prefix = f"{CLUSTER}/jobs/BatchAPI/in_progress/"
        eventually(lambda: self.id not in "".join(self.keys(prefix)), f"{self.id} to be over")

    def keys(self, prefix: str) -> list[str]:
        """Return the keys of the bucket below a prefix."""
        pages = self._bucket.s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket.name, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def handled(self) -> list[int]:
        """Return the first items of the batches that the container has handled."""
        return sorted(int(key.rpartition("/")[2].partition("-")[0]) for key in self.keys("output/sums/"))

    def completions(self) -> int:
        """Return how often the container was told that the job is complete."""
        return len(self.keys("output/complete/"))
