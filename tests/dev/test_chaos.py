from __future__ import annotations

import asyncio
import errno
import os
import resource
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dequeuer.dev.chaos import Chaos
from dequeuer.dev.chaos_plan import CHAOS_KINDS, ChaosPlan, kills
from dequeuer.dev.job_processes import JobProcess, job_processes, kill
from dequeuer.dev.restarted_process import RestartedProcess
from dequeuer.dev.running import run_beside

NO_PID = 2**22 + 1
"""More than any process has."""
linux_alone = pytest.mark.skipif(sys.platform != "linux", reason="dev kills processes of jobs on Linux alone, by /proc")


class Target(RestartedProcess):
    """A process that is killed in the test's mind alone."""

    def __init__(self, name: str, killed: list[str], *, runs: bool = True, pid: int | None = None) -> None:
        self._own_name = name
        self._killed = killed
        self._runs = runs
        self._pid = pid

    @property
    def name(self) -> str:
        return self._own_name

    @property
    def pid(self) -> int | None:
        return self._pid

    def kill(self) -> bool:
        if self._runs:
            self._killed.append(self._own_name)
        return self._runs


async def run(
    plan: ChaosPlan, seconds: float, *, runs: bool = True, controller_pid: int | None = None
) -> tuple[list[str], list[str], Chaos]:
    lines: list[str] = []
    killed: list[str] = []
    chaos = Chaos(plan, lines.append)
    for name in ("gateway", "controller", "text api"):
        pid = controller_pid if name == "controller" else None
        chaos.add(Target(name, killed, runs=runs, pid=pid), is_controller=name == "controller")
    await run_beside(asyncio.sleep(seconds), *chaos.works())
    return lines, killed, chaos


@pytest.mark.looptime
async def test_a_seed_repeats_every_line_and_all_kinds_happen() -> None:
    plan = ChaosPlan(kinds=CHAOS_KINDS, seed=7)
    lines, killed, chaos = await run(plan, 120)
    assert (await run(plan, 120))[0] == lines
    assert (await run(ChaosPlan(kinds=CHAOS_KINDS, seed=8), 120))[0] != lines
    assert [line for line in lines if "killed" in line] == [f"chaos: killed {name}" for name in killed]
    assert set(killed) == {"gateway", "controller", "text api"}
    assert {line.split()[2] for line in lines} == {"fails", "throttles", "takes"} | {name.split()[0] for name in killed}
    assert chaos.announcement == "chaos: kills, throttling, errors, slow-s3; --chaos-seed 7 repeats it"


@pytest.mark.looptime
async def test_only_what_was_asked_for_happens_and_its_times_do_not_depend_on_the_rest() -> None:
    lines, killed, _ = await run(ChaosPlan(kinds=("slow-s3",), seed=7), 120)
    everything, _, _ = await run(ChaosPlan(kinds=CHAOS_KINDS, seed=7), 120)
    assert lines == [line for line in everything if "longer" in line]
    assert lines
    assert not killed


@pytest.mark.looptime
async def test_what_does_not_run_is_not_killed_and_nothing_is_said() -> None:
    lines, killed, _ = await run(ChaosPlan(kinds=("kills",), seed=7), 60, runs=False)
    assert (lines, killed) == ([], [])


@pytest.mark.looptime
async def test_sqs_and_s3_are_well_again_when_it_ends() -> None:
    for seconds in range(8, 60):  # in the middle of episodes, too
        _, _, chaos = await run(ChaosPlan(kinds=CHAOS_KINDS[1:], seed=7), seconds)
        assert chaos.faults.delay_s("S3") == 0
        assert all(chaos.faults.refuse(service, "") is None for service in ("SQS", "S3") for _ in range(20))


@pytest.mark.looptime
async def test_an_error_of_chaos_is_raised_as_it_is() -> None:
    def say(_line: str) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        async with asyncio.timeout(120):
            await run_beside(asyncio.Event().wait(), *Chaos(ChaosPlan(kinds=CHAOS_KINDS, seed=7), say).works())


