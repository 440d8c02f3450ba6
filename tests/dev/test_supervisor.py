from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable

import pytest

from dequeuer.dev.errors import ChildExitedError, DevError
from dequeuer.dev.supervisor import StopRequestedError, Supervisor
from dequeuer.process.child_process import ProcessSpec
from tests.process.test_child_process import IGNORES_SIGTERM, gone, is_alive

PRINTS_AT_ITS_END = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b"ends\\n"), sys.exit(0)))
print("runs", flush=True)
time.sleep(600)
"""


def spec(
    name: str, code: str, on_line: Callable[[str], None] = lambda _line: None, *, grace_s: float = 60.0
) -> ProcessSpec:
    command = [sys.executable, "-c", code]
    return ProcessSpec(name=name, command=command, environment=dict(os.environ), stop_grace_s=grace_s, on_line=on_line)


class Printed:
    """Lines of all child processes, in the order in which they were printed."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._more = asyncio.Event()

    def of(self, name: str) -> Callable[[str], None]:
        def on_line(line: str) -> None:
            self.lines.append(f"{name} {line}")
            self._more.set()

        return on_line

    async def wait_until(self, line: str) -> None:
        while line not in self.lines:
            self._more.clear()
            await self._more.wait()


async def forever() -> None:
    await asyncio.Event().wait()


async def test_child_processes_end_in_the_reverse_order_of_their_start() -> None:
    printed = Printed()
    async with Supervisor() as supervisor:
        for name in ("first", "second", "third"):
            await supervisor.start(spec(name, PRINTS_AT_ITS_END, printed.of(name)))
            await printed.wait_until(f"{name} runs")
    assert printed.lines[3:] == ["third ends", "second ends", "first ends"]


class Added:
    """Something that runs processes of its own."""

    def __init__(self, name: str, printed: Printed, others: asyncio.Barrier) -> None:
        self._name = name
        self._printed = printed
        self._others = others

    async def stop(self, stop_now: asyncio.Event) -> None:
        assert not stop_now.is_set()
        async with asyncio.timeout(30):
            await self._others.wait()  # returns when all are being stopped
        self._printed.lines.append(f"{self._name} ends")


async def test_what_was_added_is_stopped_first_and_all_of_it_at_the_same_time() -> None:
    printed, others = Printed(), asyncio.Barrier(2)
    async with Supervisor() as supervisor:
        supervisor.add(Added("pod", printed, others))
        await supervisor.start(spec("server", PRINTS_AT_ITS_END, printed.of("server")))
        await printed.wait_until("server runs")
        supervisor.add(Added("pod", printed, others))
    assert printed.lines == ["server runs", "pod ends", "pod ends", "server ends"]


class InOrder:
    """Something that is no child process, and is stopped in its place among them."""

    def __init__(self, printed: Printed) -> None:
        self._printed = printed

    async def stop(self, stop_now: asyncio.Event) -> None:
        assert not stop_now.is_set()
        self._printed.lines.append("it ends")


async def test_what_was_added_in_order_is_stopped_in_the_reverse_order_of_the_starts() -> None:
    printed = Printed()
    async with Supervisor() as supervisor:
        await supervisor.start(spec("first", PRINTS_AT_ITS_END, printed.of("first")))
        supervisor.add_in_order(InOrder(printed))
        await supervisor.start(spec("second", PRINTS_AT_ITS_END, printed.of("second")))
        for name in ("first", "second"):
            await printed.wait_until(f"{name} runs")
    assert printed.lines[2:] == ["second ends", "it ends", "first ends"]


class Broken:
    async def stop(self, stop_now: asyncio.Event) -> None:
        raise ZeroDivisionError("a bug")


async def test_a_bug_while_one_is_stopped_keeps_no_other_process_running() -> None:
    printed = Printed()
    with pytest.raises(ZeroDivisionError):
        async with Supervisor() as supervisor:
            supervisor.add(Broken())
            child = await supervisor.start(spec("server", PRINTS_AT_ITS_END, printed.of("server")))
            await printed.wait_until("server runs")
    assert not is_alive(child.pid)


