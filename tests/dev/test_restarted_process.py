from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dequeuer.core.retry import Backoff
from dequeuer.dev import restarted_process
from dequeuer.dev.restarted_process import RestartedProcess
from dequeuer.process.child_process import ProcessSpec
from tests.process.test_child_process import IGNORES_SIGTERM, gone

DIES = "import os; print('runs', os.getpid(), flush=True); raise SystemExit(3)"
STAYS = "import os, time; print('runs', os.getpid(), flush=True); time.sleep(600)"


class Seen:
    """Lines and ends, in their order."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self._more = asyncio.Event()

    def __call__(self, text: str) -> None:
        self.all.append(text)
        self._more.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                self._more.clear()
                await self._more.wait()

    def pids(self) -> list[int]:
        return [int(text.split()[1]) for text in self.all if text.startswith("runs ")]


def spec(code: str, seen: Seen, folder: Path | None = None, grace_s: float = 60.0) -> ProcessSpec:
    return ProcessSpec(
        name="text api",
        command=[sys.executable, "-c", code],
        environment=dict(os.environ),
        stop_grace_s=grace_s,
        on_line=seen,
        folder=folder,
    )


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarted_process, "RESTART_BACKOFF", Backoff(initial_s=0.01, max_s=0.02))


@pytest.mark.usefixtures("no_pauses")
async def test_what_ends_is_started_again_and_told_with_its_last_lines() -> None:
    seen = Seen()
    process = RestartedProcess(spec(DIES, seen), seen)
    process.start()
    await seen.until(lambda: len(seen.pids()) >= 3)
    await process.stop(asyncio.Event())
    told = [text for text in seen.all if "ended with" in text]
    assert told[0].startswith("text api ended with exit status 3. Its last lines:\n    runs ")
    assert "\n    It is started again in 0.0" in told[0]
    assert len(set(seen.pids())) == len(seen.pids())


async def test_a_stop_ends_it_for_good_and_is_no_end_to_tell() -> None:
    seen = Seen()
    process = RestartedProcess(spec(STAYS, seen), seen)
    process.start()
    await seen.until(seen.pids)
    await process.stop(asyncio.Event())
    (pid,) = seen.pids()
    await gone(pid)
    assert seen.all == [f"runs {pid}"]


async def test_a_stop_while_it_waits_for_its_next_start_is_at_once() -> None:
    seen = Seen()
    process = RestartedProcess(spec("raise SystemExit(1)", seen), seen)
    process.start()
    await seen.until(lambda: seen.all)
    await process.stop(asyncio.Event())
    assert len(seen.all) == 1


async def test_one_that_ignores_sigterm_is_killed_when_the_user_does_not_wait() -> None:
    seen = Seen()
    process = RestartedProcess(spec(IGNORES_SIGTERM, seen), seen)
    process.start()
    await seen.until(lambda: seen.all)
    stop_now = asyncio.Event()
    stop_now.set()
    async with asyncio.timeout(30):
        await process.stop(stop_now)


@pytest.mark.usefixtures("no_pauses")
async def test_one_that_cannot_be_started_is_tried_again(tmp_path: Path) -> None:
    seen = Seen()
    folder = tmp_path / "later"
    process = RestartedProcess(spec(STAYS, seen, folder), seen)
    process.start()
    await seen.until(lambda: seen.all)
    assert seen.all[0].startswith("text api cannot be started: ")
    folder.mkdir()
    await seen.until(seen.pids)
    await process.stop(asyncio.Event())


async def test_pauses_grow_and_are_short_again_once_it_ran_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    lives, pauses, now = [0.0] * 8 + [restarted_process.STEADY_S + 1, 0.0, 0.0], [], 0.0
    process = RestartedProcess(spec(STAYS, Seen()), lambda _: None)

    async def live() -> str:
        nonlocal now
        now += lives.pop(0)
        return "it ended"

    async def pause(pause_s: float) -> None:
        pauses.append(pause_s)
        if not lives:
            process._stop_requested.set()

    monkeypatch.setattr(restarted_process, "monotonic", lambda: now)
    monkeypatch.setattr(process, "_run_once", live)
    monkeypatch.setattr(process, "_pause", pause)
    process.start()
    assert process._life is not None
    await process._life
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 0.5, 0.5, 1.0]


@pytest.mark.usefixtures("no_pauses")
async def test_one_that_is_killed_on_purpose_is_started_again_and_it_is_not_told() -> None:
    seen = Seen()
    process = RestartedProcess(spec(STAYS, seen), seen)
    assert (process.kill(), process.pid) == (False, None)
    process.start()
    await seen.until(seen.pids)
    first = process.pid
    assert process.kill()
    await seen.until(lambda: len(seen.pids()) == 2)
    assert seen.pids() == [first, process.pid]
    await process.stop(asyncio.Event())
    assert (process.kill(), process.pid) == (False, None)
    assert len(seen.all) == 2


async def test_kills_on_purpose_make_no_pause_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    process = RestartedProcess(spec(STAYS, Seen()), lambda _: None)

    async def live() -> str:
        process._was_killed = len(pauses) < 3
        return "it ended"

    async def pause(pause_s: float) -> None:
        pauses.append(pause_s)
        if len(pauses) == 5:
            process._stop_requested.set()

    monkeypatch.setattr(process, "_run_once", live)
    monkeypatch.setattr(process, "_pause", pause)
    process.start()
    assert process._life is not None
    await process._life
    assert pauses == [0.5, 0.5, 0.5, 0.5, 1.0]


async def test_one_that_was_never_started_has_nothing_to_stop() -> None:
    seen = Seen()
    await RestartedProcess(spec(STAYS, seen), seen).stop(asyncio.Event())
