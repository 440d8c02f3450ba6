"""The command line of `dequeuer dev`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from dequeuer.core.errors import clip

MAX_SAMPLES = 100
MAX_WORKERS = 100
COMMAND_PORT = 8080
"""The default port of the user's command, as in Cortex."""

_EXAMPLES = """\
examples:
  dequeuer dev                                       a built-in container
  dequeuer dev --once                                the same, ends when the samples are done
  dequeuer dev --user-port 8080                      your container, which is running already
  dequeuer dev -- uvicorn app:app --port 8080        your container, started and stopped for you
  dequeuer dev --kind batch --once                   a batch job instead of an async API

Your command gets your environment without AWS_* and without proxies for loopback: its AWS SDK calls the local SQS and
S3, never your account. CORTEX_PORT is the port that it must listen on.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The parsed command line.

    Attributes:
        kind: the kind of API.
        once: end when the samples are done.
        samples: number of requests or batches to submit.
        payload: JSON to submit instead of the built-in samples; None means the built-in ones.
        user_port: the port of the container; None means a free port for the built-in container.
        command: starts the user's container; empty means the built-in container, or one that is running already.
        gateway_port: None means a free port.
        workers: the maximum number of requests in flight.
        fifo: whether the queue is a FIFO queue.
        ready_timeout_s: how long the container may take until it listens on its port.
        verbose: show the logs of all processes.
    """

    kind: Literal["async", "batch"]
    once: bool
    samples: int
    payload: str | None
    user_port: int | None
    command: tuple[str, ...]
    gateway_port: int | None
    workers: int
    fifo: bool
    ready_timeout_s: int
    verbose: bool


def parse(argv: Sequence[str]) -> Options:
    """Parse the command line. Ends the process (`SystemExit`) after --help and for invalid arguments."""
    arguments, command = _split(argv)
    parser = _parser()
    given = parser.parse_args(arguments)
    if command is not None and not command:
        parser.error("nothing follows '--': give the command that starts your container (-- uvicorn app:app)")
    if given.kind == "batch" and given.port is not None:
        parser.error("--port is the gateway's port, and a batch job has no gateway: leave it out")
    if given.port is not None and given.port == (given.user_port or (COMMAND_PORT if command else None)):
        parser.error(f"--port {given.port} is the container's port, too: give the gateway another one")
    return Options(
        kind=cast("Literal['async', 'batch']", given.kind),
        once=given.once,
        samples=given.samples,
        payload=given.payload,
        user_port=given.user_port or (COMMAND_PORT if command else None),
        command=tuple(command or ()),
        gateway_port=given.port,
        workers=given.workers,
        fifo=given.queue == "fifo",
        ready_timeout_s=given.ready_timeout,
        verbose=given.verbose,
    )


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
        description="Run everything on this machine, without an AWS account: SQS and S3, the gateway, the sidecar and "
        "a container. A few sample requests show that it works. It runs until Ctrl-C.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--kind", choices=("async", "batch"), default="async", help="kind of API (default: async)")
    add("--once", action="store_true", help="end when the samples are done; status 1 if one failed")
    add("--samples", type=_bounded(1, MAX_SAMPLES), default=3, metavar="N", help=f"1 to {MAX_SAMPLES} (default: 3)")
    add(
        "--payload",
        type=_json,
        metavar="JSON",
        help="payload of each sample, if your container needs a certain form",
    )
    add(
        "--user-port",
        type=_bounded(1, 65535),
        metavar="PORT",
        help="port that your container listens on (default: 8080)",
    )
    add("--port", type=_bounded(1, 65535), metavar="PORT", help="port of the gateway (default: a free one)")
    add("--workers", type=_bounded(1, MAX_WORKERS), default=2, metavar="N", help=f"1 to {MAX_WORKERS} (default: 2)")
    queue = parser.add_mutually_exclusive_group()
    queue.add_argument("--queue", choices=("fifo", "standard"), default="fifo", help="kind of queue (default: fifo)")
    queue.add_argument("--fifo", action="store_const", const="fifo", dest="queue", help="the same as --queue fifo")
    add(
        "--ready-timeout",
        type=_bounded(1, 3600),
        default=120,
        metavar="SECONDS",
        help="for the start of your container (default: 120)",
    )
    add("--verbose", action="store_true", help="show the logs of all processes")
    return parser


def _bounded(low: int, high: int) -> Callable[[str], int]:
    """Return a function that parses a whole number within limits. argparse shows its error text unchanged."""

    def read(text: str) -> int:
        if text.isascii() and text.isdecimal() and len(text) < 10 and low <= int(text) <= high:
            return int(text)
        message = f'"{clip(text)}" is not a whole number from {low} to {high}'
        raise argparse.ArgumentTypeError(message)

    return read


def _json(text: str) -> str:
    try:
        json.loads(text)
    except ValueError as error:
        message = f'"{clip(text)}" is not JSON ({error}); quote it for your shell: --payload \'{{"text": "hello"}}\''
        raise argparse.ArgumentTypeError(message) from error
    return text
