"""What the gateway's log says of the store itself. What fails is logged with the request that it fails."""

from __future__ import annotations

import structlog

from dequeuer.core.events import Event, StoreLacks


def tell_what_the_store_lacks(event: Event) -> None:
    """Write one line for each feature that the store turned out to lack."""
    if isinstance(event, StoreLacks):
        structlog.get_logger().warning("store_feature_missing", feature=event.feature)
