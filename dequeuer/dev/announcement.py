"""`-f`: says where the APIs are, once all of them accept work."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path

from dequeuer.apis import Api, AsyncApi, BatchApi, RealtimeApi, TrafficSplitter
from dequeuer.dev.addresses import Addresses
from dequeuer.dev.display import Display
from dequeuer.dev.local_aws import BUCKET
from dequeuer.dev.next_steps import ending, list_objects
from dequeuer.dev.options import Options
from dequeuer.dev.project import Project
from dequeuer.dev.project_stack import ReadyProject
from dequeuer.dev.running import EXIT_OK
from dequeuer.terminal.table import columns


class Announcement:
    """`Use` of a project."""

    def __init__(self, options: Options, display: Display) -> None:
        self._options = options
        self._display = display

    async def __call__(self, ready: ReadyProject) -> int:
        """Say that all accept work; return at once, or never."""
        self._display.print_text(project_ready(ready.addresses, ready.project, ready.work_folder))
        if not self._options.once:
            self._display.print_text(ending(ready.page_url))
            await asyncio.Event().wait()
        return EXIT_OK


def project_ready(addresses: Addresses, project: Project, work_folder: Path) -> str:
    """Return the line that says that all accept work, and where the APIs are.

    Args:
        addresses: the ports.
        project: what is run.
        work_folder: of the controller.
    """
    lines = [
        f"ready: {addresses.gateway_url}",
        *apis_of(addresses, project),
        f"  SQS and S3: {addresses.aws_url}, with the bucket {BUCKET}",
        list_objects(addresses),
    ]
    if project.job_apis:
        lines += [
            f"  dequeuer jobs submit {project.job_apis[0].name} FILE --wait --gateway {addresses.gateway_url}",
            f"  dequeuer jobs logs {project.job_apis[0].name} JOB --work-folder {shlex.quote(str(work_folder))}",
        ]
    return "\n".join(lines)


def apis_of(addresses: Addresses, project: Project) -> list[str]:
    """Return a line for each API: where it is."""
    served = (*project.realtime_apis, *project.splitters, *project.async_apis, *project.job_apis)
    return [f"  {line}" for line in columns([_where(addresses, api) for api in served])]


def _where(addresses: Addresses, api: Api) -> tuple[str, str, str]:
    if isinstance(api, AsyncApi):
        return api.kind, api.name, f"POST {addresses.gateway_url}{api.endpoint}"
    if isinstance(api, RealtimeApi | TrafficSplitter):
        return api.kind, api.name, f"{addresses.gateway_url}{api.endpoint}"
    folder = "batch" if isinstance(api, BatchApi) else "tasks"
    return api.kind, api.name, f"POST {addresses.gateway_url}/{folder}/{api.name}"
