"""The four APIs of examples/project call each other by the names that they have in a cluster."""

from __future__ import annotations

import signal
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.integration.dev.project import SUMMARY, TEXT, own_files, run_project
from tests.integration.sidecar import ROOT
from tests.integration.waiting import eventually


def test_apis_of_all_kinds_call_each_other(tmp_path: Path) -> None:
    with run_project(tmp_path) as dev:
        dev.wait_ready()
        request = dev.call("/front/summaries", TEXT)["id"]
        counts = dev.call("/front/counts", ["a b c", "d e", "f"])["id"]
        report = dev.call("/front/report", {"text": TEXT})["id"]
        found = eventually(lambda: completed(dev.call(f"/front/summaries/{request}")), "the summary")
        assert found["result"] == SUMMARY
        for path, job in (("counts", counts), ("report", report)):
            eventually(lambda: dev.call(f"/front/{path}/{job}") == {"status": "succeeded"}, path)  # noqa: B023 - at once
        dev.wait_line(rf"^report worker-0\.report \| the summary: {SUMMARY}$".replace("[", r"\[").replace("{", r"\{"))
        asked = dev.wait_line(r"^report worker-0\.report \| http://.* has \['summaries', 'counts', 'report'\]$")
        # As root on Linux all names are there; elsewhere it is said that they are not, and the variables are used.
        assert ("http://api-front:8888 has" in asked) or any("containers do not find" in line for line in dev.lines)
        assert dev.call("/batch/counts?jobID=" + counts)["job_status"]["status"] == "succeeded"
        with pytest.raises(urllib.error.HTTPError, match="400"):  # what is no JSON costs no attempts
            urllib.request.urlopen(f"http://127.0.0.1:{dev.port}/front/counts", b"{", timeout=60)
        dev.send(signal.SIGINT)
        assert dev.wait() == 0
        dev.wait_gone()
        assert own_files(tmp_path / "project") == own_files(ROOT / "examples" / "project")


def completed(found: dict[str, object]) -> dict[str, object] | None:
    return found if found["status"] == "completed" else None
