"""Reads the command line of the commands for requests."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final, get_args

from dequeuer.files.reading import STANDARD_INPUT
from dequeuer.requests_command.argument_types import (
    api_name,
    content_type,
    deadline,
    header,
    key,
    priority,
    receiver,
    request_id,
)
from dequeuer.requests_command.options import Command, Options, State, SubmitArguments
from dequeuer.settings.arguments import whole_number

MAX_CONCURRENCY: Final = 1000
MAX_TIMEOUT_S: Final = 10_000_000
MAX_LISTED: Final = 10_000
MAX_WATCHED: Final = 1000
MAX_LETTERS: Final = 100

EXIT_STATUSES: Final = """\
exit status:
  0    done; of `wait`, `result`, `tail API ID` and `submit --wait`: the request has completed
  1    the gateway refused a request, or something failed on this machine
  2    the command line or a setting is wrong
  3    of several requests, some have not completed
  4    the request was cancelled
  5    the deadline of the request was over before it was begun
  6    the request failed in another way
  7    the gateway cannot be reached, or cannot be used for now
  8    --timeout is over; what was waited for goes on
  130  Ctrl-C (143 SIGTERM); what was submitted goes on
  141  whoever reads the output has gone
"""
_SUBMIT_EXAMPLES: Final = """\
examples:
  dequeuer submit hello request.json             submit a file; prints the id of the request
  dequeuer submit hello --data '{"n": 1}' --wait   submit a text, print the result
  dequeuer submit hello --lines all.jsonl --wait --concurrency 50 > results.jsonl

