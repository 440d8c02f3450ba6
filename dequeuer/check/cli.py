"""Runs `dequeuer check` and returns its exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Final

from dequeuer.check.loading import load_plan
from dequeuer.check.options import HELP, parse
from dequeuer.check.plan import Plan
from dequeuer.check.report import document, has_faults, table
from dequeuer.check.running import run_checks
from dequeuer.process.running import run_to_status

EXIT_OK: Final = 0
EXIT_FAULTS: Final = 1


def main(argv: Sequence[str], *, is_realtime: Callable[[Sequence[str]], bool]) -> int:
    """Run the command line.

    Args:
        argv: the arguments after `check`.
        is_realtime: returns whether flags and environment are those of a realtime API, whose sidecar is the proxy.

    Raises:
        ConfigurationError: with every fault of the command line, or of the settings.
    """
    options = parse(argv)
    if options.wants_help:
        sys.stdout.write(HELP)
        return EXIT_OK
    program = options.program or ("proxy" if is_realtime(options.arguments) else "sidecar")
    plan = load_plan(program, options.arguments, os.environ)
    return run_to_status(_run(plan, is_json=options.is_json, writes=options.writes, pod_grace_s=options.pod_grace_s))


async def _run(plan: Plan, *, is_json: bool, writes: bool, pod_grace_s: int | None) -> int:
    findings = await run_checks(plan, os.environ, writes=writes, pod_grace_s=pod_grace_s)
    sys.stdout.write(document(plan.program, findings) if is_json else table(findings))
    return EXIT_FAULTS if has_faults(findings) else EXIT_OK
