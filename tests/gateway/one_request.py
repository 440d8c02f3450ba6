"""A request of the API `api`, as it stands in the store."""

from __future__ import annotations

from dequeuer.sinks.layout import ApiKeys, RequestKeys
from tests.gateway.fakes import Store

KEYS = RequestKeys("uid", "api", "id1")
API = ApiKeys("uid", "api")


def begin(store: Store, request_id: str = "id1") -> None:
    store.memory.seed([(RequestKeys("uid", "api", request_id).status("in_queue"), b"")])


def complete(store: Store, request_id: str = "id1", result: bytes = b"[1.10]") -> None:
    keys = RequestKeys("uid", "api", request_id)
    store.memory.seed([(keys.result, result), (keys.completed, b"")])
