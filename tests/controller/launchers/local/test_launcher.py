"""The launcher with real processes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from dequeuer.apis import parse_apis
from dequeuer.controller.launchers.base import LauncherUnavailableError, ProcessState
from dequeuer.controller.launchers.local.compute import LocalCompute
from dequeuer.controller.launchers.local.launcher import LocalLauncher, LocalSettings
from dequeuer.core.events import JobProcessEnded, JobProcessStarted
from dequeuer.pods.commands import can_see_root
from tests.controller.stage import KEYS, TASK_KEYS, make_spec
from tests.fakes import Recorder

SPEC = make_spec(TASK_KEYS, workers=1)
ENDS = "print('working'); print('done')"
FAILS = "import sys; print('out of luck'); sys.exit(3)"
SLEEPS = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print('bye'), sys.exit(0)))
print('here')
time.sleep(600)
"""
READS_ROOT = """
import os
root = os.environ.get('CORTEX_ROOT', '')
print(root or 'real', open(root + '/cortex/spec/job.json').read(2))
open(root + '/mnt/file', 'w').close()
"""


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def make(tmp_path: Path, recorder: Recorder) -> AsyncIterator[Callable[..., LocalLauncher]]:
    made: list[LocalLauncher] = []

    def launcher(code: str, more: str = "", **fields: Any) -> LocalLauncher:
        text = f"""
- name: sum
  kind: TaskAPI
  pod: {{containers: [{{name: train, image: train, command: [{sys.executable}, -uc], args: [{json.dumps(code)}], {more}}}]}}
"""
        given: dict[str, Any] = {
            "folder": tmp_path,
            "work_folder": tmp_path / "work",
            "environment": dict(os.environ),
            "cluster_uid": "uid",
            "bucket": "bucket",
            "region": None,
            "version": "0.42.1",
            "operator_url": "http://gateway",
            "sidecar_grace_s": 5,
            "sees_root": False,
        }
        apis = parse_apis(text.encode(), "cortex.yaml")
        settings = LocalSettings(**(given | fields))
        made.append(LocalLauncher(settings, apis, LocalCompute.of_machine(sees_root=settings.sees_root), recorder))
        return made[-1]

    yield launcher
    for one in made:
        one.stop_now()
        await one.close()


async def ended(launcher: LocalLauncher, name: str = "worker-0") -> ProcessState:
    async with asyncio.timeout(60):
        while not (await launcher.observe(TASK_KEYS))[name].has_ended:  # noqa: ASYNC110 - a process
            await asyncio.sleep(0.02)
    return (await launcher.observe(TASK_KEYS))[name]


def log_of(tmp_path: Path) -> str:
    path = tmp_path / "work/TaskAPI/sum" / TASK_KEYS.job_id / "logs/worker-0.train.log"
    return path.read_text() if path.exists() else ""


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the output of a process
            await asyncio.sleep(0.02)


async def test_a_task_runs_and_its_output_is_kept(
    make: Callable[..., LocalLauncher], tmp_path: Path, recorder: Recorder
) -> None:
    launcher = make(ENDS)
    await launcher.start(TASK_KEYS, SPEC, "worker-0")
    state = await ended(launcher)
    assert (state.phase, state.was_ready) == ("succeeded", True)
    assert log_of(tmp_path) == "working\ndone\n"
    assert [event.process for event in recorder.of(JobProcessStarted)] == ["worker-0"]
    (event,) = recorder.of(JobProcessEnded)
    assert (event.phase, event.detail) == ("succeeded", "worker-0 (train) ended with exit status 0. Its last lines:")


async def test_a_container_that_cannot_be_started_keeps_no_cpu(
    make: Callable[..., LocalLauncher], tmp_path: Path
) -> None:
    launcher = make(ENDS, "compute: {cpu: 1}")
    logs = tmp_path / "work/TaskAPI/sum" / TASK_KEYS.job_id / "logs"
    logs.parent.mkdir(parents=True)
    logs.write_text("where a folder should be")
    await launcher.start(TASK_KEYS, SPEC, "worker-0")
    assert (await ended(launcher)).phase == "failed"
    assert set(launcher._compute._cpus._users.values()) == {0}


