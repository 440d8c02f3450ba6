"""The sidecar as a process, started as in a pod: environment variables, its log in a file."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.canned.state import Shape
from bench.child import BenchError, child, tail, wait_for
from bench.servers import Servers
from bench.wire_format import API, BUCKET, CLUSTER, JOB, KEYS, REGION

GOOD = frozenset({"completed", "succeeded"})
_SAMPLE = re.compile(r"^(?P<name>\w+)(?:\{(?P<labels>[^}]*)\})? (?P<value>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The configuration of the sidecar for one row.

    Attributes:
        shape: the messages that the servers serve.
        workers: the number of messages at a time.
        tls: whether queue and store use HTTPS.
    """

    shape: Shape
    workers: int
    tls: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """A running sidecar.

    Attributes:
        process: the process.
        started_at_s: monotonic time just before its start.
        log: the file of its output.
        admin_port: the port of its metrics.
    """

    process: subprocess.Popen[bytes]
    started_at_s: float
    log: Path
    admin_port: int

    def metrics(self) -> str:
        """Return the metrics of the sidecar."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}/metrics", timeout=30) as answer:
            text: str = answer.read().decode()
            return text

    def check(self) -> None:
        """Raise `BenchError` when the metrics show an error: the measurement cannot be used then."""
        if wrong := faults(self.metrics()):
            raise BenchError(
                f"void, the metrics of the sidecar show {', '.join(wrong)}; its log ends with:\n{tail(self.log)}"
            )


def faults(metrics: str) -> list[str]:
    """Return the samples of errors, releases and failures."""
    found = []
    for sample in _SAMPLE.finditer(metrics):
        labels = dict(_LABEL.findall(sample["labels"] or ""))
        name = sample["name"]
        bad = (name == "dequeuer_messages_total" and labels["settlement"] not in GOOD) or (
            name in ("dequeuer_source_calls_total", "dequeuer_store_calls_total") and labels["error"] != "none"
        )
        if float(sample["value"]) and (bad or name == "dequeuer_leases_lost_total"):
            found.append(sample[0])
    return found


def environment(servers: Servers, setup: Setup, folder: Path, client: str | None) -> dict[str, str]:
    """Return the environment variables that configure the sidecar."""
    ports, tls = servers.ports, setup.tls
    scheme = "https" if tls else "http"
    kind = {"DEQUEUER_API_KIND": "async", "DEQUEUER_CLUSTER_UID": CLUSTER, "DEQUEUER_BUCKET": BUCKET}
    if setup.shape.kind == "batch":
        kind = {"DEQUEUER_API_KIND": "batch", "DEQUEUER_JOB_ID": JOB}
    return {
        **KEYS,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL_SQS": f"{scheme}://127.0.0.1:{ports.sqs(tls=tls)}",
        "AWS_ENDPOINT_URL_S3": f"{scheme}://127.0.0.1:{ports.s3(tls=tls)}",
        **({"AWS_CA_BUNDLE": str(servers.authority)} if tls else {}),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        **kind,
        "DEQUEUER_API_NAME": API,
        "DEQUEUER_QUEUE_URL": ports.queue_url(tls=tls),
        "DEQUEUER_USER_PORT": str(ports.container),
        "DEQUEUER_WORKERS": str(setup.workers),
        "DEQUEUER_ADMIN_HOST": "127.0.0.1",
        "DEQUEUER_PROBES_PATH": str(folder / "no-probes.json"),
        "DEQUEUER_LOG_FORMAT": "json",
        "DEQUEUER_LOG_LEVEL": "info",
        **({"DEQUEUER_AWS_CLIENT": client} if client else {}),
        **bytecode(folder),
    }


def bytecode(folder: Path) -> dict[str, str]:
    """Return the setting for compiled modules: the first process of a run writes them, as the image has them."""
    return {"PYTHONPYCACHEPREFIX": str(folder / "bytecode")}


@contextmanager
def running(settings: Mapping[str, str], folder: Path) -> Iterator[Sidecar]:
    """Run a sidecar until the end of the block."""
    admin_port = free_port()
    log = folder / "sidecar.log"
    started_at_s = time.monotonic()
    more = {"DEQUEUER_ADMIN_PORT": str(admin_port)}
    with child([sys.executable, "-m", "dequeuer"], log, {**settings, **more}) as process:
        yield Sidecar(process=process, started_at_s=started_at_s, log=log, admin_port=admin_port)


def wait_done(servers: Servers, sidecar: Sidecar, messages: int, limit_s: float) -> None:
    """Wait until `messages` messages are done."""
    wait_for(
        lambda: servers.observed()["done"] >= messages or None,
        f"{messages} messages",
        sidecar.process,
        sidecar.log,
        limit_s,
    )


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
