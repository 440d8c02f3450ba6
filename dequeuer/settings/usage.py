"""The text of `--help`."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import Any

from dequeuer.settings.option import Command, Need, Option
from dequeuer.settings.options import options_of

_HEADS: dict[Command, str] = {
    "sidecar": """\
Works off an SQS queue for the container beside it.

Usage:
  dequeuer [flags]            the sidecar
  dequeuer gateway [flags]    the front of the async APIs: submit, status, result
  dequeuer dev [flags]        everything on this machine, without an AWS account
  dequeuer --version
""",
    "gateway": """\
The front of the async APIs: takes requests, answers with their status and result.

Usage:
  dequeuer gateway [flags]
""",
}


def required_text(needs: Sequence[Need]) -> str:
    """Return for whom a setting is required, in words; "" when for nobody."""
    if not needs or needs == ["gateway"] or set(needs) == {"async", "batch"}:
        return "required" if needs else ""
    return f"required for {' and '.join(needs)}"


def usage(command: Command) -> str:
    """Return the help of a command, ASCII, 100 columns wide."""
    lines = [_HEADS[command], "Settings (a flag wins over a variable, an earlier variable over a later one):"]
    for option in options_of(command):
        names = [*([f"--{option.flag}"] if option.flag else []), *option.env]
        lines.append(f"  {', '.join(names)}")
        end = _end(option, command)
        text = f"{option.help} Allowed: {option.parser.allowed}. {end[0].upper()}{end[1:]}."
        lines.append(
            fill(text.replace("`", ""), 100, initial_indent=" " * 6, subsequent_indent=" " * 6, break_on_hyphens=False)
        )
    lines.append("")
    lines.append("Flags may be written -x v, --x v, -x=v and --x=v. Exit status 2: these settings cannot be used.")
    return "\n".join(lines) + "\n"


def _end(option: Option[Any], command: Command) -> str:
    needs = required_text([need for need in option.required_for if (need == "gateway") == (command == "gateway")])
    if needs and option.default_note == "none":
        return needs
    return f"{needs + '; ' if needs else ''}default: {option.default_text()}"