async def test_the_end_of_a_process_says_how_and_has_its_last_lines(make: Callable[..., LocalLauncher]) -> None:
    launcher = make(FAILS)
    await launcher.start(TASK_KEYS, SPEC, "worker-0")
    state = await ended(launcher)
    assert state.phase == "failed"
    assert state.detail == "worker-0 (train) ended with exit status 3. Its last lines:\n    out of luck"


async def test_a_process_that_runs_is_not_started_twice_and_one_that_ended_is(
    make: Callable[..., LocalLauncher], tmp_path: Path
) -> None:
    launcher = make(ENDS)
    await launcher.start(TASK_KEYS, SPEC, "worker-0")
    await launcher.start(TASK_KEYS, SPEC, "worker-0")
    await ended(launcher)
    await launcher.start(TASK_KEYS, SPEC, "worker-0")
    await ended(launcher)
    assert log_of(tmp_path) == "working\ndone\n" * 2


async def test_a_stop_lets_the_process_end_and_forgets_it(
    make: Callable[..., LocalLauncher], tmp_path: Path, recorder: Recorder
) -> None:
    launcher = make(SLEEPS)
    await launcher.start(TASK_KEYS, SPEC, "worker-0")
    await until(lambda: "here" in log_of(tmp_path))
    await launcher.stop(TASK_KEYS, ["worker-0", "worker-7"])
    assert await launcher.observe(TASK_KEYS) == {}
    assert log_of(tmp_path) == "here\nbye\n"
    assert recorder.of(JobProcessEnded) == []


async def test_a_stop_that_is_cancelled_ends_the_process_all_the_same(
    make: Callable[..., LocalLauncher], tmp_path: Path
) -> None:
    launcher = make(SLEEPS)
    await launcher.start(TASK_KEYS, SPEC, "worker-0")
    await until(lambda: "here" in log_of(tmp_path))
    stopping = asyncio.create_task(launcher.stop(TASK_KEYS, ["worker-0"]))
    await asyncio.sleep(0)
    stopping.cancel()
    assert (await ended(launcher)).phase == "succeeded"


async def test_a_command_that_does_not_exist_is_a_process_that_failed(
    make: Callable[..., LocalLauncher], tmp_path: Path, recorder: Recorder
) -> None:
    text = b"- {name: sum, kind: TaskAPI, pod: {containers: [{name: a, image: a, command: [no-such-program]}]}}"
    launcher = make(ENDS)
    launcher = LocalLauncher(launcher._settings, parse_apis(text, "cortex.yaml"), launcher._compute, recorder)
    await launcher.start(TASK_KEYS, SPEC, "worker-0")
    state = await ended(launcher)
    assert state.phase == "failed"
    assert "cannot start no-such-program" in state.detail
    await launcher.close()


async def test_a_command_that_no_process_can_have_is_a_process_that_failed(
    make: Callable[..., LocalLauncher], recorder: Recorder
) -> None:
    launcher = make("print()\0")
    await launcher.start(TASK_KEYS, SPEC, "worker-0")
    state = await ended(launcher)
    assert state.phase == "failed"
    assert "cannot be started" in state.detail
    assert len(recorder.of(JobProcessEnded)) == 1


async def test_an_api_that_is_not_in_the_file_cannot_be_started(make: Callable[..., LocalLauncher]) -> None:
    launcher = make(ENDS)
    with pytest.raises(LauncherUnavailableError, match="of another kind"):
        await launcher.start(KEYS, make_spec(), "worker-0")


async def test_a_container_finds_its_files(make: Callable[..., LocalLauncher], tmp_path: Path) -> None:
    launcher = make(READS_ROOT)
    await launcher.start(TASK_KEYS, SPEC, "worker-0")
    pod = tmp_path / "work/TaskAPI/sum" / TASK_KEYS.job_id / "worker-0"
    assert (await ended(launcher)).phase == "succeeded", log_of(tmp_path)
    assert log_of(tmp_path) == f"{pod} {{\n"
    assert (pod / "mnt/file").exists()


