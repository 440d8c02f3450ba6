"""The command line of `dequeuer dev`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from dequeuer.core.errors import clip
from dequeuer.dev.chaos_options import add_chaos_arguments, chaos_of
from dequeuer.dev.chaos_plan import ChaosPlan
from dequeuer.settings.arguments import whole_number

MAX_SAMPLES = 100
MAX_WORKERS = 100
DEFAULT_SAMPLES = 3
DEFAULT_WORKERS = 2
COMMAND_PORT = 8080
"""The default port of the user's command, as in Cortex."""

_EXAMPLES = """\
examples:
  dequeuer dev --demo                                a sample of each kind, and the page that shows them
  dequeuer dev                                       a built-in container
  dequeuer dev --once                                the same, ends when the samples are done
  dequeuer dev --user-port 8080                      your container, which is running already
  dequeuer dev -- uvicorn app:app --port 8080        your container, started and stopped for you
  dequeuer dev --kind batch --once                   a batch job instead of an async API
  dequeuer dev --kind realtime --once                requests, events and a WebSocket of a realtime API
  dequeuer dev -f cortex.yaml                        the APIs of a file
  dequeuer dev -f cortex.yaml --chaos                the same, and things go wrong

Your command gets your environment without AWS_* and without proxies for loopback: its AWS SDK calls the local SQS and
S3, never your account. CORTEX_PORT is the port that it must listen on. With --kind batch there is one for each worker,
with --kind realtime it is a free one: a command can also have it as '$(CORTEX_PORT)'.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The parsed command line.

    Attributes:
        file: a cortex.yaml; None: one API of `kind`.
        demo: a sample API of each kind instead.
        kind: the kind of API.
        once: end when the samples are done, as a demo without a terminal does; with a file, when all accept work.
        samples: number of requests or batches to submit.
        payload: JSON to submit instead of the built-in samples; None means the built-in ones.
        user_port: the port of the container; None means a free port for the built-in container.
        command: starts the user's container; empty means the built-in container, or one that is running already.
        gateway_port: None means a free port.
        aws_port: of SQS and S3; None means a free port.
        ui_port: of the page; None means a free port.
        has_page: whether there is a page.
        workers: the maximum number of requests in flight; the workers of a job.
        fifo: whether the queue is a FIFO queue.
        ready_timeout_s: how long the container may take until it listens on its port.
        verbose: show the logs of all processes.
        chaos: what goes wrong on purpose; None: nothing.
    """

    file: str | None
    demo: bool
    kind: Literal["async", "batch", "realtime"]
    once: bool
    samples: int
    payload: str | None
    user_port: int | None
    command: tuple[str, ...]
    gateway_port: int | None
    aws_port: int | None
    ui_port: int | None
    has_page: bool
    workers: int
    fifo: bool
    ready_timeout_s: int
    verbose: bool
    chaos: ChaosPlan | None = None


def parse(argv: Sequence[str], *, is_interactive: bool = True) -> Options:
    """Parse the command line. Ends the process (`SystemExit`) after --help and for invalid arguments.

    Args:
        argv: the arguments after `dev`.
        is_interactive: whether a person can end the run with Ctrl-C.
    """
    arguments, command = _split(argv)
    parser = _parser()
    given = parser.parse_args(arguments)
    if command is not None and not command:
        parser.error("nothing follows '--': give the command that starts your container (-- uvicorn app:app)")
    if given.file is not None:
        _check_file_alone(parser, given, command)
    if given.demo:
        _check_demo_alone(parser, given, command)
    elif given.stay:
        parser.error("--stay: only with --demo; others stay until Ctrl-C without it")
    once = given.once or (given.demo and not given.stay and not is_interactive)
    has_page = given.demo or not (once or given.no_ui)
    if given.ui_port is not None and not has_page:
        parser.error("--ui-port: there is no page with --once or --no-ui: leave one of them out")
    kind = cast("Literal['async', 'batch', 'realtime']", given.kind or "async")
    if kind != "async":
        _check_project(parser, given, kind)
    user_port = given.user_port or (COMMAND_PORT if command and kind == "async" else None)
    ports = {"--port": given.port, "--aws-port": given.aws_port, "--ui-port": given.ui_port, "--user-port": user_port}
    _check_ports_differ(parser, ports)
    return Options(
        file=given.file,
        demo=given.demo,
        kind=kind,
        once=once,
        samples=given.samples or DEFAULT_SAMPLES,
        payload=given.payload,
        user_port=user_port,
        command=tuple(command or ()),
        gateway_port=given.port,
        aws_port=given.aws_port,
        ui_port=given.ui_port,
        has_page=has_page,
        workers=given.workers or DEFAULT_WORKERS,
        fifo=given.queue != "standard",
        ready_timeout_s=given.ready_timeout,
        verbose=given.verbose,
        chaos=chaos_of(parser, given),
    )


def _check_file_alone(
    parser: argparse.ArgumentParser, given: argparse.Namespace, command: Sequence[str] | None
) -> None:
    """End with a usage error when something is given that the file says."""
    extra = _about_one_sample(given, command)
    if given.demo:
        extra.append("--demo")
    if extra:
        parser.error(f"{', '.join(extra)}: not with -f, whose file says what is run: leave it out")


