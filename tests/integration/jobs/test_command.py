"""`dequeuer jobs` against a gateway, with controller, enqueuer, sidecars and containers as processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cloud import Bucket, Cloud
from tests.integration.gateway_process import Gateway
from tests.integration.jobs.controller import Controller
from tests.integration.sidecar import ROOT
from tests.integration.waiting import DEADLINE_S, eventually


class Shell:
    """Someone who types commands."""

    def __init__(self, gateway: Gateway, work_folder: Path) -> None:
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DEQUEUER_GATEWAY_URL": f"http://127.0.0.1:{gateway.port}",
            "DEQUEUER_WORK_FOLDER": str(work_folder),
        }

    def start(self, *line: str) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "dequeuer", "jobs", *line],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *line: str, body: Any = None) -> tuple[int, str, str]:
        """Run a command; return exit status, standard output and standard error."""
        return ended(self.start(*line), body)


def ended(process: subprocess.Popen[str], body: Any = None) -> tuple[int, str, str]:
    """Wait for a command."""
    with process:
        out, err = process.communicate("" if body is None else json.dumps(body), timeout=DEADLINE_S)
    return process.returncode, out, err


@pytest.fixture
def shell(gateway: Gateway, apis: Path) -> Shell:
    return Shell(gateway, apis.parent / "work")


def submission(bucket: Bucket, **config: Any) -> dict[str, Any]:
    items = {"items": list(range(1000)), "batch_size": 10}
    return {"workers": 2, "item_list": items, "config": {"bucket": bucket.name, **config}}


def test_a_job_from_its_submission_to_its_logs(cloud: Cloud, bucket: Bucket, shell: Shell, apis: Path) -> None:
    with Controller(cloud, bucket, apis):
        status, out, err = shell.run("submit", "sum", "-", "--wait", body=submission(bucket))
        assert (status, err) == (0, "")
        job_id, *changes = out.splitlines()
        assert [line.split()[1].rstrip(",") for line in changes][-1] == "succeeded"
        status, out, _ = shell.run("status", "sum", job_id)
        assert (status, "1,000 of 1,000 done" in out) == (0, True)
        status, out, _ = shell.run("list", "sum", "--json")
        assert [json.loads(line)["job_id"] for line in out.splitlines()] == [job_id]
        status, out, _ = shell.run("logs", "sum", job_id)
        assert status == 0
        assert {line.partition(" | ")[0] for line in out.splitlines()} >= {"enqueuer", "worker-0.sidecar"}

        status, out, err = shell.run("submit", "sum", "-", "--wait", "--json", body=submission(bucket, fails=500))
        assert (status, json.loads(out)["status"]) == (3, "completed_with_failures")
        status, out, err = shell.run("submit", "sum", "-", "--wait", "--json", body=submission(bucket, broken=True))
        assert (status, json.loads(out)["status"]) == (6, "worker_error")


def test_the_results_of_a_job_are_read(cloud: Cloud, bucket: Bucket, shell: Shell, apis: Path, tmp_path: Path) -> None:
    body = submission(bucket, answers=True, fails=500) | {"output": {"s3_path": f"s3://{bucket.name}/out"}}
    with Controller(cloud, bucket, apis):
        status, out, _ = shell.run("submit", "sum", "-", "--wait", "--json", body=body)
        assert status == 3
        job_id = json.loads(out)["job_id"]
        status, out, err = shell.run("results", "sum", job_id)
        assert (status, err) == (0, "")
        lines = [json.loads(line) for line in out.splitlines()]
        assert [line["index"] for line in lines] == list(range(1000))
        assert [line["index"] for line in lines if "error" in line] == list(range(500, 510))
        assert all(line["result"] == 2 * line["index"] for line in lines if "result" in line)
        _, errors, _ = shell.run("results", "sum", job_id, "--only", "errors")
        assert errors.splitlines() == out.splitlines()[500:510]
        file = tmp_path / "results.jsonl"
        assert shell.run("results", "sum", job_id, "--output", str(file)) == (0, "", "")
        assert file.read_text() == out
        without = shell.run("submit", "sum", "-", body=submission(bucket))[1].strip()
        status, out, err = shell.run("results", "sum", without)
        assert (status, out, "it was submitted without output" in err) == (1, "", True)


def test_a_job_is_paused_resumed_watched_and_stopped(cloud: Cloud, bucket: Bucket, shell: Shell, apis: Path) -> None:
    with Controller(cloud, bucket, apis) as controller:
        job_id = shell.run("submit", "sum", "-", body=submission(bucket, takes=0.5))[1].strip()
        watching = shell.start("watch", "sum", job_id, "--json")
        assert watching.stdout is not None
        states = (json.loads(line) for line in watching.stdout)
        assert next(one for one in states if one["status"] == "running")
        assert shell.run("pause", "sum", job_id) == (0, f"paused job {job_id}\n", "")
        assert next(one for one in states if one.get("paused"))
        eventually(lambda: not controller.children("main.py"), "the workers to be drained")
        assert shell.run("resume", "sum", job_id) == (0, f"resumed job {job_id}\n", "")
        assert next(one for one in states if not one.get("paused"))
        eventually(lambda: controller.children("main.py"), "the workers to be there again")
        assert shell.run("stop", "sum", job_id) == (0, f"stopped job {job_id}\n", "")
        assert list(states)[-1]["status"] == "stopped"
        assert ended(watching)[0] == 4


def test_a_gateway_that_is_drained_or_killed_costs_a_watcher_nothing(
    cloud: Cloud, bucket: Bucket, gateway: Gateway, shell: Shell, apis: Path
) -> None:
    with Controller(cloud, bucket, apis):
        job_id = shell.run("submit", "sum", "-", body=submission(bucket, takes=0.3))[1].strip()
        watching = shell.start("watch", "sum", job_id, "--json")
        assert watching.stdout is not None
        lines = [watching.stdout.readline()]
        gateway.terminate()
        assert gateway.wait() == 0
        with Gateway(cloud.url, bucket, "", apis=apis, port=gateway.port) as second:
            second.wait_started()
            lines.append(watching.stdout.readline())
            second.kill()
        with Gateway(cloud.url, bucket, "", apis=apis, port=gateway.port) as third:
            third.wait_started()
            # Not by `ended`, which does not see what was read ahead: the job may have ended by now.
            lines += watching.stdout
            status, _, _ = ended(watching)
        assert status == 0
        assert json.loads(lines[-1])["status"] == "succeeded"


def test_ctrl_c_leaves_the_job_running(cloud: Cloud, bucket: Bucket, shell: Shell, apis: Path) -> None:
    with Controller(cloud, bucket, apis):
        job_id = shell.run("submit", "sum", "-", body=submission(bucket, takes=0.2))[1].strip()
        watching = shell.start("watch", "sum", job_id)
        assert watching.stdout is not None
        assert watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        status, _, err = ended(watching)
        assert (status, f"Job {job_id} goes on" in err) == (130, True)
        assert shell.run("watch", "sum", job_id)[0] == 0


def test_a_task_is_served_by_the_same_commands(cloud: Cloud, bucket: Bucket, shell: Shell, apis: Path) -> None:
    with Controller(cloud, bucket, apis):
        status, out, _ = shell.run("submit", "train", "-", "--wait", "--json", body={"config": {"epochs": 3}})
        assert (status, json.loads(out)["status"]) == (0, "succeeded")
        job_id = json.loads(out)["job_id"]
        status, out, _ = shell.run("logs", "train", job_id)
        names, lines = zip(*(line.split(" | ", 1) for line in out.splitlines()), strict=True)
        assert (status, set(names)) == (0, {"worker-0.train"})
        assert json.loads("".join(lines))["config"] == {"epochs": 3}


def test_what_is_wrong_with_a_submission_is_printed(shell: Shell) -> None:
    body = {"workers": 0, "item_list": {"items": [1], "batch_size": 0}}
    status, out, err = shell.run("submit", "sum", "-", body=body)
    assert (status, out) == (1, "")
    assert err.count("\n") == 3
    assert shell.run("submit", "sum", "-", "--dry-run", body=body)[0] == 1
    body = {"workers": 1, "item_list": {"items": [1], "batch_size": 1}}
    assert shell.run("submit", "sum", "-", "--dry-run", body=body)[:2] == (0, "")
    assert shell.run("list", "sum")[1].splitlines() == ["JOB  STATUS  SUBMITTED  TIME  DONE  FAILED"]
