"""The table that is printed at the end of a run."""

from __future__ import annotations

from tests.faults.rounds import Report

_FIRST = ("requests", "completed", "failed", "dead-lettered", "container calls", "duplicates", "lost", "violations")


def table(report: Report) -> str:
    """Return the table, followed by the violations and problems."""
    rows = [("seed", str(report.seed)), ("rounds", str(report.rounds))]
    rows += [(name, str(report.tally[name])) for name in (*_FIRST, "problems")]
    rows += sorted((name, str(count)) for name, count in report.tally.items() if ": " in name)
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {value:>8}" for name, value in rows]
    return "\n".join([*lines, *report.findings])
