"""Receivers that want no more webhooks."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from dequeuer.core import clock
from dequeuer.core.errors import StoreUnavailableError
from dequeuer.webhooks import disabled
from dequeuer.webhooks.disabled import REMEMBERED_S, DisabledReceivers
from tests.fakes import MemoryStore
from tests.webhooks.stage import make_event

EVENT = make_event()


async def test_a_receiver_is_disabled_for_all_processes_and_enabled_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    store = MemoryStore()
    one, other = DisabledReceivers(store, "uid"), DisabledReceivers(store, "uid")
    assert not await one.is_disabled(EVENT)
    await other.disable(EVENT)
    assert await other.is_disabled(EVENT)
    assert not await one.is_disabled(EVENT)
    now[0] += REMEMBERED_S
    assert await one.is_disabled(EVENT)
    [(key, (content, _))] = store.objects.items()
    assert key.startswith("uid/workloads/api/_webhooks/")
    assert json.loads(content)["url"] == EVENT.url
    store.objects.clear()
    now[0] += REMEMBERED_S
    assert not await one.is_disabled(EVENT)


async def test_only_this_url_of_this_api_is_disabled() -> None:
    receivers = DisabledReceivers(MemoryStore(), "uid")
    await receivers.disable(EVENT)
    assert not await receivers.is_disabled(replace(EVENT, url=f"{EVENT.url}2"))
    assert not await receivers.is_disabled(replace(EVENT, api_name="b"))


async def test_an_answer_is_believed_for_a_while_and_an_outage_disables_nobody() -> None:
    store = MemoryStore()
    receivers = DisabledReceivers(store, "uid")
    store.fail()
    assert not await receivers.is_disabled(EVENT)
    store.refuse("get")
    assert not await receivers.is_disabled(EVENT)
    store.allow()
    assert not await receivers.is_disabled(EVENT)
    store.refuse("get", "put")
    assert not await receivers.is_disabled(EVENT)


async def test_a_refusal_to_record_is_told() -> None:
    store = MemoryStore()
    store.fail()
    with pytest.raises(StoreUnavailableError):
        await DisabledReceivers(store, "uid").disable(EVENT)


async def test_few_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disabled, "MAX_REMEMBERED", 3)
    receivers = DisabledReceivers(MemoryStore(), "uid")
    await asyncio.gather(*(receivers.is_disabled(make_event(url=f"https://example.com/{n}")) for n in range(10)))
    assert len(receivers._known) == 3