async def test_work_returns_its_result_while_all_live() -> None:
    async def work() -> str:
        return "done"

    async with Supervisor() as supervisor:
        await supervisor.start(spec("child", PRINTS_AT_ITS_END))
        assert await supervisor.run(work()) == "done"


async def test_the_exit_of_a_child_process_ends_the_work_with_an_error() -> None:
    with pytest.raises(ChildExitedError, match=r"(?s)model ended with exit status 5\. .*out of luck"):
        async with Supervisor() as supervisor:
            await supervisor.start(spec("model", "print('out of luck'); raise SystemExit(5)"))
            await supervisor.run(forever())


async def test_an_exit_that_makes_the_work_fail_is_the_reported_error() -> None:
    supervisors: list[Supervisor] = []

    async def work() -> None:
        child = await supervisors[0].start(spec("gateway", "raise SystemExit(4)"))
        await child.wait()
        raise DevError("the gateway does not answer")

    with pytest.raises(ChildExitedError, match="gateway ended with exit status 4"):
        async with Supervisor() as supervisor:
            supervisors.append(supervisor)
            await supervisor.run(work())


async def test_an_error_of_the_work_leaves_nothing_behind() -> None:
    pids: list[int] = []

    async def work() -> None:
        raise DevError("no luck")

    with pytest.raises(DevError, match="no luck"):
        async with Supervisor() as supervisor:
            pids.append((await supervisor.start(spec("child", PRINTS_AT_ITS_END))).pid)
            await supervisor.run(work())
    await gone(pids[0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_signals_end_the_work_in_order(number: signal.Signals) -> None:
    printed = Printed()

    async def work() -> None:
        os.kill(os.getpid(), number)
        await forever()

    async with Supervisor() as supervisor:
        await supervisor.start(spec("child", PRINTS_AT_ITS_END, printed.of("child")))
        await printed.wait_until("child runs")
        with pytest.raises(StopRequestedError):
            await supervisor.run(work())
        assert "child ends" not in printed.lines
    assert "child ends" in printed.lines


async def test_a_second_signal_ends_it_at_once() -> None:
    printed = Printed()
    async with Supervisor() as supervisor:
        child = await supervisor.start(spec("child", IGNORES_SIGTERM, printed.of("child"), grace_s=3600))
        await printed.wait_until("child ignores")
        supervisor.request_stop()
        supervisor.request_stop()
    assert await child.wait() == -signal.SIGKILL


async def test_cancelled_while_stopping_it_still_stops_everything() -> None:
    printed = Printed()
    pids: list[int] = []

    async def life() -> None:
        async with Supervisor() as supervisor:
            pids.append((await supervisor.start(spec("child", IGNORES_SIGTERM, printed.of("child"), grace_s=3600))).pid)
            await printed.wait_until("child ignores")

    living = asyncio.create_task(life())
    await printed.wait_until("child ignores")
    await asyncio.sleep(0.05)  # usually while it is stopping; in both cases it must end
    living.cancel()
    with pytest.raises(asyncio.CancelledError):
        await living
    assert not is_alive(pids[0])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals the death of a parent")
async def test_a_parent_that_is_killed_hard_takes_its_child_processes_along() -> None:
    code = """
import asyncio
from dequeuer.dev.supervisor import Supervisor
from tests.dev.test_supervisor import PRINTS_AT_ITS_END, spec

async def main():
    async with Supervisor() as supervisor:
        child = await supervisor.start(spec("child", PRINTS_AT_ITS_END, lambda line: print(child_pid(), flush=True)))
        children.append(child)
        await asyncio.Event().wait()

children = []
def child_pid():
    return children[0].pid if children else "?"

asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert is_alive(pid)
    parent.kill()
    await parent.wait()
    await gone(pid)
