"""What happens when whoever reads the output of a command has gone, as after `| head -1`; the image has no buffer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROXY = {"DEQUEUER_API_KIND": "RealtimeAPI", "DEQUEUER_MAX_CONCURRENCY": "1", "DEQUEUER_MAX_QUEUE_LENGTH": "1"}
POLICIES = ("policies", "--api-kind", "queue", "--api-name", "sum", "--queue", "sum")


def run_unread(*arguments: str, unbuffered: str) -> subprocess.CompletedProcess[str]:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return subprocess.run(
            [sys.executable, "-m", "dequeuer", *arguments],
            env={"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": unbuffered, **PROXY},
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=ROOT,
        )
    finally:
        os.close(writing)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "arguments", [("check", "--help"), ("provision", *POLICIES), ("token", "--help")], ids=lambda given: given[0]
)
def test_a_reader_that_has_gone_ends_a_command_without_a_traceback(arguments: tuple[str, ...], unbuffered: str) -> None:
    found = run_unread(*arguments, unbuffered=unbuffered)
    assert (found.returncode, found.stderr) == (141, "")


def test_a_check_that_nobody_reads_does_not_end_as_one_that_has_found_faults() -> None:
    found = run_unread("check", unbuffered="1")
    assert (found.returncode, found.stderr) == (141, "")
