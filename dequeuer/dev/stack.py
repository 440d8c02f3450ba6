"""The local stack: what starts when, what is shown, how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path

import aiohttp

from dequeuer.dev import async_samples, batch_samples, hints, ready
from dequeuer.dev.cloud import API_NAME, Cloud, open_cloud, queue_name
from dequeuer.dev.errors import describe_exit
from dequeuer.dev.family import Family, StopAskedError
from dequeuer.dev.options import Options
from dequeuer.dev.parts import Addresses, Parts
from dequeuer.dev.ports import HOST, check_free
from dequeuer.dev.process import Part
from dequeuer.dev.sidecar_log import Settled, settled
from dequeuer.dev.view import FAILED, Row, View

EXIT_OK, EXIT_FAILED, EXIT_INTERRUPTED = 0, 1, 130
_SHOWN = frozenset({"completed", "failed", "already_finished"})
"""Settlements of samples that their rows show."""


class Stack:
    """One run of `dequeuer dev`."""

    def __init__(self, options: Options, inherited: Mapping[str, str], directory: Path, view: View) -> None:
        self._options = options
        self._view = view
        self._check_ports()
        self._addresses = Addresses.choose(options)
        self._parts = Parts(options, self._addresses, inherited, directory, self._on_line)
        self._server = self._parts.server()
        self._samples: async_samples.Samples | None = None
        self._job = batch_samples.Job(view)

    def _check_ports(self) -> None:
        options = self._options
        if options.gateway_port is not None:
            check_free(options.gateway_port, "the gateway's", "take another with --port, or leave it out")
        if options.command and options.user_port is not None:
            advice = "stop it, or use it as the container: leave the command out and keep --user-port"
            check_free(options.user_port, "the container's", advice)

    async def run(self) -> int:
        """Run until the end; return the exit status. Nothing is left running, whatever happens.

        Raises:
            DevError: it cannot go on.
        """
        async with Family() as family:
            try:
                return await family.run(self._work(family))
            except StopAskedError:
                self._view.note("stopping, running requests first (Ctrl-C again: at once)")
        # --once was to finish the samples; without it this is the usual end.
        return EXIT_INTERRUPTED if self._options.once else EXIT_OK

    async def _work(self, family: Family) -> int:
        addresses, options = self._addresses, self._options
        gateway = "" if options.kind == "batch" else "the gateway, "
        self._view.note(f"starting SQS and S3, {gateway}the sidecar and the container on loopback ...")
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
            server = await family.start(self._server)
            plan = self._parts.container()
            container = None if plan is None else await family.start(plan)
            await ready.until(partial(ready.listens, addresses.aws), "ministack does not listen", part=server)
            name = queue_name(options.kind, fifo=options.fifo)
            cloud = await stack.enter_async_context(open_cloud(addresses.aws_url, name))
            if options.kind == "batch":
                return await self._run_batch(family, cloud, container)
            return await self._run_async(family, cloud, session, container)

    async def _run_async(self, family: Family, cloud: Cloud, session: aiohttp.ClientSession, user: Part | None) -> int:
        addresses = self._addresses
        gateway = await family.start(self._parts.gateway(cloud.queue_url))
        sidecar = await family.start(self._parts.sidecar(cloud.queue_url))
        await self._container_ready(user)
        is_healthy = partial(ready.answers, session, f"{addresses.gateway_url}/healthz")
        await ready.until(is_healthy, "the gateway is not ready", part=gateway)
        is_ready = partial(ready.answers, session, f"{addresses.admin_url}/healthz")
        await ready.until(is_ready, "the sidecar does not find the container ready", part=sidecar)
        url = f"{addresses.gateway_url}/{API_NAME}"
        self._samples = async_samples.Samples(session, url, self._view)
        self._view.note(f"ready: {self._options.samples} x POST {url}\n")
        rows = await self._samples.play(async_samples.payloads(self._options.samples, self._options.payload))
        status = self._sum_up(rows, "samples came out")
        if not self._options.once:
            self._view.note(hints.of_async(addresses, url, rows[-1].name))
            await asyncio.Event().wait()
        return status

    async def _run_batch(self, family: Family, cloud: Cloud, user: Part | None) -> int:
        await self._container_ready(user)
        # Before the sidecar starts: it takes an empty queue for the end of the job.
        await self._job.enqueue(cloud, batch_samples.batches(self._options.samples, self._options.payload))
        sidecar = await family.start(self._parts.sidecar(cloud.queue_url))
        family.let_go(sidecar)
        self._view.note(f"ready: {self._options.samples} batches and the completion message are in the queue\n")
        ended = asyncio.create_task(sidecar.wait(), name="dev-sidecar-end")
        following = asyncio.create_task(self._job.follow(), name="dev-follow")
        try:
            await asyncio.wait({ended, following}, return_when=asyncio.FIRST_COMPLETED)
            if not self._job.is_over:
                raise sidecar.death()
            status = self._sum_up(await following, "messages of the job came through")
            self._view.note("the sidecar ends once it has seen the queue empty, twice ...")
            code = await ended
        finally:
            for task in (ended, following):
                task.cancel()
            await asyncio.wait({ended, following})
        self._view.note(f"the sidecar {describe_exit(code)}")
        if not self._options.once:
            self._view.note(hints.of_batch(self._addresses))
            await asyncio.Event().wait()
        return EXIT_OK if status == EXIT_OK and code == 0 else EXIT_FAILED

    async def _container_ready(self, user: Part | None) -> None:
        port = self._addresses.user
        await ready.until(
            partial(ready.listens, port),
            f"the container does not listen on {HOST}:{port} (--user-port tells another port)",
            part=user,
            timeout_s=self._options.ready_timeout_s,
            say=lambda: self._view.note(f"still waiting for the container to listen on {HOST}:{port} ..."),
        )

    def _sum_up(self, rows: Sequence[Row], what: str) -> int:
        failed = sum(row.status in FAILED for row in rows)
        self._view.note(f"\n{len(rows) - failed} of {len(rows)} {what}" + (f", {failed} failed" if failed else ""))
        return EXIT_FAILED if failed else EXIT_OK

    def _on_line(self, name: str, line: str) -> None:
        if name == "container" or self._options.verbose:
            self._note_from_part(f"{name} | {line}")
        if name == "sidecar" and (message := settled(line)) is not None:
            self._on_settled(message)

    def _on_settled(self, message: Settled) -> None:
        if self._options.kind == "batch":
            self._job.told(message)
        elif self._samples is not None and not (message.ref in self._samples.ids and message.settlement in _SHOWN):
            # A request of the user's own, or a sample that has to be tried again.
            reason = f": {message.reason}" if message.reason else ""
            text = f"  {message.ref:<36}  {message.settlement:<11}  {message.held_s:5.1f} s{reason}"
            self._note_from_part(text)

    def _note_from_part(self, text: str) -> None:
        # Called by the event loop, which would only log it; the work notices by itself that nobody reads any more.
        with suppress(BrokenPipeError):
            self._view.note(text)
