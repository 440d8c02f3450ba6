"""The project of examples/project, as a person uses it."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.integration.jobs.dev import Dev, run_apis
from tests.integration.sidecar import ROOT

TEXT = "The quick brown fox jumps over the lazy dog"
SUMMARY = {"summary": ["brown", "jumps", "quick"]}
ENDED = {
    "summaries": {"completed", "failed"},
    "counts": {"succeeded", "completed_with_failures", "worker_error", "enqueue_failed", "unexpected_error"},
    "report": {"succeeded", "worker_error", "unexpected_error"},
}
"""The statuses at which work of each API is over."""


def own_files(folder: Path) -> set[str]:
    """Return the files of the project, without what Python itself writes beside modules."""
    return {path.name for path in folder.iterdir() if path.name not in {"__pycache__", "temporary"}}


def run_project(folder: Path, *more: str) -> Dev:
    """Run it in a copy, below which all of its files are."""
    shutil.copytree(ROOT / "examples" / "project", folder / "project")
    return run_apis(folder / "project" / "cortex.yaml", *more)
