"""The text of `--help`."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Collection, Mapping
from functools import cache
from itertools import pairwise
from textwrap import fill

from dequeuer.settings.option import Option, User, declarations
from dequeuer.settings.programs import MODELS, OPTIONS, Program

_HEADS: dict[Program, str] = {
    "sidecar": """\
Receives messages of an SQS queue and sends them to the container beside it.

Usage:
  dequeuer [flags]            the sidecar
  dequeuer gateway [flags]    the HTTP API of async APIs: submit, status, result
  dequeuer dev [flags]        everything on this machine, without an AWS account
  dequeuer --version
""",
    "gateway": """\
The HTTP API of async APIs: accepts requests, returns their status and result.

Usage:
  dequeuer gateway [flags]
""",
}


def descriptions(program: Program) -> Mapping[str, str]:
    """Return the docstring of each option by path. Python does not keep them: they are parsed from the source."""
    return {path: _docstrings(model)[one.name] for path, model, one in declarations(MODELS[program])}


@cache
def _docstrings(model: type) -> dict[str, str]:
    found = {}
    for owner in model.__mro__[:-1]:
        [definition] = ast.parse(inspect.getsource(owner)).body
        for declared, text in pairwise(getattr(definition, "body", ())):
            match declared, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                    found[name] = " ".join(words.split())
    return found


def required_text(users: Collection[User]) -> str:
    """Return who requires an option, in words; "" when nobody does."""
    if not users or set(users) in ({"gateway"}, {"async", "batch"}):
        return "required" if users else ""
    return f"required for {' and '.join(users)}"


def help_text(program: Program) -> str:
    """Return the help of a program, ASCII, 100 columns wide."""
    lines = [_HEADS[program], "Settings (a flag wins over a variable, an earlier variable over a later one):"]
    described = descriptions(program)
    for path, option in OPTIONS[program].items():
        names = [*([f"--{option.flag}"] if option.flag else []), *option.env]
        lines.append(f"  {', '.join(names)}")
        end = _end(option, program)
        text = f"{described[path]} Allowed: {option.parser.allowed}. {end[0].upper()}{end[1:]}.".replace("`", "")
        lines.append(fill(text, 100, initial_indent=" " * 6, subsequent_indent=" " * 6, break_on_hyphens=False))
    lines.append("")
    lines.append("Flags may be written -x v, --x v, -x=v and --x=v. Exit status 2: these settings cannot be used.")
    return "\n".join(lines) + "\n"


def _end(option: Option, program: Program) -> str:
    required = required_text([user for user in option.required_for if (user == "gateway") == (program == "gateway")])
    default = option.default_text or ("" if required else "none")
    return "; ".join(filter(None, [required, default and f"default: {default}"]))
