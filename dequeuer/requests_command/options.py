"""The command line of the commands for requests, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from dequeuer.files.reading import STANDARD_INPUT

Command: TypeAlias = Literal["submit", "status", "result", "wait", "cancel", "tail", "list", "dlq list", "dlq redrive"]
State: TypeAlias = Literal["in_queue", "in_progress", "completed", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitArguments:
    """What `submit` sends, and how.

    Attributes:
        files: each is a payload; `-` is standard input.
        data: the payload, instead of files; None: the files.
        splits_lines: each line of the files is a payload.
        content_type: of the payloads; None: JSON for what is JSON, else bytes.
        headers: further ones for the container, values by name.
        key: the idempotency key; None: each payload has one of its own.
        priority: of the API; None: none.
        cancel_after_s: how long the request is wanted, from now on; None: for ever, or until `deadline_s`.
        deadline_s: until when, seconds since the epoch; None: for ever, or for `cancel_after_s`.
        concurrency: payloads at a time.
        waits: for the end of each request.
    """

    files: tuple[str, ...] = (STANDARD_INPUT,)
    data: str | None = None
    splits_lines: bool = False
    content_type: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    key: str | None = None
    priority: str | None = None
    cancel_after_s: float | None = None
    deadline_s: float | None = None
    concurrency: int = 8
    waits: bool = False

    @property
    def is_single(self) -> bool:
        """Whether it is one payload, whatever is in it."""
        return not self.splits_lines and len(self.files) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The parsed command line. What a command does not have is as if it were not given.

    Attributes:
        command: what to do.
        api: the name of the API.
        ids: of requests.
        settings: the flags that are settings, for `settings.load_requests_command`.
        is_json: print JSON for programs.
        timeout_s: how long to wait; None: as long as it takes.
        limit: how many are listed, or looked at by `tail`.
        state: only requests in this one are listed; None: all.
        priority: whose dead letters; None: those of the API's own queue.
        output: the file of the result; None: standard output.
        submission: of `submit`.
    """

    command: Command
    api: str
    ids: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    is_json: bool = False
    timeout_s: int | None = None
    limit: int = 20
    state: State | None = None
    priority: str | None = None
    output: str | None = None
    submission: SubmitArguments = SubmitArguments()

    @property
    def name(self) -> str:
        """The command, before what it says of errors."""
        return f"dequeuer {self.command}"
