"""The command line of `dequeuer jobs`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from dequeuer.core.errors import clip
from dequeuer.jobs.layout import is_job_api_name, is_job_id
from dequeuer.settings.arguments import whole_number

Command: TypeAlias = Literal["submit", "list", "status", "watch", "results", "logs", "stop", "pause", "resume"]

MAX_LISTED: Final = 10_000
MAX_WORKER: Final = 100_000
MAX_TAIL: Final = 1_000_000
MAX_TIMEOUT_S: Final = 10_000_000

_DESCRIPTION = "Submit and follow jobs of batch and task APIs, at a gateway (--gateway or DEQUEUER_GATEWAY_URL)."
_EPILOG = """\
examples:
  dequeuer jobs submit sum job.json --wait       submit a job, wait for its end
  dequeuer jobs watch sum 67e3b0f1a2c4d5e6       follow a job
  dequeuer jobs results sum 67e3b0f1a2c4d5e6 --output results.jsonl

exit status:
  0    done; of `watch` and `submit --wait`: the job has succeeded
  1    the gateway refused the request, or something failed on this machine
  2    the command line or a setting is wrong
  3    the job completed with failures
  4    the job was stopped
  5    the timeout of the job was over
  6    the job failed in another way (enqueue_failed, worker_error, worker_oom, unexpected_error)
  7    the gateway cannot be reached, or cannot be used for now
  8    --timeout is over; the job goes on
  130  Ctrl-C (143 SIGTERM); the job goes on
  141  whoever reads the output has gone
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The parsed command line. What a command does not have is as if it were not given.

    Attributes:
        command: what to do.
        api: the name of the API.
        job: the id of the job; "" for `submit` and `list`.
        settings: the flags that are settings, for `settings.load_jobs_command`.
        kind: of the API; None: ask the gateway.
        is_json: print JSON for programs.
        file: the submission; `-` is standard input.
        waits: follow the job that was submitted.
        is_dry_run: only check the submission.
        timeout_s: how long to wait for the end of the job; None: as long as it takes.
        limit: how many jobs are listed.
        output: the file of the results; None: standard output.
        only: one of the two kinds of results.
        worker: whose logs; None: of all processes.
        tail: how many lines of each log; None: all.
        follows: go on with what is logged from now on.
    """

    command: Command
    api: str
    job: str = ""
    settings: tuple[str, ...] = ()
    kind: Literal["batch", "task"] | None = None
    is_json: bool = False
    file: str = "-"
    waits: bool = False
    is_dry_run: bool = False
    timeout_s: int | None = None
    limit: int = 20
    output: str | None = None
    only: Literal["results", "errors"] | None = None
    worker: int | None = None
    tail: int | None = None
    follows: bool = False


def parse(argv: Sequence[str]) -> Options:
    """Parse the command line. Ends the process (`SystemExit`) after --help and for invalid arguments."""
    parser = _parser()
    given = vars(parser.parse_args(argv))
    if given["command"] == "submit" and not given["waits"] and given["timeout_s"] is not None:
        parser.error("--timeout is for --wait: add it, or leave --timeout out")
    if given.get("waits") and given["is_dry_run"]:
        parser.error("--dry-run submits nothing that --wait could follow: leave one of them out")
    named = {"--gateway": given.pop("gateway", None), "--work-folder": given.pop("work_folder", None)}
    settings = tuple(f"{flag}={value}" for flag, value in named.items() if value is not None)
    return Options(settings=settings, **given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dequeuer jobs",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    submit = _command(commands, "submit", "submit a job; prints its id", has_job=False)
    submit.add_argument("file", metavar="FILE", help="the submission, JSON; - reads standard input")
    submit.add_argument("--wait", action="store_true", dest="waits", help="follow the job to its end")
    submit.add_argument("--dry-run", action="store_true", dest="is_dry_run", help="check it and list its files only")
    _add_timeout(submit)

    listing = _command(commands, "list", "list the newest jobs", has_job=False)
    listing.add_argument(
        "--limit", type=whole_number(1, MAX_LISTED), default=20, metavar="N", help=f"1 to {MAX_LISTED} (default: 20)"
    )

    _command(commands, "status", "show a job")
    _add_timeout(_command(commands, "watch", "follow a job to its end"))

    results = _command(commands, "results", "print the results of a job as JSON lines", has_json=False)
    results.add_argument("--output", metavar="FILE", help="write them to a file, which is replaced once it is whole")
    results.add_argument("--only", choices=("results", "errors"), help="only these of the two kinds of lines")

    _add_logs(commands)
    for name, text in (
        ("stop", "end a job: what was done stays done"),
        ("pause", "let the workers of a job finish what they do, and start no more"),
        ("resume", "end a pause"),
    ):
        _command(commands, name, text)
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    text: str,
    *,
    has_job: bool = True,
    has_json: bool = True,
) -> argparse.ArgumentParser:
    """Add a command that calls the gateway."""
    command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False)
    command.add_argument("api", metavar="API", type=_api, help="the name of the API")
    if has_job:
        command.add_argument("job", metavar="JOB", type=_job, help="the id of the job")
    command.add_argument("--gateway", metavar="URL", help="address of the gateway (default: DEQUEUER_GATEWAY_URL)")
    command.add_argument("--kind", choices=("batch", "task"), help="kind of the API (default: the gateway is asked)")
    if has_json:
        command.add_argument("--json", action="store_true", dest="is_json", help="print JSON, for programs")
    return command


def _add_logs(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "print the logs of a job that the local launcher of this machine runs"
    logs = commands.add_parser("logs", help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False)
    logs.add_argument("api", metavar="API", type=_api, help="the name of the API")
    logs.add_argument("job", metavar="JOB", type=_job, help="the id of the job")
    logs.add_argument(
        "--work-folder", metavar="PATH", help="work folder of the controller (default: DEQUEUER_WORK_FOLDER)"
    )
    logs.add_argument("--worker", type=whole_number(0, MAX_WORKER), metavar="N", help="only of this worker, from 0")
    logs.add_argument("--tail", type=whole_number(0, MAX_TAIL), metavar="N", help="only the last lines of each log")
    logs.add_argument("-f", "--follow", action="store_true", dest="follows", help="go on until Ctrl-C")


def _add_timeout(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--timeout",
        type=whole_number(1, MAX_TIMEOUT_S),
        dest="timeout_s",
        metavar="SECONDS",
        help="wait for the end of the job no longer than this (default: as long as it takes)",
    )


def _api(text: str) -> str:
    if is_job_api_name(text):
        return text
    raise argparse.ArgumentTypeError(
        f'"{clip(text)}" is not the name of an API: a-z, 0-9 and "-", at most 42, a letter first'
    )


def _job(text: str) -> str:
    if is_job_id(text):
        return text
    raise argparse.ArgumentTypeError(
        f'"{clip(text)}" is not the id of a job: a-z, 0-9 and "-", at most 63; `dequeuer jobs list` shows them'
    )
