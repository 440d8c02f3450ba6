"""The composition root of the controller: builds every part, starts and stops them."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, TypeAlias

import structlog

from dequeuer import __version__
from dequeuer.apis import Apis, load_apis
from dequeuer.clients.choice import AwsResources, choose, connect
from dequeuer.controller.controller import Controller
from dequeuer.controller.launchers.local.compute import LocalCompute
from dequeuer.controller.launchers.local.hosts import read_hosts
from dequeuer.controller.launchers.local.launcher import LocalLauncher, LocalSettings
from dequeuer.controller.objects import JobObjects
from dequeuer.controller.runner import Services
from dequeuer.core.drain import Drain
from dequeuer.core.errors import ConfigurationError, FatalError, clip
from dequeuer.core.events import Observer
from dequeuer.jobs.layout import JOB_KINDS, JobKeys
from dequeuer.jobs.output_buckets import OutputBuckets
from dequeuer.observability import logs
from dequeuer.observability.admin import AdminServer
from dequeuer.observability.metrics import combine
from dequeuer.observability.metrics.controller import ControllerMetrics
from dequeuer.pods.commands import can_see_root
from dequeuer.process.garbage import freeze_startup_objects
from dequeuer.process.running import run_to_status
from dequeuer.settings import ControllerSettings
from dequeuer.settings.controller import LauncherName
from dequeuer.sources.sqs.management import Queues

EXIT_OK, EXIT_FAILED = 0, 1
NOT_READY: Final = "the jobs of the bucket cannot be listed"


_MakeLauncher: TypeAlias = Callable[[ControllerSettings, Apis, Path, str, Observer], Awaitable[LocalLauncher]]


def run_controller(settings: ControllerSettings) -> int:
    """Run jobs until SIGTERM or SIGINT; then drain their processes, and leave the jobs to other controllers.

    Returns the exit status. A second signal skips the drains; the status is then 1.

    Raises:
        ConfigurationError: cortex.yaml, `DEQUEUER_HOSTS_PATH` or the region is wrong, or the work folder cannot be
            made; no call to AWS was made.
    """
    return run_to_status(_run(settings))


async def _run(settings: ControllerSettings) -> int:
    logs.configure(settings.log.level, settings.log.format)
    log = structlog.get_logger()
    apis = load_apis(settings.apis_path)
    hosts = read_hosts(settings.hosts_path)
    work_folder = _work_folder(settings)
    drain = Drain()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, drain.request)
    client, reasons = choose(settings.aws, os.environ, AwsResources(settings.bucket, ()))
    if reasons:
        log.info("aws_client_chosen", client=client, reason="; ".join(reasons))
    cloud = connect(settings.aws, client, os.environ)
    metrics, event_log = ControllerMetrics(), logs.controller_event_log()
    observer = combine(metrics, event_log)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(cloud.close)
        cloud.observe(observer)
        sqs = await drain.run_until_requested(stack.enter_async_context(cloud.sqs(longest_wait_s=0)), "connect")
        if sqs is None:
            return EXIT_OK
        launcher = await _LAUNCHERS[settings.launcher](settings, apis, work_folder, hosts, observer)
        store = cloud.store(settings.bucket, observer)
        services = Services(
            objects=JobObjects(store),
            outputs=OutputBuckets(
                settings.bucket,
                store,
                lambda bucket: cloud.store(bucket, observer, is_foreign=True),
                cloud.close_store,
            ),
            queues=Queues(sqs, cloud.translate),
            launcher=launcher,
            observer=observer,
            cluster_name=settings.cluster_name,
            owner_id=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}",
            ownership_timeout_s=settings.ownership_timeout_s,
            queue_delay_s=settings.completion_delay_s,
        )
        controller = Controller(
            services,
            cluster_uid=settings.cluster_uid,
            version=settings.cortex_version,
            serves=lambda keys: _serves(apis, keys),
            max_jobs=settings.max_jobs,
            drain=drain,
        )
        admin = AdminServer(
            settings.admin_hosts,
            settings.admin_port,
            metrics.render,
            is_ready=lambda: controller.is_scanning,
            is_live=lambda: True,
            not_ready_reason=lambda: NOT_READY,
        )
        try:
            await admin.start()
        except FatalError as error:
            log.error("cannot_go_on", error=str(error))  # noqa: TRY400 - a traceback would not help
            return EXIT_FAILED
        stack.push_async_callback(admin.stop)
        names = sorted(api.name for api in apis if api.kind in JOB_KINDS)
        log.info("controller_started", version=__version__, apis=names, work_folder=str(work_folder))
        freeze_startup_objects()
        forcing = asyncio.create_task(_stop_now(drain, launcher), name="force")
        try:
            await controller.run()
        finally:
            await launcher.close()
            forcing.cancel()
            await asyncio.wait({forcing})
    log.info("controller_drained")
    return EXIT_FAILED if drain.is_forced else EXIT_OK


async def _local_launcher(
    settings: ControllerSettings, apis: Apis, work_folder: Path, hosts: str, observer: Observer
) -> LocalLauncher:
    folder = Path(os.path.abspath(settings.apis_path)).parent  # noqa: ASYNC240, PTH100 - reads the working directory
    sees_root = await can_see_root(work_folder)
    compute = LocalCompute.of_machine(sees_root=sees_root)
    log = structlog.get_logger()
    log.info("launcher_chosen", launcher="local", sees_root=sees_root, memory_limits=compute.memory_limits)
    for one in compute.not_used(apis):
        log.warning(
            "compute_not_used", api_name=one.api_name, container=one.container, fields=one.fields, reason=one.reason
        )
    local = LocalSettings(
        folder=folder,
        work_folder=work_folder,
        environment=dict(os.environ),
        cluster_uid=settings.cluster_uid,
        bucket=settings.bucket,
        region=settings.aws.region,
        version=settings.cortex_version,
        operator_url=settings.operator_url,
        sidecar_grace_s=settings.shutdown_grace_s,
        sees_root=sees_root,
        hosts=hosts,
    )
    return LocalLauncher(local, apis, compute, observer)


_LAUNCHERS: Final[Mapping[LauncherName, _MakeLauncher]] = {"local": _local_launcher}


def _work_folder(settings: ControllerSettings) -> Path:
    try:
        if settings.work_folder is None:
            return Path(tempfile.mkdtemp(prefix="dequeuer-"))
        folder = Path(settings.work_folder).absolute()
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = clip(str(error))
        raise ConfigurationError([f"DEQUEUER_WORK_FOLDER: {reason}; allowed: a folder that can be made"]) from None
    return folder


def _serves(apis: Apis, keys: JobKeys) -> bool:
    api = apis.get(keys.api_name)
    return api is not None and api.kind == keys.kind


async def _stop_now(drain: Drain, launcher: LocalLauncher) -> None:
    await drain.wait_forced()
    launcher.stop_now()
