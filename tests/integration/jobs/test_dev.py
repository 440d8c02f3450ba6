"""`dequeuer dev -f`: the APIs of a cortex.yaml on one machine, with every program as a process."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.integration.cloud import KEYS
from tests.integration.jobs.dev import Dev, run_apis
from tests.integration.waiting import eventually

BATCH_CONTAINER = """
import json
import re
from contextlib import asynccontextmanager
from typing import List

import boto3
from fastapi import FastAPI, Response, status

state = {"ready": False, "sums": []}
s3 = boto3.client("s3")


@asynccontextmanager
async def lifespan(app: FastAPI):
    with open("/cortex/spec/job.json") as file:
        job = json.load(file)
    if len(job["config"].get("dest_s3_dir", "")) == 0:
        raise Exception("'dest_s3_dir' field was not provided in job submission")
    state["job_id"] = job["job_id"]
    state["bucket"], state["key"] = re.match("s3://(.+?)/(.+)", job["config"]["dest_s3_dir"]).groups()
    state["ready"] = True
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/healthz")
def healthz(response: Response):
    if not state["ready"]:
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE


@app.post("/")
def handle_batch(numbers_list: List[List[int]]):
    for numbers in numbers_list:
        state["sums"].append(sum(numbers))


@app.post("/on-job-complete")
def on_job_complete():
    s3.put_object(Bucket=state["bucket"], Key=f"{state['key']}/{state['job_id']}.json", Body=json.dumps(state["sums"]))
"""
BATCH_APIS = """
- name: sum
  kind: BatchAPI
  pod:
    port: 8080
    containers:
      - name: api
        image: 123456789012.dkr.ecr.us-west-2.amazonaws.com/sum:latest
        command: [uvicorn, --workers, "1", --host, 127.0.0.1, --port, $(CORTEX_PORT), "main:app"]
        readiness_probe:
          http_get: {path: /healthz, port: 8080}
"""
CONTAINER = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

root = os.environ.get("CORTEX_ROOT", "")
print("files", sorted(os.listdir(root + "/cortex/spec")), sorted(os.listdir(root + "/cortex/client")), flush=True)
print("account", os.environ["AWS_ACCESS_KEY_ID"], os.environ.get("AWS_PROFILE"), os.environ["AWS_ENDPOINT_URL"], flush=True)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if body == b'"exit"' and not os.path.exists("exited"):
            open("exited", "w").close()
            print("out of luck", flush=True)
            os._exit(3)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(os.environ["CORTEX_PORT"])), Handler).serve_forever()
"""
APIS = """
- name: text
  kind: AsyncAPI
  networking: {{endpoint: /v1/text}}
  pod: {{containers: [{{name: api, image: i, command: [{python}, main.py]}}]}}
- name: echo
  kind: BatchAPI
  pod: {{containers: [{{name: api, image: i, command: [{python}, main.py]}}]}}
- name: train
  kind: TaskAPI
  pod: {{containers: [{{name: t, image: i, command: [{python}, -c], args: ["import time; print('trained'); time.sleep(0.2)"]}}]}}
- name: hello
  kind: RealtimeAPI
  pod: {{containers: [{{name: api, image: i, command: [{python}, main.py]}}]}}
- name: split
  kind: TrafficSplitter
  apis: [{{name: hello, weight: 100}}]
"""
STUBBORN_APIS = """
- name: text
  kind: AsyncAPI
  pod: {{containers: [{{name: api, image: i, command: [sh, -c, "cd . && {python} main.py; true"]}}]}}
- name: echo
  kind: BatchAPI
  pod: {{containers: [{{name: api, image: i, command: [sh, -c, "trap '' TERM; {python} main.py; true"]}}]}}
"""


def write(folder: Path, apis: str, container: str = CONTAINER) -> Path:
    (folder / "main.py").write_text(container)
    path = folder / "cortex.yaml"
    path.write_text(apis.format(python=sys.executable) if "{python}" in apis else apis)
    return path


