"""`python -m tests.simulation`: runs many worlds, prints a table, and the seeds that broke a promise."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tests.history.records import save
from tests.simulation.keys import KeyOutcome, simulate_keys
from tests.simulation.report import (
    KEYS_PER_WORLD,
    MESSAGES_PER_WORLD,
    report,
    report_cancellations,
    report_jobs,
    report_keys,
    report_pauses,
    report_queues,
    report_webhooks,
)
from tests.simulation.sidecar import Kind
from tests.simulation.world import Outcome, simulate


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--lives", type=int, default=100_000, help="messages in all (default: %(default)s)")
    parser.add_argument(
        "--queue-lives",
        type=int,
        default=0,
        help="messages of any queue in all; with --save the world is one of them (default: %(default)s)",
    )
    parser.add_argument(
        "--webhook-lives",
        type=int,
        default=0,
        help="requests with webhooks in all; with --save the world is one of them (default: %(default)s)",
    )
    parser.add_argument(
        "--cancel-lives",
        type=int,
        default=0,
        help="requests with cancellations and deadlines in all; with --save the world is one of them (default: %(default)s)",
    )
    parser.add_argument(
        "--key-lives",
        type=int,
        default=0,
        help="requests with idempotency keys in all, with gateways that are killed; with --save the world is one of them (default: %(default)s)",
    )
    parser.add_argument(
        "--pause-lives",
        type=int,
        default=0,
        help="requests with pauses in all; with --save the world is one of them (default: %(default)s)",
    )
    parser.add_argument(
        "--batch-jobs",
        type=int,
        default=0,
        help="batch jobs, with controllers, a world for each (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=None,
        help="seed of the first world; the next worlds have the next numbers (default: SIMULATION_SEED, or a new one)",
    )
    parser.add_argument(
        "--save", type=Path, default=None, help="run only the world of --seed, and write its history to this file"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: %(default)s)")
    options = parser.parse_args()
    first = options.seed
    if first is None:
        first = int(os.environ.get("SIMULATION_SEED") or int.from_bytes(os.urandom(4), "big"))
    if options.save is not None and options.key_lives:
        return _save(simulate_keys(first, KEYS_PER_WORLD), options.save)
    if options.save is not None:
        is_async = options.webhook_lives or options.cancel_lives or options.pause_lives
        kind: Kind | None = "queue" if options.queue_lives else "async" if is_async else None
        outcome = simulate(
            first,
            MESSAGES_PER_WORLD,
            kind,
            announces=bool(options.webhook_lives),
            cancels=bool(options.cancel_lives),
            pauses=bool(options.pause_lives),
        )
        return _save(outcome, options.save)
    broken = report(first, -(-options.lives // MESSAGES_PER_WORLD), options.jobs) if options.lives else 0
    if options.queue_lives:
        broken |= report_queues(first, -(-options.queue_lives // MESSAGES_PER_WORLD), options.jobs)
    if options.webhook_lives:
        broken |= report_webhooks(first, -(-options.webhook_lives // MESSAGES_PER_WORLD), options.jobs)
    if options.cancel_lives:
        broken |= report_cancellations(first, -(-options.cancel_lives // MESSAGES_PER_WORLD), options.jobs)
    if options.pause_lives:
        broken |= report_pauses(first, -(-options.pause_lives // MESSAGES_PER_WORLD), options.jobs)
    if options.key_lives:
        broken |= report_keys(first, -(-options.key_lives // KEYS_PER_WORLD), options.jobs)
    return (report_jobs(first, options.batch_jobs, options.jobs) if options.batch_jobs else 0) | broken


def _save(outcome: Outcome | KeyOutcome, path: Path) -> int:
    save(outcome.history, path)
    print("\n".join(map(str, outcome.violations)) or "no promise was broken")
    return 1 if outcome.violations else 0


if __name__ == "__main__":
    sys.exit(main())
