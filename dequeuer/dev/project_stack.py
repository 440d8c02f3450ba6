"""`-f`, `--demo`, `--kind batch` and `--kind realtime`: runs a cortex.yaml, and what is done once it accepts work."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp

from dequeuer.dev.addresses import Addresses, check_ports
from dequeuer.dev.chaos import Chaos
from dequeuer.dev.controller_log import parse_job_line
from dequeuer.dev.display import Display
from dequeuer.dev.environment import user_environment
from dequeuer.dev.job_logs import JobLogs
from dequeuer.dev.log_line import parse_settled_line, probe_text, settled_text
from dequeuer.dev.options import Options
from dequeuer.dev.page import Page
from dequeuer.dev.pod import is_container_name, is_sidecar_name
from dequeuer.dev.process_specs import ProcessSpecs
from dequeuer.dev.project import Project
from dequeuer.dev.project_processes import ProjectProcesses
from dequeuer.dev.running import run_beside, run_supervised
from dequeuer.dev.supervisor import Supervisor


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyProject:
    """A project that accepts work.

    Attributes:
        project: what is run.
        addresses: the ports.
        session: for requests to the gateway.
        logs: what the containers of jobs print.
        work_folder: of the controller.
        followed: ids of jobs whose statuses are shown in another way.
        page_url: of the page; None: there is none.
    """

    project: Project
    addresses: Addresses
    session: aiohttp.ClientSession
    logs: JobLogs
    work_folder: Path
    followed: set[str]
    page_url: str | None


Use: TypeAlias = Callable[[ReadyProject], Coroutine[Any, Any, int]]
"""Uses a project, and returns the exit status."""


class ProjectStack:
    """One run.

    Args:
        options: the command line.
        project: what is run.
        inherited: the user's environment.
        directory: of the run.
        display: for the user.
        use: what is done when all accept work; the processes run until it returns.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what a run is made of
        self,
        options: Options,
        project: Project,
        inherited: Mapping[str, str],
        directory: Path,
        display: Display,
        use: Use,
    ) -> None:
        check_ports(options)
        self._options = options
        self._project = project
        self._display = display
        self._use = use
        self._addresses = Addresses.choose(options)
        specs = ProcessSpecs(self._addresses, inherited, directory, self._on_line)
        self._followed: set[str] = set()
        self._chaos = None if options.chaos is None else Chaos(options.chaos, self._say)
        self._page = Page(specs, self._say) if options.has_page else None
        self._processes = ProjectProcesses(
            project,
            specs,
            inherited=user_environment(inherited, self._addresses.aws_url),
            directory=directory,
            say=self._say,
            ready_timeout_s=options.ready_timeout_s,
            chaos=self._chaos,
            page=self._page,
        )
        self._logs = JobLogs(self._processes.work_folder, self._on_job_line)

    async def run(self) -> int:
        """Run the stack; return the exit status. All child processes have ended when this returns or raises.

        Raises:
            DevError: the stack cannot continue.
        """
        return await run_supervised(self._work, self._display, once=self._options.once)

    async def _work(self, supervisor: Supervisor) -> int:
        project = self._project
        run = (*project.realtime_apis, *project.async_apis, *project.job_apis)
        names = ", ".join(api.name for api in run)
        need = "need" if len(run) > 1 else "needs"
        self._display.print_text(f"starting SQS and S3, the gateway and what {names} {need}, on loopback ...")
        async with aiohttp.ClientSession(trust_env=False) as session:
            await self._processes.start(supervisor, session)
            beside = [self._logs.follow()]
            if self._chaos is not None:
                self._display.print_text(self._chaos.announcement)
                beside += self._chaos.works()
            ready = ReadyProject(
                project=self._project,
                addresses=self._addresses,
                session=session,
                logs=self._logs,
                work_folder=self._processes.work_folder,
                followed=self._followed,
                page_url=None if self._page is None else self._page.url,
            )
            return await run_beside(self._use(ready), *beside)

    def _on_line(self, name: str, line: str) -> None:
        if self._options.demo and not self._options.verbose:
            return  # its samples and the page show it
        is_sidecar = is_sidecar_name(name)
        if not is_sidecar and is_container_name(name):
            self._say(f"{name} | {line}")
            return
        if self._options.verbose:
            self._say(f"{name} | {line}")
        if is_sidecar and (text := _sidecar_text(line)) is not None:
            self._say(text)
        told = parse_job_line(line) if name == "controller" else None
        if told is not None and not (told.is_status and told.job_id in self._followed):
            self._say(told.text)

    def _on_job_line(self, api_name: str, container: str, line: str) -> None:
        if self._options.demo and not self._options.verbose:
            return
        self._say(f"{api_name} {container} | {line}")

    def _say(self, text: str) -> None:
        # Whoever reads the output has gone, or the terminal. The event loop would only log the error; `_work`
        # prints, too, and ends by the same one.
        with suppress(OSError):
            self._display.print_text(text)


def _sidecar_text(line: str) -> str | None:
    message = parse_settled_line(line)
    return probe_text(line) if message is None else settled_text(message)
