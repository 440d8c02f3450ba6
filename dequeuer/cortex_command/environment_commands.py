"""The commands about environments: `env list`, `configure`, `default`, `rename` and `delete`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from dequeuer.commands.output import Output
from dequeuer.cortex_command.arguments import Invocation, UsageError
from dequeuer.cortex_command.cli_file import changed_environments, read_environments
from dequeuer.cortex_command.environments import Environment, check_endpoint, check_name
from dequeuer.settings.client_loading import load_cortex_command


def _list(invocation: Invocation, folder: Path, _environ: Mapping[str, str], output: Output) -> int:
    environments = read_environments(folder)
    default = environments.default_name
    if invocation.is_json:
        listed = [{"name": one.name, "operator_endpoint": one.operator_endpoint} for one in environments]
        output.json({"default_environment": default, "environments": listed})
        return 0
    shown = [
        [
            f"{one.name} (default)" if one.name == default else one.name,
            f"cortex operator endpoint: {one.operator_endpoint}",
        ]
        for one in environments
    ]
    for at, lines in enumerate(shown or [["no environments are configured"]]):
        for line in ["", *lines] if at else lines:
            output.line(line)
    return 0


def _configure(invocation: Invocation, folder: Path, environ: Mapping[str, str], output: Output) -> int:
    name = check_name(invocation.words[0])
    known = read_environments(folder).find(name)
    given = invocation.values.get("operator-endpoint") or (known.operator_endpoint if known is not None else "")
    given = given or environ.get("CORTEX_OPERATOR_ENDPOINT", "")
    if not given:
        raise UsageError("the address of the gateway is missing: add --operator-endpoint URL")
    endpoint, settings = check_endpoint(given), load_cortex_command(environ)
    from dequeuer.client.errors import ClientError  # noqa: PLC0415 - the HTTP client takes time to import
    from dequeuer.commands.running import run_until_signal  # noqa: PLC0415 - as above
    from dequeuer.cortex_command.calling import explain, verify  # noqa: PLC0415 - as above

    async def check() -> int:
        await verify(endpoint, settings)
        return 0

    try:
        status = run_until_signal(check())
    except ClientError as error:
        raise UsageError(f"no gateway answers at {endpoint}: {explain(error)}") from None
    if status == 0:
        token_file = invocation.values.get("token-file")
        token_path = None if token_file is None else os.path.abspath(token_file)  # noqa: PTH100 - links stay links
        with changed_environments(folder) as environments:
            before = environments.find(name)
            environments.put(Environment(name=name, operator_endpoint=endpoint, token_file=token_path))
            after = environments.named(name)
        output.line(f"configured {name} environment")
        if before is not None and before.token_file is not None and after.token_file is None:
            output.note(
                "the token of the former address is not sent to this one: add --token-file FILE if it needs one"
            )
    return status


def _default(invocation: Invocation, folder: Path, _environ: Mapping[str, str], output: Output) -> int:
    if not invocation.words:
        name = read_environments(folder).default_name
        output.line("the default environment is not set" if name is None else f"current default environment: {name}")
        return 0
    name = invocation.words[0]
    with changed_environments(folder) as environments:
        environments.set_default(name)
    output.line(f"set {name} as the default environment")
    return 0


def _rename(invocation: Invocation, folder: Path, _environ: Mapping[str, str], output: Output) -> int:
    name, new_name = invocation.words
    with changed_environments(folder) as environments:
        environments.rename(name, new_name)
    output.line(f"renamed the {name} environment to {new_name}")
    return 0


def _delete(invocation: Invocation, folder: Path, _environ: Mapping[str, str], output: Output) -> int:
    name = invocation.words[0]
    with changed_environments(folder) as environments:
        before = environments.default_name
        environments.remove(name)
        after = environments.default_name
    output.line(f"deleted the {name} environment configuration")
    if before is not None and after is None:
        output.line("unset the default environment")
    elif after is not None and after != before:
        output.line(f"set the default environment to {after}")
    return 0


ENVIRONMENT_COMMANDS: Final[Mapping[str, Callable[[Invocation, Path, Mapping[str, str], Output], int]]] = {
    "list": _list,
    "configure": _configure,
    "default": _default,
    "rename": _rename,
    "delete": _delete,
}
"""By their second words. Each returns the exit status, and may raise what `cli.run` catches."""
