"""The composition root of the gateway: builds every part, starts and stops them; the exit status."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack, suppress
from functools import partial

import structlog
from aiohttp import web

from dequeuer import __version__
from dequeuer.clients.choice import AwsResources, choose, connect
from dequeuer.core.drain import Drain
from dequeuer.core.errors import clip
from dequeuer.formats.receiver_rules import ReceiverRules
from dequeuer.gateway.access.caller import rate_of
from dequeuer.gateway.access.gate import Access
from dequeuer.gateway.access.redaction import Redaction
from dequeuer.gateway.access.token_file import load_callers
from dequeuer.gateway.access.tokens import Tokens
from dequeuer.gateway.admin import Admin
from dequeuer.gateway.application import CANCEL_TIMEOUT_S, SHUTDOWN_TIMEOUT_S, make_app, make_runner
from dequeuer.gateway.dead_letters import DeadLetterQueues
from dequeuer.gateway.deadlines import Deadlines
from dequeuer.gateway.endpoints import NO_ENDPOINTS, Endpoints, load_endpoints
from dequeuer.gateway.job_buckets import SourceBuckets
from dequeuer.gateway.job_calls import SqsCounts
from dequeuer.gateway.job_service import Cluster, Jobs
from dequeuer.gateway.metering import measure_requests
from dequeuer.gateway.priorities import Priorities
from dequeuer.gateway.queue import SqsQueue
from dequeuer.gateway.queue_counts import QueueCounter
from dequeuer.gateway.realtime import Forwarder
from dequeuer.gateway.service import Gateway
from dequeuer.gateway.webhooks import Webhooks
from dequeuer.http.listening import addresses_text
from dequeuer.http.server import IdleLimit
from dequeuer.jobs.output_buckets import OutputBuckets
from dequeuer.observability import logs
from dequeuer.observability.metrics import combine
from dequeuer.observability.metrics.gateway import GatewayMetrics
from dequeuer.process.open_files import raise_open_files_limit
from dequeuer.process.running import run_to_status
from dequeuer.settings import GatewaySettings
from dequeuer.sources.sqs.management import Queues

EXIT_OK, EXIT_FAILED = 0, 1
MAX_IDLE_CONNECTIONS = 1000
"""Connections that wait for a request. A load balancer keeps some open, and replaces one that is closed."""
_BACKLOG = 1024


def run_gateway(settings: GatewaySettings) -> int:
    """Serve until SIGTERM or SIGINT, and during the shutdown delay after it. Then finish the requests in progress.

    Returns the exit status. A second signal skips the delay and the requests; the status is then 1.

    Raises:
        ConfigurationError: no region is configured, or the file of the APIs or of the tokens has faults; no call to
            AWS was made.
    """
    endpoints = (
        load_endpoints(settings.apis_path, settings.queues, settings.realtime_urls)
        if settings.apis_path
        else NO_ENDPOINTS
    )
    path = settings.access.tokens_path
    tokens = Tokens(path, load_callers(path)) if path is not None else None
    return run_to_status(_run(settings, endpoints, tokens))


async def _run(settings: GatewaySettings, endpoints: Endpoints, tokens: Tokens | None) -> int:
    logs.configure(settings.log.level, settings.log.format)
    log, event_log = structlog.get_logger(), logs.gateway_event_log()
    raise_open_files_limit()
    drain = Drain()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, drain.request)
    resources = AwsResources(settings.bucket, settings.queue_urls)
    client, reasons = choose(settings.aws, os.environ, resources)
    if reasons:
        log.info("aws_client_chosen", client=client, reason="; ".join(reasons))
    cloud = connect(settings.aws, client, os.environ)
    apis = sorted({*settings.queues, *(one.api_name for one in endpoints)})
    metrics = GatewayMetrics(apis)
    observer = combine(metrics, event_log)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(cloud.close)
        cloud.observe(observer)
        store = cloud.store(settings.bucket, observer)
        connecting = stack.enter_async_context(cloud.sqs(longest_wait_s=0))
        sqs = await drain.run_until_requested(connecting, "connect")
        if sqs is None or drain.requested:  # no request has been accepted: there is nothing to wait for
            return EXIT_OK
        gateway = Gateway(
            sink=store,
            reads=store,
            queue=SqsQueue(sqs, cloud.translate, observer),
            cluster_uid=settings.cluster_uid,
            max_payload_bytes=settings.max_payload_bytes,
            inline_bytes=settings.inline_bytes,
            pause_check_interval_s=settings.pause_check_interval_s,
        )
        open_foreign = partial(cloud.store, observer=event_log, is_foreign=True)
        jobs = Jobs(
            store=store,
            buckets=SourceBuckets(open_foreign, cloud.close_store),
            outputs=OutputBuckets(settings.bucket, store, open_foreign, cloud.close_store),
            queues=SqsCounts(Queues(sqs, cloud.translate)),
            apis={one.api_name: one.job_api for one in endpoints if one.job_api is not None},
            kinds={one.api_name: one.kind for one in endpoints},
            cluster=Cluster(uid=settings.cluster_uid, version=settings.cortex_version),
        )
        limit = IdleLimit(MAX_IDLE_CONNECTIONS)
        redaction = Redaction(
            settings.access.redacted_headers, settings.access.passed_headers or (), has_tokens=tokens is not None
        )
        forwarder = Forwarder(limit, keeps_token=redaction.keeps_token)
        webhooks = Webhooks(
            is_offered=settings.webhook_queue_url is not None,
            rules=ReceiverRules(allowed=settings.webhook_rules.allowed, allows_http=settings.webhook_rules.allows_http),
            by_api=settings.webhooks,
        )
        app = make_app(
            gateway,
            settings.queues,
            lambda: drain.requested,
            endpoints,
            jobs,
            forwarder,
            webhooks,
            dead_letters=DeadLetterQueues(sqs, cloud.translate),
            queue_counter=QueueCounter(sqs, cloud.translate),
            access=_access(settings, tokens),
            redaction=redaction,
            cors_origins=settings.access.cors_origins,
            deadlines=Deadlines(kept_days=settings.result_retention_days),
            priorities=Priorities(settings.priority_queues),
            fair_queues=settings.fair_queues,
            observe=observer,
        )
        limit.watch(app)
        meter = measure_requests(app, endpoints, apis, observer)
        metrics.declare_routes(meter.route_names(app))
        for one in endpoints:
            if one.split is not None:
                names = [target.api.api_name for target in one.split.targets]
                metrics.declare_split(one.api_name, names, has_shadow=one.split.shadow is not None)
        admin = Admin(settings, lambda: metrics.render_with(meter.measured(app, gateway)), drain)
        runner = make_runner(app)
        if not await admin.start(stack) or not await _listen(settings, limit, runner):
            return EXIT_FAILED
        port = runner.addresses[0][1]
        log.info("gateway_started", version=__version__, hosts=list(settings.hosts), port=port, apis=apis)
        if settings.access.tokens is None:
            log.warning("gateway_open", hint="anyone may call it: set DEQUEUER_TOKENS, or to none if that is meant")
        admin.serves()
        if tokens is not None:
            await stack.enter_async_context(tokens.followed())
        await drain.wait_requested()
        log.info("gateway_draining", closes_after_s=settings.shutdown_delay_s)
        # A load balancer sends requests until it has seen /healthz fail.
        with suppress(TimeoutError):
            async with asyncio.timeout(settings.shutdown_delay_s):
                await drain.wait_forced()
        return await _stop(limit, runner, drain)


async def _listen(settings: GatewaySettings, limit: IdleLimit, runner: web.AppRunner) -> bool:
    """Accept requests. Return False when the address cannot be had, which is logged."""
    await runner.setup()
    try:
        await limit.listen(runner, settings.hosts, settings.port, backlog=_BACKLOG)
    except OSError as error:
        addresses, cause = addresses_text(settings.hosts, settings.port), clip(str(error))
        structlog.get_logger().error("gateway_cannot_listen", addresses=addresses, error=cause)
        await runner.cleanup()
        return False
    return True


def _access(settings: GatewaySettings, tokens: Tokens | None) -> Access:
    per_second = settings.access.rate_limit
    rate = rate_of(per_second, settings.access.rate_burst) if per_second else None
    return Access(tokens=tokens, rate=rate, is_audited=settings.access.is_audited)


async def _stop(limit: IdleLimit, runner: web.AppRunner, drain: Drain) -> int:
    """Stop accepting requests and wait for those in progress. After the timeout they are cancelled and clean up."""

    async def stop() -> None:
        await limit.drain(runner, SHUTDOWN_TIMEOUT_S)
        await runner.cleanup()

    stopping = asyncio.create_task(stop(), name="gateway-stop")
    forced = asyncio.create_task(drain.wait_forced(), name="gateway-forced")
    # aiohttp waits twice for `CANCEL_TIMEOUT_S`: for requests to end, and after it has cancelled them.
    max_wait_s = SHUTDOWN_TIMEOUT_S + 2 * CANCEL_TIMEOUT_S
    await asyncio.wait({stopping, forced}, timeout=max_wait_s, return_when=asyncio.FIRST_COMPLETED)
    is_over = stopping.done()
    for task in (stopping, forced):
        task.cancel()
    await asyncio.wait({stopping, forced})
    if is_over:
        stopping.result()
    return EXIT_FAILED if drain.is_forced else EXIT_OK