async def test_a_container_finds_its_files_at_their_real_paths_where_the_machine_allows_it(
    make: Callable[..., LocalLauncher], tmp_path: Path
) -> None:
    work = tmp_path / "work"
    sees_root = await can_see_root(work)
    launcher = make(READS_ROOT, sees_root=sees_root)
    await launcher.start(TASK_KEYS, SPEC, "worker-0")
    pod = work / "TaskAPI/sum" / TASK_KEYS.job_id / "worker-0"
    assert (await ended(launcher)).phase == "succeeded", log_of(tmp_path)
    assert log_of(tmp_path) == f"{'real' if sees_root else pod} {{\n"
    assert (pod / "mnt/file").exists()
    assert not os.path.exists("/mnt/file")  # noqa: ASYNC240, PTH110 - of a test


async def test_a_container_sees_the_hosts_that_are_given_where_the_machine_allows_it(
    make: Callable[..., LocalLauncher], tmp_path: Path
) -> None:
    sees_root = await can_see_root(tmp_path / "work")
    launcher = make("print('api-x' in open('/etc/hosts').read())", sees_root=sees_root, hosts="127.20.0.1 api-x\n")
    await launcher.start(TASK_KEYS, SPEC, "worker-0")
    assert (await ended(launcher)).phase == "succeeded", log_of(tmp_path)
    assert log_of(tmp_path) == f"{sees_root}\n"


GROWS = """
import time
held = []
while True:
    held.append(bytearray(b'x') * (8 << 20))
    time.sleep(0.01)
"""
SHOWS = (
    "import os; print(len(os.sched_getaffinity(0)), os.statvfs('/dev/shm').f_blocks * os.statvfs('/dev/shm').f_bsize)"
)


async def test_a_container_that_needs_too_much_memory_is_killed(
    make: Callable[..., LocalLauncher], recorder: Recorder
) -> None:
    launcher = make(GROWS, "compute: {mem: 64Mi}")
    await launcher.start(TASK_KEYS, SPEC, "worker-0")
    assert (await ended(launcher)).phase == "killed_oom"
    (event,) = recorder.of(JobProcessEnded)
    assert event.phase == "killed_oom"
    assert event.detail.startswith("worker-0 (train) was killed because it ")
    assert event.detail.endswith("more than its compute.mem (64 MiB). It printed nothing.")


async def test_a_container_has_the_cpus_and_the_shared_memory_that_it_asks_for(
    make: Callable[..., LocalLauncher], tmp_path: Path
) -> None:
    sees_root = await can_see_root(tmp_path / "work")
    launcher = make(SHOWS, "compute: {cpu: 0.5, mem: 64Mi, shm: 12Mi}", sees_root=sees_root)
    await launcher.start(TASK_KEYS, SPEC, "worker-0")
    assert (await ended(launcher)).phase == "succeeded", log_of(tmp_path)
    machine = os.statvfs("/dev/shm")  # noqa: S108 - its size
    assert log_of(tmp_path) == f"1 {12 << 20 if sees_root else machine.f_blocks * machine.f_bsize}\n"


async def test_a_container_that_fails_its_liveness_probe_is_ended(
    make: Callable[..., LocalLauncher], tmp_path: Path
) -> None:
    sees_root = await can_see_root(tmp_path / "work")
    code = f"{SLEEPS.replace('here', 'lives')}"
    path = "/mnt/alive" if sees_root else tmp_path / "work/TaskAPI/sum" / TASK_KEYS.job_id / "worker-0/mnt/alive"
    probe = f"liveness_probe: {{exec: {{command: [test, -f, {path}]}}, period_seconds: 1, timeout_seconds: 60, failure_threshold: 1}}"
    launcher = make(f"open({str(path)!r}, 'w').close()\n{code}", probe, sees_root=sees_root)
    launcher_probe = tmp_path / "work/TaskAPI/sum" / TASK_KEYS.job_id / "worker-0/mnt/alive"
    launcher_probe.parent.mkdir(parents=True)
    launcher_probe.touch()  # the first probe may be earlier than the container
    await launcher.start(TASK_KEYS, SPEC, "worker-0")
    await until(lambda: "lives" in log_of(tmp_path))
    assert not (await launcher.observe(TASK_KEYS))["worker-0"].has_ended
    launcher_probe.unlink()
    state = await ended(launcher)
    assert log_of(tmp_path) == "lives\nbye\n"
    assert (state.phase, state.was_ready) == ("failed", True)
    first = "worker-0 (train) was ended because its liveness probe failed once (its command ended with status 1)."
    assert state.detail.startswith(first)
