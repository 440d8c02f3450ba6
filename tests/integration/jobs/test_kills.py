"""Enqueuer, controller and a worker get SIGKILL while a job of each source runs; FAULTS_SEED repeats the moments."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.__main__ import new_seed
from tests.faults.jobs.life import run_life
from tests.faults.jobs.sources import SOURCES, Sources
from tests.integration.cloud import Cloud

ITEMS = 5000


@pytest.mark.parametrize("source", [*SOURCES])
def test_every_item_has_one_line_and_the_job_completes_once_whatever_is_killed(
    cloud: Cloud, tmp_path: Path, source: str
) -> None:
    seed = new_seed()
    verdict = run_life(cloud, Sources(cloud, ITEMS), source, ITEMS, seed, tmp_path)
    assert not verdict.violations, f"FAULTS_SEED={seed}\n{verdict}"
    assert verdict.kills.keys() == {"enqueuer", "controller", "worker"}
