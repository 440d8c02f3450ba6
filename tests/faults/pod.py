"""A sidecar and its container, two processes, and what can be done to them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from tests.faults.container_log import ContainerLog
from tests.faults.notebook import Notebook
from tests.history.records import Record
from tests.integration.servers import free_port, listens
from tests.integration.sidecar import ROOT, Sidecar
from tests.integration.waiting import eventually

GRACEFUL_S = 60.0


class Pod:
    """One sidecar and one container. Steered by one thread.

    Args:
        name: of the pod.
        folder: for the container's records.
        settings: of the sidecar, all but the container's port.
        notebook: learns of every start and end.
    """

    def __init__(self, name: str, folder: Path, settings: Mapping[str, str], notebook: Notebook) -> None:
        self.name = name
        self.port = free_port()
        self.log = ContainerLog(folder / f"{name}.jsonl")
        self.problems: list[str] = []
        self.incarnations = 0
        self.settings = {**settings, "DEQUEUER_USER_PORT": str(self.port)}
        # A job's sidecar ends with the job: with 1 when the container did not take the end of it.
        self._may_end = {0, 1} if settings["DEQUEUER_API_KIND"] == "BatchAPI" else set()
        self._notebook = notebook
        self._container: subprocess.Popen[bytes] | None = None
        self.sidecar: Sidecar | None = None
        self._sidecar_name = ""
        self._asked_to_end = 0
        self.past_lines: list[tuple[str, list[str]]] = []

    @property
    def has_sidecar(self) -> bool:
        """Whether there is one that nobody has asked to end."""
        return self.sidecar is not None and not self._asked_to_end

    @property
    def has_container(self) -> bool:
        """Whether there is one."""
        return self._container is not None

    def start_container(self) -> None:
        """Start the container, on its port, and wait until it listens."""
        command = [sys.executable, "-m", "tests.faults.container_process", str(self.port), str(self.log.file)]
        self._container = process = subprocess.Popen(
            [*command, self.name],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
        )
        eventually(lambda: listens(self.port) or process.poll() is not None, f"the container of {self.name}")
        assert process.poll() is None, f"the container of {self.name} ended by itself"

    def kill_container(self) -> None:
        """Send SIGKILL; what it was doing is over then."""
        if self._container is not None:
            self._container.kill()
            self._container.wait(30)
            self._container = None
            self.log.close_calls(self._notebook.now())

    def signal_container(self, number: signal.Signals) -> None:
        """Send SIGSTOP or SIGCONT."""
        if self._container is not None:
            self._container.send_signal(number)

    def start_sidecar(self) -> None:
        """Start a sidecar; it is not waited for."""
        self.incarnations += 1
        self._asked_to_end = 0
        self._sidecar_name = self._notebook.begins(self.name)
        self.sidecar = Sidecar(self.settings)

    def kill_sidecar(self) -> None:
        """Send SIGKILL."""
        if self.sidecar is not None:
            self.sidecar.kill()
            self._note("killed")
            self._forget()

    def stop_sidecar(self) -> None:
        """Send SIGSTOP."""
        if self.sidecar is not None:
            self._notebook.stops(self.name)
            self.sidecar.process.send_signal(signal.SIGSTOP)

    def resume_sidecar(self) -> None:
        """Send SIGCONT."""
        if self.sidecar is not None:
            self._notebook.resumes(self.name)
            self.sidecar.process.send_signal(signal.SIGCONT)

    def terminate_sidecar(self) -> None:
        """Send SIGTERM; the second one is meant, too."""
        if self.sidecar is not None and self.sidecar.process.poll() is None:
            if not self._asked_to_end:
                self._note("drain")
            self._asked_to_end += 1
            self.sidecar.terminate()

    def reap_sidecar(self) -> bool:
        """Take note of a sidecar that has ended; tell whether it has."""
        if self.sidecar is None:
            return True
        if self.sidecar.process.poll() is None:
            return False
        status = self.sidecar.wait()
        # A signal that comes before there is a handler for it ends the process as any other.
        allowed = {0: self._may_end, 1: {0, -signal.SIGTERM}}.get(self._asked_to_end, {0, 1, -signal.SIGTERM})
        if status not in allowed:
            said = "\n    ".join(self.sidecar.lines[-8:])
            self.problems.append(
                f"{self._sidecar_name} ended with {status}, SIGTERMs: {self._asked_to_end}\n    {said}"
            )
        self._note("killed")
        self._forget()
        return True

    def end(self) -> None:
        """End both, the sidecar with SIGTERM."""
        self.terminate_sidecar()
        if self.sidecar is not None:
            try:
                eventually(self.reap_sidecar, f"{self._sidecar_name} to end", GRACEFUL_S)
            finally:
                self.kill_sidecar()
        self.kill_container()

    def _forget(self) -> None:
        assert self.sidecar is not None
        self.past_lines.append((self._sidecar_name, self.sidecar.lines))
        self.sidecar = None

    def _note(self, what: Literal["killed", "drain"]) -> None:
        self._notebook.note(Record(at=self._notebook.now(), what=what, sidecar=self._sidecar_name))
