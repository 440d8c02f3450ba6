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
"""Where a user's command is expected to listen unless told otherwise: Cortex's port."""

_EXAMPLES = """\
examples:
  dequeuer dev                                       a built-in container
  dequeuer dev --once                                the same, ends when the samples are done
  dequeuer dev --user-port 8080                      your container, which is running already
  dequeuer dev -- uvicorn app:app --port 8080        your container, started and stopped for you
  dequeuer dev --kind batch --once                   a batch job instead of an async API

Your command gets everything of your environment but AWS_* and proxies for loopback: its AWS SDK talks to the local
SQS and S3, never to your account. CORTEX_PORT tells it the port.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the user asked for.

    Attributes:
        kind: of API.
        once: end when the samples are done.
        samples: requests, or batches, to submit.
        payload: JSON to submit instead of the built-in samples; None for those.
        user_port: where the container listens; None: a free port for the built-in one.
        command: starts the user's container; empty: the built-in one, or one that runs already.
        gateway_port: None for a free one.
        workers: requests in flight at most.
        fifo: the kind of queue.
        ready_timeout_s: how long the container may take to listen.
        verbose: show the logs of all parts.
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
    """Read the command line; ends the process (`SystemExit`) after --help and for what cannot be used."""
    arguments, command = _split(argv)
    parser = _parser()
    given = parser.parse_args(arguments)
    if command is not None and not command:
        parser.error("nothing follows '--': give the command that starts your container (-- uvicorn app:app)")
    if given.kind == "batch" and given.port is not None:
        parser.error("--port is the gateway's, and a batch job has none: leave it out")
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
    """Part our arguments from the user's command, which may have options of the same names."""
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
        "a container. A few sample requests show that it works; it stays until Ctrl-C.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--kind", choices=("async", "batch"), default="async", help="of API (default: async)")
    add("--once", action="store_true", help="end when the samples are done; status 1 if one failed")
    add("--samples", type=_bounded(1, MAX_SAMPLES), default=3, metavar="N", help=f"1 to {MAX_SAMPLES} (default: 3)")
    add("--payload", type=_json, metavar="JSON", help="what each sample holds, for a container that wants its own form")
    add("--user-port", type=_bounded(1, 65535), metavar="PORT", help="where your container listens (default: 8080)")
    add("--port", type=_bounded(1, 65535), metavar="PORT", help="of the gateway (default: a free one)")
    add("--workers", type=_bounded(1, MAX_WORKERS), default=2, metavar="N", help=f"1 to {MAX_WORKERS} (default: 2)")
    queue = parser.add_mutually_exclusive_group()
    queue.add_argument("--queue", choices=("fifo", "standard"), default="fifo", help="kind of queue (default: fifo)")
    queue.add_argument("--fifo", action="store_const", const="fifo", dest="queue", help="the same as --queue fifo")
    add("--ready-timeout", type=_bounded(1, 3600), default=120, metavar="SECONDS", help="for your container to listen")
    add("--verbose", action="store_true", help="show the logs of all parts")
    return parser


def _bounded(low: int, high: int) -> Callable[[str], int]:
    """Return a reader of whole numbers within limits. argparse shows its error as it is."""

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
