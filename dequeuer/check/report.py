"""The findings as a table for people, and as a JSON document for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from textwrap import wrap
from typing import Final

from dequeuer import __version__
from dequeuer.check.finding import Finding, State
from dequeuer.check.plan import CheckedProgram
from dequeuer.core.plurals import counted
from dequeuer.terminal.table import columns
from dequeuer.terminal.text import visible

WIDTH: Final = 110
"""Columns of the texts below a row."""
_WORDS: Final[dict[State, str]] = {"ok": "ok", "warning": "warning", "fault": "FAULT", "not_known": "not known"}


def has_faults(findings: Sequence[Finding]) -> bool:
    """Return whether one of the checks found a fault."""
    return any(finding.verdict.state == "fault" for finding in findings)


def table(findings: Sequence[Finding]) -> str:
    """Return a line for each finding, what to do below it, and a summary at the end."""
    rows = [(_WORDS[one.verdict.state], one.id, visible(one.subject), visible(one.verdict.found)) for one in findings]
    lines = []
    for line, finding in zip(columns(rows), findings, strict=True):
        lines.append(line)
        if finding.verdict.action:
            lines += _below(visible(finding.verdict.action))
    counts = Counter(finding.verdict.state for finding in findings)
    summary = ", ".join(
        [
            counted(len(findings), "check"),
            counted(counts["fault"], "fault"),
            counted(counts["warning"], "warning"),
            f"{counts['not_known']} not known",
        ]
    )
    return "\n".join([*lines, "", summary, ""])


def _below(text: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent="    -> ", subsequent_indent="       ", break_on_hyphens=False)


def document(program: CheckedProgram, findings: Sequence[Finding]) -> str:
    """Return the JSON document. Its names are an interface: they do not change."""
    checks = [
        {
            "id": one.id,
            "subject": one.subject,
            "state": one.verdict.state,
            "found": one.verdict.found,
            "action": one.verdict.action,
        }
        for one in findings
    ]
    counts = Counter(finding.verdict.state for finding in findings)
    summary = {state: counts[state] for state in _WORDS}
    whole = {"program": program, "version": __version__, "summary": summary, "checks": checks}
    return json.dumps(whole, indent=2) + "\n"
