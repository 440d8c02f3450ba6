from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable

import pytest

from dequeuer.dev.errors import DevError, PartDiedError
from dequeuer.dev.family import Family, StopAskedError
from dequeuer.dev.process import Plan
from tests.dev.test_process import DEAF, gone, is_alive

LAST_WORDS = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b"ends\\n"), sys.exit(0)))
print("runs", flush=True)
time.sleep(600)
"""


def plan(name: str, code: str, on_line: Callable[[str], None] = lambda _line: None, *, grace_s: float = 60.0) -> Plan:
    command = [sys.executable, "-c", code]
    return Plan(name=name, command=command, environment=dict(os.environ), stop_grace_s=grace_s, on_line=on_line)


class Heard:
    """Lines of all parts, in the order in which they came."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._more = asyncio.Event()

    def of(self, name: str) -> Callable[[str], None]:
        def on_line(line: str) -> None:
            self.lines.append(f"{name} {line}")
            self._more.set()

        return on_line

    async def until(self, line: str) -> None:
        while line not in self.lines:
            self._more.clear()
            await self._more.wait()


async def for_ever() -> None:
    await asyncio.Event().wait()


async def test_parts_end_in_the_reverse_order_of_their_start() -> None:
    heard = Heard()
    async with Family() as family:
        for name in ("first", "second", "third"):
            await family.start(plan(name, LAST_WORDS, heard.of(name)))
            await heard.until(f"{name} runs")
    assert heard.lines[3:] == ["third ends", "second ends", "first ends"]


async def test_work_returns_its_result_while_all_live() -> None:
    async def work() -> str:
        return "done"

    async with Family() as family:
        await family.start(plan("part", LAST_WORDS))
        assert await family.run(work()) == "done"


async def test_the_death_of_a_part_ends_the_work_and_is_told() -> None:
    with pytest.raises(PartDiedError, match=r"(?s)model ended with exit status 5\. .*out of luck"):
        async with Family() as family:
            await family.start(plan("model", "print('out of luck'); raise SystemExit(5)"))
            await family.run(for_ever())


async def test_a_dead_part_is_blamed_for_what_it_makes_fail() -> None:
    family_of: list[Family] = []

    async def work() -> None:
        part = await family_of[0].start(plan("gateway", "raise SystemExit(4)"))
        await part.wait()
        raise DevError("the gateway does not answer")

    with pytest.raises(PartDiedError, match="gateway ended with exit status 4"):
        async with Family() as family:
            family_of.append(family)
            await family.run(work())


async def test_a_part_that_may_go_is_not_missed() -> None:
    async with Family() as family:
        part = await family.start(plan("sidecar", "raise SystemExit(0)"))
        family.let_go(part)
        assert await family.run(part.wait()) == 0


async def test_an_error_of_the_work_leaves_nothing_behind() -> None:
    pids: list[int] = []

    async def work() -> None:
        raise DevError("no luck")

    with pytest.raises(DevError, match="no luck"):
        async with Family() as family:
            pids.append((await family.start(plan("part", LAST_WORDS))).pid)
            await family.run(work())
    await gone(pids[0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_signals_end_the_work_in_order(number: signal.Signals) -> None:
    heard = Heard()

    async def work() -> None:
        os.kill(os.getpid(), number)
        await for_ever()

    async with Family() as family:
        await family.start(plan("part", LAST_WORDS, heard.of("part")))
        await heard.until("part runs")
        with pytest.raises(StopAskedError):
            await family.run(work())
        assert "part ends" not in heard.lines
    assert "part ends" in heard.lines


async def test_a_second_signal_ends_it_at_once() -> None:
    heard = Heard()
    async with Family() as family:
        part = await family.start(plan("part", DEAF, heard.of("part"), grace_s=3600))
        await heard.until("part deaf")
        family.ask_to_stop()
        family.ask_to_stop()
    assert await part.wait() == -signal.SIGKILL


async def test_cancelled_while_stopping_it_still_stops_everything() -> None:
    heard = Heard()
    pids: list[int] = []

    async def life() -> None:
        async with Family() as family:
            pids.append((await family.start(plan("part", DEAF, heard.of("part"), grace_s=3600))).pid)
            await heard.until("part deaf")

    living = asyncio.create_task(life())
    await heard.until("part deaf")
    await asyncio.sleep(0.05)  # into the stopping; either way it must end
    living.cancel()
    with pytest.raises(asyncio.CancelledError):
        await living
    assert not is_alive(pids[0])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
async def test_a_parent_that_is_killed_hard_takes_its_parts_along() -> None:
    code = """
import asyncio
from dequeuer.dev.family import Family
from tests.dev.test_family import LAST_WORDS, plan

async def main():
    async with Family() as family:
        part = await family.start(plan("part", LAST_WORDS, lambda line: print(part_pid(), flush=True)))
        parts.append(part)
        await asyncio.Event().wait()

parts = []
def part_pid():
    return parts[0].pid if parts else "?"

asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert is_alive(pid)
    parent.kill()
    await parent.wait()
    await gone(pid)
