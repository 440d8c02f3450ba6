"""The way of a message stays short: see `message_calls.py` for what is counted, and how."""

import os
import subprocess
import sys

from tests.sidecar.message_calls import ROOT


def test_a_request_makes_fewer_than_80_calls_between_files_and_fewer_than_20_that_no_import_shows() -> None:
    command = [sys.executable, "-m", "tests.sidecar.message_calls"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True, cwd=ROOT)
    calls = found.stdout.splitlines()
    # Fewer than half of it would mean that something is not counted any more.
    assert 40 < len(calls) < 80, found.stdout
    assert len([call for call in calls if call.startswith("up")]) < 20, found.stdout
