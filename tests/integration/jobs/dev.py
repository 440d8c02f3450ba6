"""`dequeuer dev` as a process, and what it leaves behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from tests.integration.output import Output
from tests.integration.servers import free_port
from tests.integration.sidecar import ROOT
from tests.integration.waiting import DEADLINE_S, eventually

DEQUEUER = (sys.executable, "-m", "dequeuer")


def run_apis(apis: Path, *more: str) -> Dev:
    """Run the APIs of a file."""
    return Dev(["-f", str(apis), *more], apis.parent)


class Dev:
    """One run, on ports of its own.

    Args:
        arguments: what follows `dev`; its ports are replaced.
        folder: in which it is typed; also for temporary files.
    """

    def __init__(self, arguments: Sequence[str], folder: Path) -> None:
        self.port, self.aws_port = free_port(), free_port()
        self._traces = Traces(folder)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("DEQUEUER_")},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(self._traces.temporary),
            # No process may get this account.
            "AWS_PROFILE": "production",
        }
        self.process = subprocess.Popen(
            # The last one of two is taken.
            [*DEQUEUER, "dev", *arguments, "--port", str(self.port), "--aws-port", str(self.aws_port)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self._output = Output(self.process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        self.wait_gone()

    @property
    def lines(self) -> list[str]:
        """The lines that it has printed so far."""
        return self._output.lines

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end; return the exit status."""
        status = self.process.wait(DEADLINE_S)
        self._output.close(DEADLINE_S)
        return status

    def wait_ready(self) -> Self:
        """Wait for the line that says that all accept work."""
        ready = f"ready: http://127.0.0.1:{self.port}"
        eventually(lambda: ready in self.lines or self.process.poll() is not None, "dev to be ready")
        assert ready in self.lines, self.lines
        return self

    def wait_line(self, pattern: str) -> str:
        """Wait for a line that contains a match; return the line."""
        found = re.compile(pattern)
        return eventually(
            lambda: next((line for line in [*self.lines] if found.search(line)), None), f"{pattern}: {self.lines}"
        )

    def call(self, path: str, body: Any = None) -> Any:
        """Submit JSON, or ask for a path; return the JSON of the answer."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{error.code}: {error.read().decode()}") from None

    def wait_job(self, path: str, job_id: str, *states: str) -> dict[str, Any]:
        """Wait until a job has one of these statuses; return its status."""

        def look() -> dict[str, Any] | None:
            status: dict[str, Any] = self.call(f"{path}?jobID={job_id}")["job_status"]
            return status if status["status"] in states else None

        return eventually(look, f"{job_id} to be {states}")

    def processes(self) -> dict[int, str]:
        """Return the processes of the run but `dev` itself: the watchdog, its children, and whatever these started."""
        found = self._traces.processes()
        found.pop(self.process.pid, None)
        return found

    def wait_gone(self) -> None:
        """Wait until neither a process nor a file of the run is left."""
        self._traces.wait_gone()


class Traces:
    """What a run has started and written, found by its folder for temporary files.

    Args:
        folder: in which it is made; it is the `TMPDIR` of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.temporary = folder / "temporary"
        self.temporary.mkdir(exist_ok=True)

    def processes(self) -> dict[int, str]:
        """Return the command of each process that has the folder in its command or environment."""
        mark = str(self.temporary).encode()
        found: dict[int, str] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes()
                if mark in command or mark in (folder / "environ").read_bytes():
                    found[int(folder.name)] = command.replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
        return found

    def wait_gone(self) -> None:
        """Wait until neither a process nor a file is left."""
        eventually(lambda: not self.processes(), f"the end of all processes: {self.processes()}")
        eventually(lambda: not [*self.temporary.iterdir()], "the end of the folder of the run")
