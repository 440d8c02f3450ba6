"""The composition root of `dequeuer dev`: starts the processes, shows the samples, returns the exit status."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path

import aiohttp

from dequeuer.dev import async_samples, batch_samples, next_steps, ready
from dequeuer.dev.display import FAILED, Display, SampleRow
from dequeuer.dev.errors import ChildExitedError
from dequeuer.dev.local_aws import API_NAME, LocalAws, open_local_aws, queue_name
from dequeuer.dev.options import Options
from dequeuer.dev.ports import check_free
from dequeuer.dev.process_specs import Addresses, ProcessSpecs
from dequeuer.dev.sidecar_log import SettledLine, parse_settled_line
from dequeuer.dev.supervisor import StopRequestedError, Supervisor
from dequeuer.process.child_process import ChildProcess
from dequeuer.process.exit_text import describe_exit
from dequeuer.process.ports import HOST

EXIT_OK, EXIT_FAILED, EXIT_INTERRUPTED = 0, 1, 130


class Stack:
    """One run of `dequeuer dev`."""

    def __init__(self, options: Options, inherited: Mapping[str, str], directory: Path, display: Display) -> None:
        self._options = options
        self._display = display
        self._check_ports()
        self._addresses = Addresses.choose(options)
        self._specs = ProcessSpecs(options, self._addresses, inherited, directory, self._on_line)
        self._server = self._specs.server()
        self._samples: async_samples.SampleRequests | None = None
        self._job = batch_samples.SampleJob(display)

    def _check_ports(self) -> None:
        options = self._options
        if options.gateway_port is not None:
            check_free(options.gateway_port, "the gateway's", "take another with --port, or leave it out")
        if options.command and options.user_port is not None:
            advice = "stop it, or use it as the container: leave the command out and keep --user-port"
            check_free(options.user_port, "the container's", advice)

    async def run(self) -> int:
        """Run the stack; return the exit status. All child processes have ended when this returns or raises.

        Raises:
            DevError: the stack cannot continue.
        """
        async with Supervisor() as supervisor:
            try:
                return await supervisor.run(self._work(supervisor))
            except StopRequestedError:
                self._display.print_text("stopping, running requests first (Ctrl-C again: at once)")
        # With --once the samples did not finish; without it Ctrl-C is the usual end.
        return EXIT_INTERRUPTED if self._options.once else EXIT_OK

    async def _work(self, supervisor: Supervisor) -> int:
        addresses, options = self._addresses, self._options
        gateway = "" if options.kind == "batch" else "the gateway, "
        self._display.print_text(f"starting SQS and S3, {gateway}the sidecar and the container on loopback ...")
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
            server = await supervisor.start(self._server)
            spec = self._specs.container()
            container = None if spec is None else await supervisor.start(spec)
            await ready.wait_until(
                partial(ready.is_listening, addresses.aws), "ministack does not listen", child=server
            )
            name = queue_name(options.kind, fifo=options.fifo)
            local_aws = await stack.enter_async_context(open_local_aws(addresses.aws_url, name))
            if options.kind == "batch":
                return await self._run_batch(supervisor, local_aws, container)
            return await self._run_async(supervisor, local_aws, session, container)

    async def _run_async(
        self, supervisor: Supervisor, local_aws: LocalAws, session: aiohttp.ClientSession, user: ChildProcess | None
    ) -> int:
        addresses = self._addresses
        gateway = await supervisor.start(self._specs.gateway(local_aws.queue_url))
        sidecar = await supervisor.start(self._specs.sidecar(local_aws.queue_url))
        await self._container_ready(user)
        is_healthy = partial(ready.responds_ok, session, f"{addresses.gateway_url}/healthz")
        await ready.wait_until(is_healthy, "the gateway is not ready", child=gateway)
        is_ready = partial(ready.responds_ok, session, f"{addresses.admin_url}/healthz")
        await ready.wait_until(is_ready, "the sidecar does not find the container ready", child=sidecar)
        url = f"{addresses.gateway_url}/{API_NAME}"
        self._samples = async_samples.SampleRequests(session, url, self._display)
        self._display.print_text(f"ready: {self._options.samples} x POST {url}\n")
        rows = await self._samples.run(async_samples.payloads(self._options.samples, self._options.payload))
        status = self._summarize(rows, "samples came out")
        if not self._options.once:
            self._display.print_text(next_steps.after_async(addresses, url, rows[-1].name))
            await asyncio.Event().wait()
        return status

    async def _run_batch(self, supervisor: Supervisor, local_aws: LocalAws, user: ChildProcess | None) -> int:
        await self._container_ready(user)
        # Enqueued before the sidecar starts, because it treats an empty queue as the end of the job.
        await self._job.enqueue(local_aws, batch_samples.batches(self._options.samples, self._options.payload))
        sidecar = await supervisor.start(self._specs.sidecar(local_aws.queue_url))
        supervisor.expect_exit(sidecar)
        self._display.print_text(
            f"ready: {self._options.samples} batches and the completion message are in the queue\n"
        )
        ended = asyncio.create_task(sidecar.wait(), name="dev-sidecar-end")
        following = asyncio.create_task(self._job.follow(), name="dev-follow")
        try:
            await asyncio.wait({ended, following}, return_when=asyncio.FIRST_COMPLETED)
            if not self._job.is_over:
                raise ChildExitedError(sidecar.describe_end())
            status = self._summarize(await following, "messages of the job came through")
            self._display.print_text("the sidecar ends once it has seen the queue empty, twice ...")
            code = await ended
        finally:
            for task in (ended, following):
                task.cancel()
            await asyncio.wait({ended, following})
        self._display.print_text(f"the sidecar {describe_exit(code)}")
        if not self._options.once:
            self._display.print_text(next_steps.after_batch(self._addresses))
            await asyncio.Event().wait()
        return EXIT_OK if status == EXIT_OK and code == 0 else EXIT_FAILED

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
        if name == "sidecar" and (message := parse_settled_line(line)) is not None:
            self._on_settled(message)

    def _on_settled(self, message: SettledLine) -> None:
        if self._options.kind == "batch":
            self._job.on_settled(message)
        elif self._samples is not None:
            with suppress(BrokenPipeError):  # see `_print_output`
                self._samples.on_settled(message)

    def _print_output(self, text: str) -> None:
        # The event loop calls this and would only log the error. `_work` prints, too, and ends by the same error.
        with suppress(BrokenPipeError):
            self._display.print_text(text)
