"""The commands that ask a gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final

from dequeuer.client.apis import Apis
from dequeuer.client.errors import ClientError, GatewayUnavailableError, UntrustedGatewayError
from dequeuer.client.gateway import Gateway, open_gateway
from dequeuer.client.job_calls import JobCalls
from dequeuer.client.jobs import ApiJobs
from dequeuer.client.retrying import QUESTION_RETRY_LIMIT_S, Retries
from dequeuer.commands.main import token_of
from dequeuer.commands.output import Output
from dequeuer.core.errors import ConfigurationError, DequeuerError, clip, quoted
from dequeuer.cortex_command.api_texts import api_lines, list_lines
from dequeuer.cortex_command.arguments import Invocation
from dequeuer.cortex_command.environments import Environment, Environments
from dequeuer.cortex_command.job_texts import job_lines
from dequeuer.jobs.layout import is_job_api_name, is_job_id
from dequeuer.settings.cortex_command import CortexCommandSettings

WATCH_INTERVAL_S: Final = 2.0
_CLEAR: Final = "\x1b[H\x1b[2J"
OK: Final = 0
FAILED: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What the commands share.

    Attributes:
        invocation: the command line.
        environments: of the file.
        settings: of the process.
        output: of the command.
    """

    invocation: Invocation
    environments: Environments
    settings: CortexCommandSettings
    output: Output

    async def run(self) -> int:
        """Run the command: `get`, `describe`, or `delete` of a job. Return its exit status.

        Raises:
            DequeuerError: with the text for people.
        """
        show = [self._list, self._show_api, self._show_job][len(self.invocation.words)]
        try:
            if self.invocation.path == ("delete",):
                return await self._stop_job()
            return await (self._watch(show) if "watch" in self.invocation.switches else show())
        except ClientError as error:
            raise DequeuerError(explain(error)) from None

    async def _stop_job(self) -> int:
        api_name, job_id = _job_of(self.invocation.words)
        async with self._open(self._environment()) as gateway:
            answer = await _jobs(gateway, api_name).stop(job_id)
        if self.invocation.is_json:
            self.output.json({"message": answer.get("message", "")})
        else:
            self.output.line(clip(str(answer.get("message", "")), 1000))
        return OK

    async def _list(self) -> int:
        if "env" not in self.invocation.values:
            return await self._list_everywhere()
        async with self._open(self._environment()) as gateway:
            apis = await Apis(gateway).all()
        if self.invocation.is_json:
            self.output.json(apis)
        else:
            self._lines(list_lines([("", api) for api in apis], has_environments=False))
        return OK

    async def _list_everywhere(self) -> int:
        """Show the APIs of all environments. One that cannot be asked hides no others."""
        self.environments.require_any()
        found: list[dict[str, Any]] = []
        for environment in self.environments:
            one: dict[str, Any] = {"env_name": environment.name, "apis": None, "error": ""}
            try:
                async with self._open(environment, is_only=False) as gateway:
                    one["apis"] = await Apis(gateway).all()
            except ClientError as error:
                one["error"] = explain(error)
            found.append(one)
        if self.invocation.is_json:
            self.output.json(found)
            return OK
        apis = [(one["env_name"], api) for one in found for api in one["apis"] or ()]
        failed = [one for one in found if one["apis"] is None]
        if len(failed) < len(found):
            self._lines(list_lines(apis, has_environments=True))
        for one in failed:
            self.output.note(f"error: env {one['env_name']}: {one['error']}")
        return FAILED if len(failed) == len(found) else OK

    async def _show_api(self) -> int:
        name = self.invocation.words[0]
        async with self._open(self._environment()) as gateway:
            try:
                apis = await Apis(gateway).show(name)
            except ValueError as error:
                raise ConfigurationError([str(error)]) from None
        if self.invocation.is_json:
            self.output.json(apis)
        else:
            is_verbose = "verbose" in self.invocation.switches or self.invocation.path == ("describe",)
            self._lines(api_lines(apis[0], is_verbose=is_verbose))
        return OK

    async def _show_job(self) -> int:
        api_name, job_id = _job_of(self.invocation.words)
        async with self._open(self._environment()) as gateway:
            report = await _jobs(gateway, api_name).report(job_id)
        if self.invocation.is_json:
            self.output.json(report)
        else:
            self._lines(job_lines(report))
        return OK

    async def _watch(self, show: Callable[[], Awaitable[int]]) -> int:
        while True:
            if self.output.is_live:
                self.output.stream.write(_CLEAR)
            try:
                await show()
            except GatewayUnavailableError as error:
                self.output.note(f"error: {explain(error)}")
            await asyncio.sleep(WATCH_INTERVAL_S)

    def _environment(self) -> Environment:
        name = self.invocation.values.get("env")
        found = self.environments.named(name)
        is_one_of_several = sum(1 for _ in self.environments) > 1
        if name is None and is_one_of_several and not self.invocation.is_json:
            self._lines([f"using {found.name} environment", ""])
        return found

    def _open(self, environment: Environment, *, is_only: bool = True) -> AbstractAsyncContextManager[Gateway]:
        """Open the gateway of an environment. `is_only`: no other one is asked."""
        path = environment.token_file
        # The token of the setting is for one gateway: the others must not get it.
        if path is None and (is_only or environment.name == self.environments.default_name):
            path = self.settings.token_path
        url = environment.operator_endpoint
        return open_gateway(url, token_of(path), verifies_tls=self.settings.tls_verify)

    def _lines(self, lines: list[str]) -> None:
        for line in lines:
            self.output.line(line)


def explain(error: ClientError) -> str:
    """Return the text of an error, with what this command can do about it."""
    more = ", DEQUEUER_TLS_VERIFY=false trusts any server" if isinstance(error, UntrustedGatewayError) else ""
    return f"{error}{more}"


async def verify(url: str, settings: CortexCommandSettings) -> None:
    """Ask whether a gateway is at a URL. Raises `ClientError`."""
    async with open_gateway(url, verifies_tls=settings.tls_verify) as gateway:
        await Apis(gateway).verify()


def _jobs(gateway: Gateway, api_name: str) -> ApiJobs:
    retries = Retries(QUESTION_RETRY_LIMIT_S, from_begin=True)
    return ApiJobs(JobCalls(gateway, api_name, on_answer=retries.note_answer), retries)


def _job_of(words: tuple[str, ...]) -> tuple[str, str]:
    api_name, job_id = words
    if not is_job_api_name(api_name):
        raise ConfigurationError([f"{quoted(api_name)} is not the name of an API that has jobs; `get` lists them"])
    if not is_job_id(job_id):
        raise ConfigurationError([f"{quoted(job_id)} is not the id of a job; `get {api_name}` lists them"])
    return api_name, job_id
