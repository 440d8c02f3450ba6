"""The end of a process in which a thread still hangs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dequeuer.process.running import run_to_status
from tests.namespaces import unshare, why_not
from tests.process.test_early_signals import ROOT, SETTINGS

NAMESPACE = ("--net", "--mount", "--pid", "--mount-proc")
WHY_NOT = why_not(*NAMESPACE)

HANGING_THREAD = """
import asyncio, sys, time
from dequeuer.process.running import run_to_status
async def main():
    asyncio.get_running_loop().run_in_executor(None, time.sleep, 3600)
    print("the last line", end="")
    return 3
sys.exit(run_to_status(main()))
"""

# Runs in the namespace: a name server that never answers. It starts the process, waits for its look-up, and ends it.
SILENT_DNS = """
import fcntl, os, signal, socket, struct, subprocess, sys
with socket.socket() as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sh22x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
subprocess.check_call(["mount", "--bind", sys.argv[1], "/etc/resolv.conf"])
process = subprocess.Popen([sys.executable, "-m", "dequeuer"], stdout=subprocess.DEVNULL)
server.recv(1000)  # it looks up the name of the queue's host
process.send_signal(signal.SIGTERM)
print(process.wait(30))
"""


def test_the_status_is_returned_and_errors_pass_through() -> None:
    async def main(status: int | None) -> int:
        if status is None:
            raise ValueError("a fault")
        return status

    assert run_to_status(main(2)) == 2
    with pytest.raises(ValueError, match="a fault"):
        run_to_status(main(None))


def test_a_thread_that_hangs_does_not_keep_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANGING_THREAD],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (3, "the last line"), done.stderr


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "-")
@pytest.mark.parametrize("client", ["slim", "sdk"])
def test_a_name_server_that_never_answers_does_not_keep_the_process(tmp_path: Path, client: str) -> None:
    resolver = tmp_path / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\noptions timeout:30 attempts:5\n", encoding="utf-8")
    queue = "https://sqs.us-west-2.amazonaws.com/123456789012/queue"
    done = subprocess.run(
        [*unshare(*NAMESPACE), sys.executable, "-c", SILENT_DNS, str(resolver)],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            **SETTINGS,
            "DEQUEUER_QUEUE_URL": queue,
            "DEQUEUER_AWS_CLIENT": client,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.splitlines() == ["0"], done.stderr
