"""Harmless calls to a queue: they show whether an operation that was refused is allowed again."""

from __future__ import annotations

from collections.abc import Mapping

from dequeuer.core.refusals import HarmlessCall
from dequeuer.sources.sqs.source import SqsSource


def harmless_queue_calls(source: SqsSource) -> Mapping[tuple[str, str], HarmlessCall]:
    """Return a harmless call for each operation; its result shows whether a refused operation is allowed again."""
    return {
        ("sqs", "ack"): lambda _: source.check_delete(),
        ("sqs", "renew"): lambda _: source.check_change("renew"),
        ("sqs", "release"): lambda _: source.check_change("release"),
        ("sqs", "depth"): lambda _: source.depth(),
    }