def s3_of(dev: Dev) -> Any:
    keys = {"aws_access_key_id": KEYS["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": KEYS["AWS_SECRET_ACCESS_KEY"]}
    return boto3.client("s3", endpoint_url=f"http://127.0.0.1:{dev.aws_port}", region_name="us-east-1", **keys)


def items(count: int, size: int = 1) -> dict[str, Any]:
    return {"workers": 2, "item_list": {"items": list(range(count)), "batch_size": size}}


def test_a_batch_container_of_cortex_runs_unchanged_in_one_command(tmp_path: Path) -> None:
    with run_apis(write(tmp_path, BATCH_APIS, BATCH_CONTAINER)) as dev:
        dev.wait_ready()
        s3 = s3_of(dev)
        s3.create_bucket(Bucket="sums")
        submission = {
            "workers": 1,
            "item_list": {"items": [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]], "batch_size": 2},
            "config": {"dest_s3_dir": "s3://sums/output"},
        }
        job = dev.call("/batch/sum", submission)
        assert (job["api_name"], job["kind"], job["workers"]) == ("sum", "BatchAPI", 1)
        status = dev.wait_job("/batch/sum", job["job_id"], "succeeded", "worker_error", "completed_with_failures")
        assert (status["status"], status["total_batch_count"]) == ("succeeded", 2)
        (found,) = s3.list_objects_v2(Bucket="sums")["Contents"]
        assert found["Key"] == f"output/{job['job_id']}.json"
        sums = json.loads(s3.get_object(Bucket="sums", Key=found["Key"])["Body"].read())
        assert sorted(sums) == [10, 26, 42]
        dev.send(signal.SIGINT)
        assert dev.wait() == 0
        assert not dev.processes()


def test_async_batch_and_task_apis_of_one_file_accept_work(tmp_path: Path) -> None:
    with run_apis(write(tmp_path, APIS)) as dev:
        dev.wait_ready()
        assert dev.call("/split", {"a": 1}) == dev.call("/hello", {"a": 1})
        request = dev.call("/v1/text", {"a": 1})["id"]
        batch = dev.call("/echo", {**items(6, 2), "output": {"s3_path": "s3://dequeuer-dev/out"}})["job_id"]
        task = dev.call("/tasks/train", {})["job_id"]
        eventually(lambda: dev.call(f"/v1/text/{request}")["status"] == "completed", "the request")
        assert dev.call(f"/v1/text/{request}")["result"] == {"a": 1}
        dev.wait_job("/tasks/train", task, "succeeded")
        dev.wait_job("/batch/echo", batch, "succeeded")
        listed = s3_of(dev).list_objects_v2(Bucket="dequeuer-dev", Prefix=f"out/{batch}/results/")["Contents"]
        assert [one["Key"].rpartition("/")[2] for one in listed] == [f"0000000{index}.jsonl" for index in range(3)]
        dev.wait_line(r"^train worker-0\.t \| trained$")
        dev.wait_line(rf"^  {batch}  echo: succeeded$")
        account = rf"account test None http://127\.0\.0\.1:{dev.aws_port}$"
        assert dev.wait_line(rf"^text api \| {account}")
        assert dev.wait_line(rf"^echo worker-0\.api \| {account}")
        assert dev.wait_line(r"^text api \| files \['probes.json'\] \['cli.yaml'\]$")
        assert dev.wait_line(r"^echo worker-0\.api \| files \['job.json', 'probes.json'\] \['cli.yaml'\]$")


def test_a_container_that_ends_is_shown_with_its_last_lines_and_its_request_comes_out(tmp_path: Path) -> None:
    with run_apis(write(tmp_path, APIS)) as dev:
        dev.wait_ready()
        request = dev.call("/v1/text", "exit")["id"]
        eventually(lambda: dev.call(f"/v1/text/{request}")["status"] == "completed", "the request")
        end = dev.lines.index("text api ended with exit status 3. Its last lines:")
        assert "    out of luck" in dev.lines[end:]
        assert "    It is started again in 0.5 s." in dev.lines[end:]


