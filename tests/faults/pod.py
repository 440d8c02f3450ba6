"""A sidecar and its container as processes, which can be killed, stopped and restarted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from tests.faults.container_log import ContainerLog
from tests.faults.recorder import RunRecorder
from tests.history.records import Record
from tests.integration.servers import free_port, listens
from tests.integration.sidecar import ROOT, Sidecar
from tests.integration.waiting import eventually

END_TIMEOUT_S = 60.0


class Pod:
    """One sidecar and one container. Only one thread may use it.

    Args:
        name: of the pod.
        folder: for the container's records.
        settings: of the sidecar, without the port of the container.
        recorder: gets every start and end.
    """

    def __init__(self, name: str, folder: Path, settings: Mapping[str, str], recorder: RunRecorder) -> None:
        self.name = name
        self.port = free_port()
        self.log = ContainerLog(folder / f"{name}.jsonl")
        self.problems: list[str] = []
        self.settings = {**settings, "DEQUEUER_USER_PORT": str(self.port)}
        # A sidecar of a job ends with the job. The status is 1 when the container failed at the completion.
        self._may_end = {0, 1} if settings["DEQUEUER_API_KIND"] == "BatchAPI" else set()
        self._recorder = recorder
        self._container: subprocess.Popen[bytes] | None = None
        self.sidecar: Sidecar | None = None
        self._sidecar_name = ""
        self._sigterms = 0
        self.ended_logs: list[tuple[str, list[str]]] = []

    @property
    def has_sidecar(self) -> bool:
        """Whether there is a sidecar that got no SIGTERM."""
        return self.sidecar is not None and not self._sigterms

    @property
    def has_container(self) -> bool:
        """Whether the container runs."""
        return self._container is not None

    def start_container(self) -> None:
        """Start the container on its port, and wait until it listens."""
        command = [sys.executable, "-m", "tests.faults.container_process", str(self.port), str(self.log.file)]
        self._container = process = subprocess.Popen(
            [*command, self.name],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
        )
        eventually(lambda: listens(self.port) or process.poll() is not None, f"the container of {self.name}")
        assert process.poll() is None, f"the container of {self.name} ended by itself"

    def kill_container(self) -> None:
        """Send SIGKILL, and record the end of the running calls."""
        if self._container is not None:
            self._container.kill()
            self._container.wait(30)
            self._container = None
            self.log.close_calls(self._recorder.now())

    def signal_container(self, number: signal.Signals) -> None:
        """Send SIGSTOP or SIGCONT."""
        if self._container is not None:
            self._container.send_signal(number)

    def start_sidecar(self) -> None:
        """Start a sidecar; do not wait until it is ready."""
        self._sigterms = 0
        self._sidecar_name = self._recorder.sidecar_started(self.name)
        self.sidecar = Sidecar(self.settings)

    def kill_sidecar(self) -> None:
        """Send SIGKILL."""
        if self.sidecar is not None:
            self.sidecar.kill()
            self._record("killed")
            self._forget()

    def stop_sidecar(self) -> None:
        """Send SIGSTOP."""
        if self.sidecar is not None:
            self._recorder.sidecar_stopped(self.name)
            self.sidecar.process.send_signal(signal.SIGSTOP)

    def resume_sidecar(self) -> None:
        """Send SIGCONT."""
        if self.sidecar is not None:
            self._recorder.sidecar_resumed(self.name)
            self.sidecar.process.send_signal(signal.SIGCONT)

    def terminate_sidecar(self) -> None:
        """Send SIGTERM. A second call sends a second SIGTERM."""
        if self.sidecar is not None and self.sidecar.process.poll() is None:
            if not self._sigterms:
                self._record("drain")
            self._sigterms += 1
            self.sidecar.terminate()

    def reap_sidecar(self) -> bool:
        """Return whether the sidecar has ended, and record the end."""
        if self.sidecar is None:
            return True
        if self.sidecar.process.poll() is None:
            return False
        status = self.sidecar.wait()
        # A SIGTERM that arrives before its handler is installed ends the process with -SIGTERM.
        allowed = {0: self._may_end, 1: {0, -signal.SIGTERM}}.get(self._sigterms, {0, 1, -signal.SIGTERM})
        if status not in allowed:
            log_end = "\n    ".join(self.sidecar.lines[-8:])
            self.problems.append(f"{self._sidecar_name} ended with {status}, SIGTERMs: {self._sigterms}\n    {log_end}")
        self._record("killed")
        self._forget()
        return True

    def end(self) -> None:
        """End the sidecar with SIGTERM, then kill the container."""
        self.terminate_sidecar()
        if self.sidecar is not None:
            try:
                eventually(self.reap_sidecar, f"{self._sidecar_name} to end", END_TIMEOUT_S)
            finally:
                self.kill_sidecar()
        self.kill_container()

    def _forget(self) -> None:
        assert self.sidecar is not None
        self.ended_logs.append((self._sidecar_name, self.sidecar.lines))
        self.sidecar = None

    def _record(self, what: Literal["killed", "drain"]) -> None:
        self._recorder.record(Record(at=self._recorder.now(), what=what, sidecar=self._sidecar_name))
