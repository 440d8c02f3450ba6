"""The command line: selects the command, answers `--help` and `--version`, reports bad settings."""
# argparse is not used here: it makes start-up slower, and it does not read Go's flags (`-name=value`). Each command is
# imported only when it runs, because the libraries of the other commands would take memory.

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from dequeuer import __version__
from dequeuer.core.errors import ConfigurationError, quoted
from dequeuer.core.plurals import counted
from dequeuer.core.suggestions import did_you_mean
from dequeuer.process.standard_streams import run_printing
from dequeuer.settings import (
    load_controller,
    load_enqueuer,
    load_gateway,
    load_proxy,
    load_sidecar,
    load_ui,
    load_webhooks,
)
from dequeuer.settings.programs import Program
from dequeuer.settings.reader import read_flags

EXIT_BAD_CONFIGURATION = 2
_COMMANDS: Mapping[str, Program] = {
    "gateway": "gateway",
    "enqueue": "enqueuer",
    "controller": "controller",
    "proxy": "proxy",
    "webhooks": "webhooks",
    "ui": "ui",
}
_REQUEST_COMMANDS = {"submit", "status", "result", "wait", "cancel", "tail", "list", "dlq"}
_REALTIME = {"realtime", "realtimeapi"}
"""The kinds of APIs whose sidecar is the proxy, in lower case."""
_NO_DEV = (
    "dequeuer dev: not part of this installation, as in the image, which has no SQS and S3 to start; in a clone of the "
    "repository `pip install -c constraints.txt '.[dev]'` installs all of it\n"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` names and return the exit status.

    With bad settings the status is 2, and every fault is written to standard error.

    Args:
        argv: the arguments without the program's name; None means those of this process.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(arguments)
    except ConfigurationError as error:
        command = arguments[0] if arguments and arguments[0] in {*_COMMANDS, "provision"} else ""
        sys.stderr.write(_fault_report(error.faults, command))
        return EXIT_BAD_CONFIGURATION


def _run(arguments: list[str]) -> int:
    name = arguments[0] if arguments else ""
    others = {
        "dev": _dev,
        "jobs": _jobs,
        "cortex": _cortex,
        "check": _check,
        "manifests": _manifests,
        "token": _token,
        "provision": _provision,
    }
    if name in others:
        return run_printing(lambda: others[name](arguments[1:]))
    if name in _REQUEST_COMMANDS:
        return run_printing(lambda: _requests(arguments))
    program: Program = "sidecar"
    if name in _COMMANDS:
        program, arguments = _COMMANDS[name], arguments[1:]
    elif name and not name.startswith("-"):
        meant = did_you_mean(name, (*others, *_REQUEST_COMMANDS, *_COMMANDS))
        sys.stderr.write(f"dequeuer: {quoted(name)} is no command{meant}; `dequeuer --help` lists them\n")
        return EXIT_BAD_CONFIGURATION
    elif _is_realtime(arguments):
        program = "proxy"
    if _informs(program, arguments):
        return 0
    run = {
        "sidecar": _sidecar,
        "gateway": _gateway,
        "enqueuer": _enqueuer,
        "controller": _controller,
        "proxy": _proxy,
        "webhooks": _webhooks,
        "ui": _ui,
    }
    return run[program](arguments)


def _informs(program: Program, arguments: Sequence[str]) -> bool:
    """Print help or version if a flag asks for it; return whether one does."""
    info = read_flags(program, arguments).info
    if info == "version":
        sys.stdout.write(f"dequeuer {__version__}\n")
    if info == "help":
        from dequeuer.settings.docs import help_text  # noqa: PLC0415 - see above

        sys.stdout.write(help_text(program))
    return info is not None


def _is_realtime(arguments: Sequence[str]) -> bool:
    """Return whether this is the sidecar of a realtime API."""
    flags = read_flags("proxy", arguments).values
    kind = (flags.get("api-kind") or os.environ.get("DEQUEUER_API_KIND", "")).strip().lower()
    # Cortex starts the image of its proxy with flags alone: no command, and no variable with the kind.
    return kind in _REALTIME or (not kind and "max-queue-length" in flags)


def _dev(arguments: Sequence[str]) -> int:
    try:
        from dequeuer.dev.cli import main as dev_main  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        if error.name != "dequeuer.dev":
            raise
        sys.stderr.write(_NO_DEV)
        return EXIT_BAD_CONFIGURATION
    return dev_main(arguments, check_apis=_check_endpoints)


def _jobs(arguments: Sequence[str]) -> int:
    from dequeuer.jobs_command.cli import main as jobs_main  # noqa: PLC0415 - see above

    return jobs_main(arguments)


def _requests(arguments: Sequence[str]) -> int:
    from dequeuer.requests_command.cli import main as requests_main  # noqa: PLC0415 - see above

    return requests_main(arguments)


def _cortex(arguments: Sequence[str]) -> int:
    from dequeuer.cortex_command.cli import main as cortex_main  # noqa: PLC0415 - see above

    return cortex_main(arguments)


def _check(arguments: Sequence[str]) -> int:
    from dequeuer.check.cli import main as check_main  # noqa: PLC0415 - see above

    return check_main(arguments, is_realtime=_is_realtime)


def _manifests(arguments: Sequence[str]) -> int:
    from dequeuer.manifests.cli import main as manifests_main  # noqa: PLC0415 - see above

    return manifests_main(arguments)


def _token(arguments: Sequence[str]) -> int:
    from dequeuer.gateway.access.new_token import HELP, new_token_text  # noqa: PLC0415 - see above

    if arguments:
        is_help = arguments[0] in {"-h", "-help", "--help"}
        (sys.stdout if is_help else sys.stderr).write(HELP)
        return 0 if is_help else EXIT_BAD_CONFIGURATION
    sys.stdout.write(new_token_text())
    return 0


def _provision(arguments: Sequence[str]) -> int:
    if _informs("provision", arguments):
        return 0
    from dequeuer.provision.cli import main as provision_main  # noqa: PLC0415 - see above

    return provision_main(arguments)


def _sidecar(arguments: Sequence[str]) -> int:
    settings = load_sidecar(arguments, os.environ, check_probes=_load_probes)
    from dequeuer.sidecar.app import run_sidecar  # noqa: PLC0415 - see above

    return run_sidecar(settings)


def _load_probes(path: str, user_port: int) -> object:
    if not os.path.lexists(path):  # a missing file is valid, and the import would take time
        return None
    from dequeuer.probes.spec import load_probes  # noqa: PLC0415 - see above

    return load_probes(path, user_port)


def _proxy(arguments: Sequence[str]) -> int:
    settings = load_proxy(arguments, os.environ, check_probes=_load_realtime_probes)
    from dequeuer.proxy.app import run_proxy  # noqa: PLC0415 - see above

    return run_proxy(settings)


def _load_realtime_probes(path: str, user_port: int) -> object:
    from dequeuer.probes.spec import ProbeRules, load_probes  # noqa: PLC0415 - see above

    return load_probes(path, user_port, rules=ProbeRules(leaves_others=True))


def _gateway(arguments: Sequence[str]) -> int:
    settings = load_gateway(arguments, os.environ, check_apis=_load_endpoints, check_tokens=_load_tokens)
    from dequeuer.gateway.app import run_gateway  # noqa: PLC0415 - see above

    return run_gateway(settings)


def _load_tokens(path: str, _: None) -> object:
    from dequeuer.gateway.access.token_file import load_callers  # noqa: PLC0415 - see above

    return load_callers(path)


def _load_endpoints(path: str, queues: Mapping[str, str] | None, *, urls: Mapping[str, tuple[str, int]]) -> object:
    from dequeuer.gateway.endpoints import load_endpoints  # noqa: PLC0415 - see above

    return load_endpoints(path, queues, urls)


def _check_endpoints(path: str) -> object:
    return _load_endpoints(path, None, urls={})


def _enqueuer(arguments: Sequence[str]) -> int:
    settings = load_enqueuer(arguments, os.environ)
    from dequeuer.enqueuer.app import run_enqueuer  # noqa: PLC0415 - see above

    return run_enqueuer(settings)


def _controller(arguments: Sequence[str]) -> int:
    settings = load_controller(arguments, os.environ, check_apis=_load_apis)
    from dequeuer.controller.app import run_controller  # noqa: PLC0415 - see above

    return run_controller(settings)


def _load_apis(path: str, _: None) -> object:
    from dequeuer.apis import load_apis  # noqa: PLC0415 - see above

    return load_apis(path)


def _webhooks(arguments: Sequence[str]) -> int:
    settings = load_webhooks(arguments, os.environ, check_keys=_load_keys)
    from dequeuer.webhooks.app import run_webhooks  # noqa: PLC0415 - see above

    return run_webhooks(settings)


def _load_keys(path: str, _: None) -> object:
    from dequeuer.webhooks.keys import load_keys  # noqa: PLC0415 - see above

    return load_keys(path)


def _ui(arguments: Sequence[str]) -> int:
    settings = load_ui(arguments, os.environ, check_token=_load_token)
    from dequeuer.ui.app import run_ui  # noqa: PLC0415 - see above

    return run_ui(settings)


def _load_token(path: str, _: None) -> object:
    from dequeuer.client.token import read_token  # noqa: PLC0415 - see above

    return read_token(path)


def _fault_report(faults: Sequence[str], command: str) -> str:
    lines = [
        f"dequeuer cannot start: {counted(len(faults), 'fault')} in its configuration",
        *(f"  {fault}" for fault in faults),
        f"`{' '.join(filter(None, ('dequeuer', command, '--help')))}` lists every setting and what it may be.",
    ]
    return "\n".join(lines) + "\n"