ONE_CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()", *sys.argv[1:]], stdin=subprocess.PIPE)
print("started", flush=True)
print(child.wait(), flush=True)
"""


@contextmanager
def one_child(arguments: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that has one child, and writes with which status the child has ended."""
    command = [sys.executable, "-c", ONE_CHILD, *arguments]
    with subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"started\n"
            yield process
        finally:
            process.kill()  # its child reads the end of its input, and ends


def until_one_of_job(seed: int) -> tuple[int, float]:
    """Return which kill is the first one of a process of a job, from 1, and a time after it and before the next one."""
    passed_s = 0.0
    for number, one in enumerate(kills(seed), start=1):
        passed_s += one.pause_s
        if one.is_of_job:
            return number, passed_s + 1
    raise AssertionError("kills have no end")


@pytest.mark.looptime
@linux_alone
@pytest.mark.parametrize(
    ("arguments", "environment", "name"),
    [
        (["enqueue", "-jobID", "67a0"], {}, "the enqueuer of a job"),
        ([], {"DEQUEUER_WORKER_ID": "0"}, "the sidecar of a job"),
        (["--token", "secret"], {}, f"a container of a job ({Path(sys.executable).name})"),
    ],
)
async def test_a_process_of_a_job_is_killed_and_told_by_what_it_is(
    arguments: list[str], environment: dict[str, str], name: str
) -> None:
    plan = ChaosPlan(kinds=("kills",), seed=7)
    _, lasts_s = until_one_of_job(plan.seed)
    with one_child(arguments, environment) as controller:
        # Until the first one: in virtual time the next one comes before the process has ended.
        lines, killed, _ = await run(plan, lasts_s, controller_pid=controller.pid)
        assert lines == [*(f"chaos: killed {one}" for one in killed), f"chaos: killed {name}"]
        assert controller.stdout is not None
        assert controller.stdout.readline() == b"-9\n"


@pytest.fixture
async def child() -> AsyncIterator[asyncio.subprocess.Process]:
    code = "import sys; sys.stdin.read()"
    command = [sys.executable, "-c", code, "secret"]
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE)
    yield process
    if process.returncode is None:
        process.kill()
    await process.wait()


@linux_alone
async def test_children_of_the_controller_are_found_without_their_arguments_and_killed(
    child: asyncio.subprocess.Process,
) -> None:
    (found,) = [one for one in job_processes(os.getpid()) if one.pid == child.pid]
    assert found.name == f"a container of a job ({Path(sys.executable).name})"
    assert not kill(found, 1)  # it is no child of that one
    assert kill(found, os.getpid())
    assert await child.wait() == -9
    assert not kill(found, os.getpid())
    assert found not in job_processes(os.getpid())


@contextmanager
def no_file_to_open() -> Iterator[None]:
    """Let nothing be opened in this process until the end of the block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@linux_alone
async def test_without_a_file_to_open_no_process_of_a_job_is_found_or_killed(
    child: asyncio.subprocess.Process,
) -> None:
    (found,) = [one for one in job_processes(os.getpid()) if one.pid == child.pid]
    with no_file_to_open():
        assert job_processes(os.getpid()) == []
        assert not kill(found, os.getpid())
    assert found in job_processes(os.getpid())


@pytest.mark.looptime
async def test_while_no_job_runs_others_are_killed_in_place_of_its_processes() -> None:
    plan = ChaosPlan(kinds=("kills",), seed=7)
    number, lasts_s = until_one_of_job(plan.seed)
    lines, killed, _ = await run(plan, lasts_s, controller_pid=NO_PID)
    assert (len(lines), lines) == (number, [f"chaos: killed {one}" for one in killed])


def test_a_process_that_does_not_exist_has_no_children() -> None:
    assert job_processes(NO_PID) == []
    assert not kill(JobProcess(pid=NO_PID, name="x"), NO_PID + 1)
