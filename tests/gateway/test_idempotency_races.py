"""Gateways that race for a key, by seed: calls fail and take long, clients leave, clocks differ."""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import dataclass, field

import pytest

from dequeuer.core import clock
from dequeuer.core.errors import SourceUnavailableError, StoreUnavailableError
from dequeuer.gateway.errors import GatewayError
from dequeuer.gateway.idempotency import TAKE_OVER_S
from tests.gateway.idempotency import BIG, SMALL, Cloud, submit


@dataclass
class Answers:
    """What clients were told for one key."""

    ids: dict[bytes, set[str]] = field(default_factory=dict)
    enqueued: list[bool] = field(default_factory=list)


async def _submit_and_note(
    cloud: Cloud, payload: bytes, request_id: str, inline_bytes: int, answers: Answers, cut_after_s: float | None = None
) -> None:
    task = asyncio.create_task(submit(cloud, payload, request_id, inline_bytes))
    if cut_after_s is not None:
        asyncio.get_running_loop().call_later(cut_after_s, task.cancel)
    try:
        result = await task
    except (GatewayError, asyncio.CancelledError):
        return
    answers.ids.setdefault(payload, set()).add(result.request_id)
    answers.enqueued.append(result.request_id in cloud.sent)


async def _client(cloud: Cloud, rng: random.Random, number: int, answers: Answers, *, cuts: bool) -> None:
    """One client, which sends one of three payloads again and again."""
    payload = rng.choice([SMALL, SMALL, SMALL, BIG, b"other"])
    for attempt in range(4):
        await asyncio.sleep(rng.choice([0, 0, 0.5, 5, 400]))
        cut_after_s = rng.random() * 3 if cuts and rng.random() < 0.2 else None
        inline_bytes = rng.choice([0, 4096])
        await _submit_and_note(cloud, payload, f"id-{number}-{attempt}", inline_bytes, answers, cut_after_s)


@pytest.mark.looptime
@pytest.mark.parametrize("hundred", range(2))
async def test_gateways_that_race_answer_one_id(hundred: int, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    first = int(os.environ.get("IDEMPOTENCY_SEED", "0")) + 100 * hundred
    for seed in range(first, first + 100):
        rng = random.Random(seed)

        def wall(rng: random.Random = rng) -> float:
            return 1e9 + loop.time() + rng.choice([-100, 0, 100])

        def pause(rng: random.Random = rng) -> float:
            return rng.random() * 0.4

        monkeypatch.setattr(clock, "wall", wall)
        cloud, answers = Cloud(pause=pause), Answers()
        rate, cuts = rng.choice([0, 0.02, 0.1]), rng.random() < 0.5

        def fail(call: str, rng: random.Random = rng, rate: float = rate) -> None:
            if rng.random() < rate:
                raise (SourceUnavailableError if call == "send" else StoreUnavailableError)(call)

        cloud.before = cloud.after = fail
        async with asyncio.TaskGroup() as group:
            for number in range(6):
                group.create_task(_client(cloud, rng, number, answers, cuts=cuts))
        assert len(set(cloud.sent)) <= 1, (seed, cloud.sent)
        if not rate and not cuts:
            assert len(cloud.sent) == 1, (seed, cloud.sent)
        cloud.before = cloud.after = lambda _call: None
        await asyncio.sleep(2 * TAKE_OVER_S)
        for payload in (SMALL, b"other", BIG):
            await _submit_and_note(cloud, payload, f"id-last-{len(payload)}", 4096, answers)
        # In the end one payload has the key, one id, and its message was sent.
        assert len(answers.ids) == 1, (seed, answers.ids)
        told = set().union(*answers.ids.values())
        assert told == set(cloud.sent), (seed, answers.ids, cloud.sent)
        assert len(told) == 1, (seed, answers.ids)
        assert all(answers.enqueued), seed
