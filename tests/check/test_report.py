from __future__ import annotations

import json

import pytest

from dequeuer.check.files import judge_file
from dequeuer.check.finding import Finding, State, fault, in_order, not_known, ok, warning
from dequeuer.check.plan import FileFacts
from dequeuer.check.report import document, has_faults, table

FINDINGS = [
    Finding(id="queue.exists", subject="q", verdict=ok("it is there")),
    Finding(id="queue.delay", subject="q", verdict=warning("60 s", "set DelaySeconds to 0")),
    Finding(id="bucket.exists", subject="b", verdict=fault("gone\x1b[2J", "create it")),
    Finding(id="pod.grace", subject="", verdict=not_known("this is no pod")),
]


def test_the_table_has_a_line_for_each_finding_what_to_do_and_a_summary() -> None:
    lines = table(FINDINGS).splitlines()
    assert lines == [
        "ok         queue.exists   q  it is there",
        "warning    queue.delay    q  60 s",
        "    -> set DelaySeconds to 0",
        "FAULT      bucket.exists  b  gone\\x1b[2J",
        "    -> create it",
        "not known  pod.grace         this is no pod",
        "",
        "4 checks, 1 fault, 1 warning, 1 not known",
    ]


def test_the_document_has_stable_names() -> None:
    found = json.loads(document("sidecar", FINDINGS))
    assert found["program"] == "sidecar"
    assert found["summary"] == {"ok": 1, "warning": 1, "fault": 1, "not_known": 1}
    assert found["checks"][1] == {
        "id": "queue.delay",
        "subject": "q",
        "state": "warning",
        "found": "60 s",
        "action": "set DelaySeconds to 0",
    }


def test_only_faults_count_for_the_exit_status() -> None:
    assert has_faults(FINDINGS)
    assert not has_faults([one for one in FINDINGS if one.verdict.state != "fault"])


def test_findings_are_in_the_order_of_the_ids_then_of_the_subjects() -> None:
    a, b = (Finding(id="queue.exists", subject=name, verdict=ok("")) for name in "ab")
    last = Finding(id="webhooks.keys", subject="", verdict=ok(""))
    first = Finding(id="identity.credentials", subject="", verdict=ok(""))
    assert in_order([last, b, first, a]) == [first, a, b, last]


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        (FileFacts(what="tokens", path="/t", count=2), "ok"),
        (FileFacts(what="tokens", path="/t", count=0), "warning"),
        (FileFacts(what="tokens", path=None, count=None), "warning"),
        (FileFacts(what="tokens", path=None, count=None, is_refused=True), "ok"),
        (FileFacts(what="apis", path=None, count=None), "ok"),
        (FileFacts(what="keys", path=None, count=None, is_refused=True), "warning"),
    ],
)
def test_the_files_that_settings_name(facts: FileFacts, state: State) -> None:
    assert judge_file(facts).verdict.state == state
