"""Gateway and two controllers of one job, and the SIGKILLs that they and their children get."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, Literal, Self

from tests.faults.jobs import container
from tests.integration.cloud import Bucket, Cloud
from tests.integration.gateway_process import Gateway
from tests.integration.jobs.controller import Controller

Victim = Literal["enqueuer", "controller", "worker"]
CONTROLLERS: Final = 2
SLICE_S: Final = 0.02
OWNERSHIP_TIMEOUT_S: Final = 10.0
"""The server stands still for seconds while it lists 100,000 files: with 3 s the job changed its owner again and again."""
SHUTDOWN_GRACE_S: Final = 5.0
APIS = """
- name: sum
  kind: BatchAPI
  pod:
    port: 8080
    containers:
      - name: api
        image: sum
        command: [{python}, {program}]
        env: {{CALLS: "{calls}"}}
        readiness_probe: {{http_get: {{path: /, port: 8080}}, period_seconds: 1}}
"""


class Processes:
    """The processes of one job. A controller that is killed is replaced.

    Args:
        cloud: the servers.
        bucket: of the job.
        folder: for the files of the job.
        seed: of the random choices.
    """

    def __init__(self, cloud: Cloud, bucket: Bucket, folder: Path, python: str, seed: int) -> None:
        self._choice = random.Random(f"victims-{seed}")
        self._cloud = cloud
        self._bucket = bucket
        self._stack = ExitStack()
        self.calls = folder / "calls"
        self.calls.mkdir()
        self._apis = folder / "cortex.yaml"
        self._apis.write_text(APIS.format(python=python, program=Path(container.__file__), calls=self.calls))
        self.gateway = Gateway(cloud.url, bucket, "", apis=self._apis)
        self.controllers: list[Controller] = []
        self.killed_at: list[float] = []
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._stack.enter_context(self.gateway)
        self.gateway.wait_started()
        for _ in range(CONTROLLERS):
            self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        settings = {
            "DEQUEUER_OWNERSHIP_TIMEOUT": f"{OWNERSHIP_TIMEOUT_S:g}",
            "DEQUEUER_SHUTDOWN_GRACE": f"{SHUTDOWN_GRACE_S:g}",
            "DEQUEUER_VISIBILITY_TIMEOUT": "5",
        }
        self.controllers.append(
            self._stack.enter_context(Controller(self._cloud, self._bucket, self._apis, **settings))
        )

    def kill_enqueuer(self, is_due: Callable[[], bool]) -> bool:
        """Let the enqueuer run for a moment, or kill it; return whether it was killed.

        It may send everything within a second, so it stands still while somebody looks whether its kill is due.
        """
        commands = [entry for controller in self.controllers for entry in controller.commands().items()]
        pids = [pid for pid, command in commands if "enqueue" in command]  # `python -P -m dequeuer enqueue ...`
        if not pids:
            return False
        with suppress(ProcessLookupError):
            os.kill(pids[0], signal.SIGSTOP)
            if is_due():
                os.kill(pids[0], signal.SIGKILL)
                self._record("enqueuer")
                return True
            os.kill(pids[0], signal.SIGCONT)
            time.sleep(SLICE_S)
        return False

    def kill_worker(self) -> bool:
        """Kill a worker; return False when there is none now. It is dead when its sidecar is, or its container."""
        words = self._choice.choice([("-m", "dequeuer"), (str(Path(container.__file__)),)])
        pids = [pid for controller in self.controllers for pid in controller.children(*words)]
        if not pids:
            return False
        try:
            os.kill(self._choice.choice(pids), signal.SIGKILL)
        except ProcessLookupError:
            return False
        self._record("worker")
        return True

    def kill_controller(self) -> bool:
        """Kill the controller that runs the job, and start another one; return False when none runs it now."""
        owners = [one for one in self.controllers if one.children("-m", "dequeuer")]
        if not owners:
            return False
        owner = self._choice.choice(owners)
        owner.kill()
        self._record("controller")
        self.controllers.remove(owner)
        self._start()
        return True

    def _record(self, victim: Victim) -> None:
        self.killed_at.append(time.time())
        self.counts[victim] += 1

    def handled(self) -> int:
        """Return how many answers the containers have given."""
        return sum(path.read_bytes().count(b"\n") for path in self.calls.iterdir())
