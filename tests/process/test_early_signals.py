"""SIGTERM before the event loop runs: with real processes, also as PID 1 of a new namespace."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.servers import free_port
from tests.integration.waiting import eventually
from tests.namespaces import unshare, why_not

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {
    "DEQUEUER_API_KIND": "BatchAPI",
    "DEQUEUER_API_NAME": "api",
    "DEQUEUER_JOB_ID": "job",
    "DEQUEUER_QUEUE_URL": "http://127.0.0.1:9/123456789012/queue",  # no server listens there: it retries forever
    "DEQUEUER_ADMIN_HOST": "127.0.0.1",
    "DEQUEUER_BUCKET": "bucket",
    "DEQUEUER_CLUSTER_UID": "uid",
    "DEQUEUER_GATEWAY_HOST": "127.0.0.1",
    "AWS_REGION": "us-west-2",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_EC2_METADATA_DISABLED": "true",
}
SLOW_IMPORT = """
import os
with open(os.environ["REACHED"], "w"): pass
with open(os.environ["NEVER_WRITTEN"]) as fifo: fifo.read()
"""
NAMESPACE = ("--pid", "--mount-proc")


WHY_NOT = why_not(*NAMESPACE)
as_pid_1 = pytest.param(True, id="as PID 1", marks=pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "-"))


@contextmanager
def started(command: tuple[str, ...], environment: dict[str, str], is_pid_1: bool) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [*(unshare(*NAMESPACE) if is_pid_1 else ()), sys.executable, "-m", "dequeuer", *command],
        env={
            "PATH": os.environ["PATH"],
            **SETTINGS,
            "PYTHONPATH": str(ROOT),
            "DEQUEUER_ADMIN_PORT": str(free_port()),
            "DEQUEUER_GATEWAY_PORT": str(free_port()),
            **environment,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def inner(process: subprocess.Popen[bytes], is_pid_1: bool) -> int:
    """Return the process to signal: it is the only child of `unshare`."""
    if not is_pid_1:
        return process.pid
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return int(eventually(lambda: children.read_text(encoding="ascii").split(), "the child of unshare")[0])


def slow_import(folder: Path, module: str) -> tuple[dict[str, str], Path]:
    """Return variables with which the import of a module does not end, and the file that shows that it has begun."""
    (folder / f"{module}.py").write_text(SLOW_IMPORT, encoding="utf-8")
    os.mkfifo(folder / "fifo")
    reached = folder / "reached"
    variables = {
        "PYTHONPATH": f"{folder}:{ROOT}",
        "REACHED": str(reached),
        "NEVER_WRITTEN": str(folder / "fifo"),
    }
    return variables, reached


@pytest.mark.parametrize("is_pid_1", [pytest.param(False, id="as any process"), as_pid_1])
@pytest.mark.parametrize("command", [(), ("gateway",)], ids=["sidecar", "gateway"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_the_imports_ends_it_with_0(
    tmp_path: Path, command: tuple[str, ...], number: signal.Signals, is_pid_1: bool
) -> None:
    slow, reached = slow_import(tmp_path, "structlog")
    with started(command, slow, is_pid_1) as process:
        pid = inner(process, is_pid_1)
        eventually(reached.exists, "an import that does not end")
        os.kill(pid, number)
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


@pytest.mark.parametrize("flags", [(), ("--workers", "2")], ids=["no flags", "flags"])
def test_the_sidecar_of_a_job_that_must_not_end_as_complete_ends_with_143(
    tmp_path: Path, flags: tuple[str, ...]
) -> None:
    slow, reached = slow_import(tmp_path, "structlog")
    with started(flags, slow | {"DEQUEUER_FAIL_WHEN_STOPPED": "True"}, is_pid_1=False) as process:
        eventually(reached.exists, "an import that does not end")
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(30) == 143


@pytest.mark.parametrize(
    ("command", "module"),
    [
        (("jobs", "list", "sum"), "argparse"),
        (("dev", "--once"), "argparse"),
        (("manifests", "cortex.yaml"), "argparse"),
        (("check",), "dataclasses"),
        (("provision",), "dataclasses"),
        (("token",), "secrets"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_command_of_a_person_ends_with_the_status_of_the_signal(
    tmp_path: Path, number: signal.Signals, command: tuple[str, ...], module: str
) -> None:
    slow, reached = slow_import(tmp_path, module)
    with started(command, slow, is_pid_1=False) as process:
        eventually(reached.exists, "an import that does not end")
        os.kill(process.pid, number)
        assert process.wait(30) == 128 + number
        assert process.stderr is not None
        assert process.stderr.read() == b""


@pytest.mark.parametrize("is_pid_1", [pytest.param(False, id="as any process"), as_pid_1])
@pytest.mark.parametrize(
    ("command", "variables", "status"),
    [
        ((), {}, 0),
        ((), {"DEQUEUER_FAIL_WHEN_STOPPED": "true"}, 143),
        (("gateway",), {}, 0),
        (("enqueue", "-apiName", "api"), {}, 143),
    ],
    ids=["sidecar", "sidecar of a Job", "gateway", "enqueuer"],
)
def test_a_signal_at_any_moment_of_the_start_ends_the_process(
    command: tuple[str, ...], variables: dict[str, str], status: int, is_pid_1: bool
) -> None:
    chance = random.Random(8)
    for _ in range(5):
        with started(command, {"DEQUEUER_SHUTDOWN_DELAY": "5", **variables}, is_pid_1) as process:
            pid = inner(process, is_pid_1)
            eventually(lambda pid=pid: catches(pid, signal.SIGTERM), "a handler", 30)  # type: ignore[misc]
            if not command:
                time.sleep(chance.uniform(0, 0.4))  # a random moment is needed here; nothing waits for it
            os.kill(pid, signal.SIGTERM)
            assert process.wait(30) == status


def catches(pid: int, number: signal.Signals) -> bool:
    """Return whether a process has a handler of a signal: without one PID 1 ignores it."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (number - 1) & 1)


def test_the_handlers_are_there_before_anything_that_takes_time() -> None:
    script = (
        "import signal, sys; from dequeuer.__main__ import main\n"
        "class Stop:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'dequeuer.cli':\n"
        "            print([signal.getsignal(n).__module__ for n in (signal.SIGTERM, signal.SIGINT)])\n"
        "            print(sorted({'asyncio', 'typing', 'logging', 'aiohttp', 'uvloop'} & set(sys.modules)))\n"
        "            sys.exit(7)\n"
        "sys.meta_path.insert(0, Stop()); main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout.splitlines() == ["['dequeuer.process.early_signals', 'dequeuer.process.early_signals']", "[]"]
