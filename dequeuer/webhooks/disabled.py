"""Receivers that want no more webhooks: they have answered 410. The bucket has an object for each, with the requests.

The rule of the bucket that deletes results deletes these objects, too, so their number is bounded; a receiver that
still does not want any answers 410 again. Deleting the object by hand enables the receiver within `REMEMBERED_S`.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from dequeuer.core import clock
from dequeuer.core.errors import StoreDeniedError, StoreMissingError, StoreUnavailableError
from dequeuer.formats.webhook_event import WebhookEvent
from dequeuer.sinks.base import Store
from dequeuer.sinks.layout import ApiKeys

REMEMBERED_S: Final = 60.0
MAX_REMEMBERED: Final = 10_000
"""Keys in memory; beyond it the oldest are forgotten."""


class DisabledReceivers:
    """Looks up and records receivers. `cluster_uid`: the first part of the keys."""

    def __init__(self, store: Store, cluster_uid: str) -> None:
        self._store = store
        self._cluster_uid = cluster_uid
        self._known: OrderedDict[str, tuple[bool, float]] = OrderedDict()
        """By key: whether it is disabled, and until when that is believed."""

    async def is_disabled(self, event: WebhookEvent) -> bool:
        """Tell whether the receiver of an event is disabled. While the store does not answer, none is."""
        key = self._key(event)
        found = self._known.get(key)
        if found is not None and found[1] > clock.monotonic():
            return found[0]
        try:
            await self._store.get(key)
        except StoreMissingError:
            is_disabled = False
        except (StoreUnavailableError, StoreDeniedError):
            # One webhook too many does less harm than one too few: the receiver answers 410 again.
            return False
        else:
            is_disabled = True
        self._remember(key, is_disabled=is_disabled)
        return is_disabled

    async def disable(self, event: WebhookEvent) -> None:
        """Record that the receiver of an event wants no more. Raises `StoreUnavailableError`, `StoreDeniedError`."""
        key = self._key(event)
        content = json.dumps({"url": event.url, "at": datetime.now(UTC).isoformat(timespec="seconds")})
        await self._store.put(key, content.encode(), "application/json")
        self._remember(key, is_disabled=True)

    def _key(self, event: WebhookEvent) -> str:
        keys = ApiKeys(self._cluster_uid, event.api_name)
        return keys.disabled_webhook(sha256(event.url.encode()).hexdigest())

    def _remember(self, key: str, *, is_disabled: bool) -> None:
        self._known[key] = is_disabled, clock.monotonic() + REMEMBERED_S
        self._known.move_to_end(key)
        if len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)
