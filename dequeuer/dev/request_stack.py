"""`dequeuer dev` for an async API: starts the processes, shows sample requests, returns the exit status."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import aiohttp

from dequeuer.dev import async_samples, next_steps, ready
from dequeuer.dev.addresses import Addresses, check_ports
from dequeuer.dev.display import FAILED, Display, SampleRow
from dequeuer.dev.local_aws import API_NAME, make_bucket_and_queues, queue_name
from dequeuer.dev.log_line import parse_settled_line
from dequeuer.dev.options import Options
from dequeuer.dev.page import Page
from dequeuer.dev.process_specs import ProcessSpecs
from dequeuer.dev.request_specs import container_spec, sidecar_spec
from dequeuer.dev.running import EXIT_FAILED, EXIT_OK, run_supervised
from dequeuer.dev.supervisor import Supervisor
from dequeuer.process.child_process import ChildProcess
from dequeuer.process.ports import HOST


class RequestStack:
    """One run."""

    def __init__(self, options: Options, inherited: Mapping[str, str], directory: Path, display: Display) -> None:
        self._options = options
        self._display = display
        self._inherited = inherited
        self._directory = directory
        check_ports(options)
        self._addresses = Addresses.choose(options)
        self._specs = ProcessSpecs(self._addresses, inherited, directory, self._on_line)
        self._server = self._specs.server()
        self._page = Page(self._specs, self._print_output) if options.has_page else None
        self._samples: async_samples.SampleRequests | None = None

    async def run(self) -> int:
        """Run the stack; return the exit status. All child processes have ended when this returns or raises.

        Raises:
            DevError: the stack cannot continue.
        """
        return await run_supervised(self._work, self._display, once=self._options.once)

    async def _work(self, supervisor: Supervisor) -> int:
        addresses, options = self._addresses, self._options
        self._display.print_text("starting SQS and S3, the gateway, the sidecar and the container on loopback ...")
        async with aiohttp.ClientSession(trust_env=False) as session:
            server = await supervisor.start(self._server)
            spec = container_spec(self._specs, options, self._inherited)
            container = None if spec is None else await supervisor.start(spec)
            await ready.wait_until(
                partial(ready.is_listening, addresses.aws), "ministack does not listen", child=server
            )
            names = {API_NAME: queue_name(API_NAME, fifo=options.fifo)}
            queue_urls = await make_bucket_and_queues(addresses.aws_url, names)
            return await self._run_samples(supervisor, queue_urls, session, container)

    async def _run_samples(
        self,
        supervisor: Supervisor,
        queue_urls: Mapping[str, str],
        session: aiohttp.ClientSession,
        user: ChildProcess | None,
    ) -> int:
        addresses = self._addresses
        gateway = await supervisor.start(self._specs.gateway(queue_urls))
        spec = sidecar_spec(self._specs, self._options, queue_urls[API_NAME], self._directory)
        sidecar = await supervisor.start(spec)
        if self._page is not None:
            self._page.start(supervisor, {API_NAME: f"{addresses.admin_url}/metrics"})
        await self._container_ready(user)
        is_healthy = partial(ready.responds_ok, session, f"{addresses.gateway_url}/healthz")
        await ready.wait_until(is_healthy, "the gateway is not ready", child=gateway)
        is_ready = partial(ready.responds_ok, session, f"{addresses.admin_url}/healthz")
        await ready.wait_until(is_ready, "the sidecar does not find the container ready", child=sidecar)
        if self._page is not None:
            await self._page.wait_ready(session)
        url = f"{addresses.gateway_url}/{API_NAME}"
        self._samples = async_samples.SampleRequests(session, url, self._display)
        self._display.print_text(f"ready: {self._options.samples} x POST {url}\n")
        rows = await self._samples.run(async_samples.payloads(self._options.samples, self._options.payload))
        status = self._summarize(rows, "samples came out")
        if not self._options.once:
            self._display.print_text(next_steps.after_async(addresses, url, rows[-1].name))
            self._display.print_text(next_steps.ending(None if self._page is None else self._page.url))
            await asyncio.Event().wait()
        return status

    async def _container_ready(self, user: ChildProcess | None) -> None:
        port = self._addresses.user
        await ready.wait_until(
            partial(ready.is_listening, port),
            f"the container does not listen on {HOST}:{port} (set another port with --user-port)",
            child=user,
            timeout_s=self._options.ready_timeout_s,
            on_slow=lambda: self._display.print_text(f"still waiting for the container to listen on {HOST}:{port} ..."),
        )

    def _summarize(self, rows: Sequence[SampleRow], what: str) -> int:
        failed = sum(row.status in FAILED for row in rows)
        self._display.print_text(
            f"\n{len(rows) - failed} of {len(rows)} {what}" + (f", {failed} failed" if failed else "")
        )
        return EXIT_FAILED if failed else EXIT_OK

    def _on_line(self, name: str, line: str) -> None:
        if name == "container" or self._options.verbose:
            self._print_output(f"{name} | {line}")
        if name == "sidecar" and self._samples is not None and (message := parse_settled_line(line)) is not None:
            with suppress(BrokenPipeError):  # see `_print_output`
                self._samples.on_settled(message)

    def _print_output(self, text: str) -> None:
        # The event loop calls this and would only log the error. `_work` prints, too, and ends by the same error.
        with suppress(BrokenPipeError):
            self._display.print_text(text)
