"""The sidecar as a process, configured by environment variables only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

from tests.integration.cloud import CLUSTER, KEYS, REGION, Bucket, Cloud, Queue
from tests.integration.output import Output
from tests.integration.servers import free_port
from tests.integration.waiting import DEADLINE_S, eventually

ROOT = Path(__file__).resolve().parents[2]


AWS_CLIENT = {name: os.environ[name] for name in ("DEQUEUER_AWS_CLIENT",) if name in os.environ}
"""AWS clients of all tests: `tox -e sdk` sets those of the SDK."""


def async_settings(cloud: Cloud, queue: Queue, bucket: Bucket, port: int, **more: str) -> dict[str, str]:
    """Return the environment of an async API's sidecar."""
    return {
        **_settings(cloud, queue, port),
        "DEQUEUER_API_KIND": "AsyncAPI",
        "DEQUEUER_CLUSTER_UID": CLUSTER,
        "DEQUEUER_BUCKET": bucket.name,
        **more,
    }


def batch_settings(cloud: Cloud, queue: Queue, port: int, **more: str) -> dict[str, str]:
    """Return the environment of a batch job's sidecar."""
    return {
        **_settings(cloud, queue, port),
        "DEQUEUER_API_KIND": "BatchAPI",
        "DEQUEUER_JOB_ID": "job-1",
        "DEQUEUER_COMPLETION_DELAY": "1",
        **more,
    }


def queue_settings(cloud: Cloud, queue: Queue, port: int, **more: str) -> dict[str, str]:
    """Return the environment of the sidecar of any queue."""
    return {**_settings(cloud, queue, port), "DEQUEUER_API_KIND": "queue", **more}


def _settings(cloud: Cloud, queue: Queue, port: int) -> dict[str, str]:
    return {
        **KEYS,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": cloud.url,
        "DEQUEUER_API_NAME": "api",
        "DEQUEUER_QUEUE_URL": queue.url,
        "DEQUEUER_USER_PORT": str(port),
        "DEQUEUER_POLL_WAIT": "1",
        "DEQUEUER_LOG_FORMAT": "json",
        **AWS_CLIENT,
    }


class Sidecar:
    """One process; its log is collected while it runs."""

    def __init__(self, settings: dict[str, str], *arguments: str) -> None:
        self.admin_port = free_port()
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "AWS_EC2_METADATA_DISABLED": "true",
            "DEQUEUER_ADMIN_HOST": "127.0.0.1",
            "DEQUEUER_ADMIN_PORT": str(self.admin_port),
            **settings,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dequeuer", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self.process.stdout is not None
        self._output = Output(self.process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def lines(self) -> list[str]:
        """The lines of its log so far."""
        return self._output.lines

    def kill(self) -> None:
        """End it with SIGKILL, unless it has ended."""
        if self.process.poll() is None:
            self.process.kill()
        self.wait()

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self, deadline_s: float = DEADLINE_S) -> int:
        """Wait for its end; return the exit status."""
        status = self.process.wait(deadline_s)
        self._output.close(deadline_s)
        return status

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log lines of one event so far."""
        parsed = [json.loads(line) for line in self.lines if line.startswith("{")]
        return [line for line in parsed if line["event"] == name]

    def settled(self, count: int) -> list[dict[str, Any]]:
        """Wait until this number of messages is settled; return their log lines, which come after the settlement."""
        eventually(lambda: len(self.events("message_settled")) >= count, f"{count} messages to be settled")
        return self.events("message_settled")

    def get(self, path: str) -> tuple[int, str]:
        """Send a GET to the admin server; status 0 while it does not respond."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}{path}", timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def wait_ready(self) -> None:
        """Wait until it reports that the container is ready."""
        eventually(lambda: self.get("/healthz") == (200, "healthy"), "the sidecar to be ready")

    def metric(self, sample: str) -> float:
        """Return the value of one sample; 0 when it is missing."""
        _, text = self.get("/metrics")
        return next((float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(f"{sample} ")), 0.0)

    def peak_mib(self) -> float:
        """Return its peak memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
