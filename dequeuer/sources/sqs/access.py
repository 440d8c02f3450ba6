"""Access to a queue: whether it can be read at start-up, and harmless calls that show that a refusal is over."""

from __future__ import annotations

from collections.abc import Mapping

from dequeuer.core.errors import FatalError, SourceDeniedError, SourceUnavailableError
from dequeuer.core.refusal_codes import hint
from dequeuer.core.refusals import HarmlessCall
from dequeuer.core.retry import retry_until_available
from dequeuer.sources.sqs.source import SqsSource


async def open_queue(source: SqsSource, queue_url: str) -> None:
    """Open a queue. Waits without a limit while it is unavailable. Raises `FatalError`: missing, or not readable."""
    try:
        await retry_until_available(SourceUnavailableError, source.open)
    except SourceDeniedError as error:
        advice = hint("sqs", "depth", error.code)
        raise FatalError(
            f"the queue {queue_url} cannot be read (GetQueueAttributes: {error}): "
            f"the permission sqs:GetQueueAttributes is needed; {advice}"
        ) from error


def harmless_queue_calls(source: SqsSource) -> Mapping[tuple[str, str], HarmlessCall]:
    """Return a harmless call for each operation; its result shows whether a refused operation is allowed again."""
    return {
        ("sqs", "ack"): lambda _: source.check_delete(),
        ("sqs", "renew"): lambda _: source.check_change("renew"),
        ("sqs", "release"): lambda _: source.check_change("release"),
        ("sqs", "depth"): lambda _: source.depth(),
    }