def test_once_ends_when_all_accept_work(tmp_path: Path) -> None:
    with run_apis(write(tmp_path, APIS), "--once") as dev:
        assert dev.wait() == 0
        assert f"ready: http://127.0.0.1:{dev.port}" in dev.lines
        assert not dev.processes()


def test_a_container_that_does_not_become_ready_ends_it_with_the_reason(tmp_path: Path) -> None:
    probe = "readiness_probe: {http_get: {port: 8080, path: /nothing}, initial_delay_seconds: 10}"
    apis = APIS.partition("- name: echo")[0].replace(
        "main.py]", f"main.py], {probe.replace('{', '{{').replace('}', '}}')}"
    )
    # The first look is the one that is told: until then the container has to listen, on a busy machine, too.
    with run_apis(write(tmp_path, apis), "--ready-timeout", "20") as dev:
        assert dev.wait() == 1
        assert dev.lines[-1].startswith("dequeuer dev: after 20 s text is not ready (more time: --ready-timeout): ")
        assert dev.lines[-1].endswith("a probe of the container fails")
        assert "  text: the probe api:http_get fails: HTTP 501" in dev.lines
        assert any(line.startswith("text api | account test") for line in dev.lines)


def test_faults_of_the_file_are_told_before_anything_runs(tmp_path: Path) -> None:
    apis = "- {name: a, kind: AsyncAPI, pod: {containers: [{name: api, image: i}]}}\n"
    with run_apis(write(tmp_path, apis + apis.replace("name: a,", "name: b,"))) as dev:
        assert dev.wait() == 2
        assert dev.lines[0].startswith("dequeuer dev: 2 faults in ")
        assert [".command (API a): is missing" in dev.lines[1], ".command (API b): is missing" in dev.lines[2]] == [
            True
        ] * 2
        assert len(dev.lines) == 3


@pytest.mark.parametrize(
    ("name", "options"),
    [("ministack", []), ("gateway", []), ("controller", []), ("ministack", ["--chaos", "slow-s3"])],
    ids=["ministack", "gateway", "controller", "ministack-chaos"],
)
def test_when_one_of_the_programs_is_killed_all_end(tmp_path: Path, name: str, options: list[str]) -> None:
    with run_apis(write(tmp_path, STUBBORN_APIS), *options) as dev:
        dev.wait_ready()
        dev.call("/batch/echo", items(50))
        dev.wait_line(r"^echo worker-1\.api")
        program = re.compile(rf"(dequeuer |-m |/){name}$")
        (pid,) = (pid for pid, command in dev.processes().items() if program.search(command.strip()))
        os.kill(pid, signal.SIGKILL)
        assert dev.wait() == 1
        assert f"{name} was killed by SIGKILL" in "\n".join(dev.lines)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill"])
def test_at_any_moment_nothing_is_left(tmp_path: Path, number: signal.Signals, seed: int) -> None:
    chance = random.Random(seed)
    with run_apis(write(tmp_path, STUBBORN_APIS)) as dev:
        if seed % 2:
            dev.wait_ready()
            dev.call("/batch/echo", items(50))
            dev.call("/text", {"a": 1})
            time.sleep(chance.uniform(0, 6))
        else:
            time.sleep(chance.uniform(0, 2.5))
        dev.send(number)
        if number == signal.SIGINT and chance.random() < 0.5:
            time.sleep(chance.uniform(0, 0.5))
            dev.send(number)  # the user does not wait
        status = dev.wait()
        # Until the interpreter itself has started, the signal ends it, which shells show as 130, too.
        assert status in ({0, 130, -signal.SIGINT} if number == signal.SIGINT else {-signal.SIGKILL})
        if status == 0:
            assert not dev.processes()
        dev.wait_gone()  # what a signal ends at once is cleaned up by the watchdog, a moment later