def _check_demo_alone(
    parser: argparse.ArgumentParser, given: argparse.Namespace, command: Sequence[str] | None
) -> None:
    """End with a usage error when something is given that a demo cannot have."""
    extra = _about_one_sample(given, command)
    if given.no_ui:
        extra.append("--no-ui")
    if extra:
        parser.error(f"{', '.join(extra)}: not with --demo, which shows samples of its own on a page: leave it out")


def _about_one_sample(given: argparse.Namespace, command: Sequence[str] | None) -> list[str]:
    """Return the names of what is given for the samples of one API."""
    said = {
        "--kind": given.kind,
        "--samples": given.samples,
        "--payload": given.payload,
        "--user-port": given.user_port,
        "--workers": given.workers,
        "--queue": given.queue,
        "a command after '--'": command,
    }
    return [name for name, value in said.items() if value is not None]


def _check_project(parser: argparse.ArgumentParser, given: argparse.Namespace, kind: str) -> None:
    """End with a usage error when something is given that a job or a realtime API cannot have."""
    if given.user_port is not None:
        why = "each worker of a job has a container and a port of its own" if kind == "batch" else "its port is chosen"
        parser.error(
            f"--user-port: {why}: give the command that starts yours (-- uvicorn app:app --port '$(CORTEX_PORT)')"
        )
    if given.queue is not None and kind == "realtime":
        parser.error("--queue: a realtime API has no queue in SQS: leave it out")
    if given.queue is not None:
        parser.error("--queue: the controller makes the queue of a job, always a FIFO queue: leave it out")


def _check_ports_differ(parser: argparse.ArgumentParser, ports: Mapping[str, int | None]) -> None:
    """End with a usage error when a port has two uses."""
    seen: dict[int, str] = {}
    for name, port in ports.items():
        if port is not None and port in seen:
            other = "the container's port" if name == "--user-port" else name
            parser.error(f"{seen[port]} {port} is {other}, too: take another one")
        if port is not None:
            seen[port] = name


def _split(argv: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """Split at `--`: the user's command after it may have options with the same names as ours."""
    arguments = list(argv)
    if "--" not in arguments:
        return arguments, None
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dequeuer dev",
        usage="dequeuer dev [options] [-- command ...]",
        description="Run everything on this machine, without an AWS account: SQS and S3, the gateway, sidecars and "
        "containers, for batch jobs the controller. A few samples show that it works. It runs until Ctrl-C.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("-f", "--file", metavar="FILE", help="a cortex.yaml: run its APIs instead of a sample")
    add("--kind", choices=("async", "batch", "realtime"), help="kind of API of the samples (default: async)")
    demo = "samples of an async, a batch and a realtime API, and a page that shows them"
    add("--demo", action="store_true", help=demo)
    once = "end when the samples are done, status 1 if one failed; with -f: when all APIs accept work"
    ends = parser.add_mutually_exclusive_group()
    ends.add_argument("--once", action="store_true", help=once)
    stay = "with --demo: run until Ctrl-C, also when standard input is not a terminal"
    ends.add_argument("--stay", action="store_true", help=stay)
    samples = f"requests, or batches of a job: 1 to {MAX_SAMPLES} (default: {DEFAULT_SAMPLES})"
    add("--samples", type=whole_number(1, MAX_SAMPLES), metavar="N", help=samples)
    add(
        "--payload",
        type=_json,
        metavar="JSON",
        help="payload of each request, or the items of each batch, if your container needs a certain form",
    )
    add(
        "--user-port",
        type=whole_number(1, 65535),
        metavar="PORT",
        help="port that your container listens on (default: 8080)",
    )
    add("--port", type=whole_number(1, 65535), metavar="PORT", help="port of the gateway (default: a free one)")
    add("--aws-port", type=whole_number(1, 65535), metavar="PORT", help="port of SQS and S3 (default: a free one)")
    add("--ui-port", type=whole_number(1, 65535), metavar="PORT", help="port of the page (default: a free one)")
    add("--no-ui", action="store_true", help="without the page, which is not there with --once either, but for --demo")
    workers = f"requests at a time, or workers of a job: 1 to {MAX_WORKERS} (default: {DEFAULT_WORKERS})"
    add("--workers", type=whole_number(1, MAX_WORKERS), metavar="N", help=workers)
    queue = parser.add_mutually_exclusive_group()
    queue.add_argument("--queue", choices=("fifo", "standard"), help="kind of queue of the async API (default: fifo)")
    queue.add_argument("--fifo", action="store_const", const="fifo", dest="queue", help="the same as --queue fifo")
    add(
        "--ready-timeout",
        type=whole_number(1, 3600),
        default=120,
        metavar="SECONDS",
        help="for the start of your containers (default: 120)",
    )
    add_chaos_arguments(parser)
    add("--verbose", action="store_true", help="show the logs of all processes")
    return parser


def _json(text: str) -> str:
    try:
        json.loads(text)
    except ValueError as error:
        message = f'"{clip(text)}" is not JSON ({error}); quote it for your shell: --payload \'{{"text": "hello"}}\''
        raise argparse.ArgumentTypeError(message) from error
    return text
