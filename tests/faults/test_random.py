"""Random faults for a minute. The seed is printed; FAULTS_SEED repeats it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.__main__ import new_seed, seconds
from tests.faults.rounds import run_rounds
from tests.faults.servers import servers
from tests.faults.table import table


@pytest.mark.parametrize("server", ["ministack", "fauxqs"])
def test_no_promise_is_broken(server: str, tmp_path: Path, print_at_end: Callable[[str], None]) -> None:
    # The second server gets half of the time.
    duration_s = seconds(os.environ.get("FAULTS_DURATION", "60")) / (1 if server == "ministack" else 2)
    seed = new_seed()
    print(f"seed {seed}")
    with servers(server, tmp_path) as running:
        report = run_rounds(running, seed, duration_s, tmp_path)
    print_at_end(f"{server}\n{table(report)}")
    assert not report.findings, f"FAULTS_SEED={seed} replays the schedule\n{table(report)}"
    assert report.tally["completed"], "no request was completed, so the run proves nothing"