"""


def parse(argv: Sequence[str]) -> Options:
    """Parse the command line, whose first word is the command. Ends the process after --help and for a wrong line."""
    words = 2 if argv[0] == "dlq" else 1
    if argv[0] == "dlq":
        _check_dlq(argv[1:2])
    command = next(one for one in _PARSERS if one == " ".join(argv[:words]))
    parser = _PARSERS[command](command)
    # A file may stand behind an option, which argparse knows only in this way.
    given = vars(parser.parse_intermixed_args(argv[words:]))
    if gateway := given.pop("gateway"):
        given["settings"] = (f"--gateway={gateway}",)
    if command == "submit":
        given["submission"] = _submission(parser, given)
    if "ids" in given:
        given["ids"] = tuple(given["ids"])
    return Options(command=command, **given)


def _submission(parser: argparse.ArgumentParser, given: dict[str, Any]) -> SubmitArguments:
    """Take the options of a submission out of those that are given; refuse what contradicts."""
    webhook = given.pop("webhook")
    given["headers"] = (*(given.pop("headers") or ()), *([("X-Webhook-URL", webhook)] if webhook else []))
    cancel_after_s, deadline_s = given.pop("wanted_until") or (None, None)
    data = given["data"]
    given["files"] = files = tuple(given.pop("files") or (STANDARD_INPUT,))
    submission = SubmitArguments(
        **{one.name: given.pop(one.name) for one in fields(SubmitArguments) if one.name in given},
        cancel_after_s=cancel_after_s,
        deadline_s=deadline_s,
    )
    if data is not None and (files != (STANDARD_INPUT,) or submission.splits_lines):
        parser.error("--data is the payload itself: leave FILE and --lines out, or --data")
    if files.count(STANDARD_INPUT) > 1:
        parser.error("standard input can be read once: name - once")
    if submission.key is not None and not submission.is_single:
        parser.error("--key is for one request: submit one file, or leave --key out, and each request has its own key")
    if given["timeout_s"] is not None and not submission.waits:
        parser.error("--timeout is for --wait: add it, or leave --timeout out")
    if len({name.lower() for name, _ in submission.headers}) < len(submission.headers):
        parser.error("--header: a name is given twice; join its values with a comma")
    return submission


def _submit_parser(command: str) -> argparse.ArgumentParser:
    submit = _parser(command, "submit requests; prints their ids, or their results", epilog=_SUBMIT_EXAMPLES)
    submit.add_argument(
        "files", metavar="FILE", nargs="*", default=[], help="a payload each; - reads standard input, as without FILE"
    )
    submit.add_argument("--data", metavar="TEXT", help="the payload itself, instead of a file")
    submit.add_argument("--lines", action="store_true", dest="splits_lines", help="each line of the files is a payload")
    submit.add_argument("--wait", action="store_true", dest="waits", help="wait for the results and print them")
    _add_timeout(submit)
    submit.add_argument(
        "--concurrency",
        type=whole_number(1, MAX_CONCURRENCY),
        default=8,
        metavar="N",
        help="submit, or with --wait have under way, so many at a time (default: 8)",
    )
    submit.add_argument(
        "--content-type",
        type=content_type,
        metavar="TYPE",
        help="of the payloads (default: application/json for JSON, else application/octet-stream)",
    )
    submit.add_argument(
        "--header",
        action="append",
        type=header,
        dest="headers",
        metavar="'NAME: VALUE'",
        help="a header for the container; may be repeated",
    )
    submit.add_argument("--key", type=key, help="idempotency key: submissions with the same one are one request")
    _add_priority(submit, "where the API has several queues")
    submit.add_argument(
        "--deadline",
        type=deadline,
        dest="wanted_until",
        metavar="TIME",
        help="how long it is wanted: from now (30s, 5m, 1h30m), or until a moment (2026-11-27T05:58:12Z)",
    )
    submit.add_argument("--webhook", type=receiver, metavar="URL", help="who is told when a request has ended")
    return submit


def _status_parser(command: str) -> argparse.ArgumentParser:
    return _with_ids(_parser(command, "show requests: one with all that is known of it, several as a table"))


def _result_parser(command: str) -> argparse.ArgumentParser:
    result = _parser(command, "print the result of a request, byte for byte", has_json=False)
    result.add_argument("ids", metavar="ID", nargs=1, type=request_id, help="the id of the request")
    result.add_argument("--output", metavar="FILE", help="write it to a file, which is replaced once it is whole")
    return result


def _wait_parser(command: str) -> argparse.ArgumentParser:
    wait = _with_ids(_parser(command, "wait until requests have ended; prints a line for each"))
    _add_timeout(wait)
    return wait


def _cancel_parser(command: str) -> argparse.ArgumentParser:
    return _with_ids(_parser(command, "ask for the cancellation of requests"))


def _tail_parser(command: str) -> argparse.ArgumentParser:
    tail = _parser(command, "follow the changes of a request to its end, or those of an API until Ctrl-C")
    tail.add_argument("ids", metavar="ID", nargs="?", type=_one_id, default=(), help="the id of a request")
    _add_limit(tail, MAX_WATCHED, 100, "without ID: look at so many of the newest requests")
    _add_timeout(tail)
    return tail


def _list_parser(command: str) -> argparse.ArgumentParser:
    listing = _parser(command, "list the newest requests of an API")
    listing.add_argument("--status", dest="state", choices=get_args(State), help="only those with this status")
    _add_limit(listing, MAX_LISTED, 20, "how many at most")
    return listing


def _letters_parser(command: str) -> argparse.ArgumentParser:
    letters = _parser(command, "show messages of the dead-letter queue of an API, and their requests")
    _add_limit(letters, MAX_LETTERS, 20, "how many at most; each is received for a moment")
    _add_priority(letters, "those of the queue of this priority")
    return letters


def _redrive_parser(command: str) -> argparse.ArgumentParser:
    redrive = _parser(command, "send the dead letters of an API back to its queue, all of them")
    _add_priority(redrive, "those of the queue of this priority")
    return redrive


_PARSERS: Final[Mapping[Command, Callable[[str], argparse.ArgumentParser]]] = {
    "submit": _submit_parser,
    "status": _status_parser,
    "result": _result_parser,
    "wait": _wait_parser,
    "cancel": _cancel_parser,
    "tail": _tail_parser,
    "list": _list_parser,
    "dlq list": _letters_parser,
    "dlq redrive": _redrive_parser,
}


def _check_dlq(word: Sequence[str]) -> None:
    """End the process after --help, or when there is no such command."""
    dlq = argparse.ArgumentParser(
        prog="dequeuer dlq", description="Show dead letters, or send them back.", allow_abbrev=False
    )
    dlq.add_argument("command", choices=["list", "redrive"], help="`dequeuer dlq list --help` has the rest")
    dlq.parse_args(word)


def _parser(command: str, text: str, *, has_json: bool = True, epilog: str = "") -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"dequeuer {command}",
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=epilog + EXIT_STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("api", metavar="API", type=api_name, help="the name of the API")
    parser.add_argument("--gateway", metavar="URL", help="address of the gateway (default: DEQUEUER_GATEWAY_URL)")
    if has_json:
        parser.add_argument("--json", action="store_true", dest="is_json", help="print JSON lines, for programs")
    return parser


def _one_id(text: str) -> tuple[str, ...]:
    return (request_id(text),)


def _with_ids(command: argparse.ArgumentParser) -> argparse.ArgumentParser:
    command.add_argument("ids", metavar="ID", nargs="+", type=request_id, help="the id of a request")
    return command


def _add_priority(command: argparse.ArgumentParser, text: str) -> None:
    command.add_argument("--priority", type=priority, metavar="NAME", help=text)


def _add_limit(command: argparse.ArgumentParser, most: int, default: int, text: str) -> None:
    command.add_argument(
        "--limit",
        type=whole_number(1, most),
        default=default,
        metavar="N",
        help=f"{text}; 1 to {most} (default: {default})",
    )


def _add_timeout(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--timeout",
        type=whole_number(1, MAX_TIMEOUT_S),
        dest="timeout_s",
        metavar="SECONDS",
        help="wait no longer than this (default: as long as it takes)",
    )
