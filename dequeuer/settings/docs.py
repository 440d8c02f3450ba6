"""What people read of the declarations: `--help`, and the tables of docs/configuration.md.

`python -m dequeuer.settings.docs docs/configuration.md` writes the tables.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Collection, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from textwrap import fill

from dequeuer.settings.option import Option, User, declarations
from dequeuer.settings.programs import MODELS, OPTIONS, USERS, Program
from dequeuer.settings.shared import SharedSettings

_OPTIONS_HEAD = "| variable | flag | default | allowed | meaning |\n| --- | --- | --- | --- | --- |\n"
_FILE_HEAD = "| key | stands in for |\n| --- | --- |\n"
_TABLE = re.compile(rf"(?:{re.escape(_OPTIONS_HEAD)}|{re.escape(_FILE_HEAD)})(?:\|.*\n)*")


def descriptions(program: Program) -> Mapping[str, str]:
    """Return the docstring of each option by path. Python does not keep them: they are parsed from the source."""
    return {path: _docstrings(model)[one.name] for path, model, one in declarations(MODELS[program])}


@cache
def _docstrings(model: type) -> dict[str, str]:
    found = {}
    for owner in model.__mro__[:-1]:
        # walk() yields the statements of the class one after the other.
        for declared, text in pairwise(ast.walk(ast.parse(inspect.getsource(owner)))):
            match declared, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                    found[name] = " ".join(words.split())
    return found


def required_text(users: Collection[User]) -> str:
    """Return who requires an option, in words; "" when nobody does."""
    if not users or set(users) in [set(of_program) for of_program in USERS.values()]:
        return "required" if users else ""
    *others, last = users
    return f"required for {', '.join(others)} and {last}" if others else f"required for {last}"


def help_text(program: Program) -> str:
    """Return the help of a program, ASCII, 100 columns wide. It begins with the docstring of the settings class."""
    described, text = descriptions(program), f"{inspect.getdoc(MODELS[program])}\n\n"
    text += "Settings (a flag wins over a variable, an earlier variable over a later one):\n"
    for path, option in OPTIONS[program].items():
        flag = f"--{option.flag}, " if option.flag else ""
        required = required_text([user for user in option.required_for if user in USERS[program]])
        default = option.default_text or ("" if required else "none")
        end = "; ".join(filter(None, [required, default and f"default: {default}"]))
        about = f"{described[path]} Allowed: {option.parser.allowed}. {end[0].upper()}{end[1:]}.".replace("`", "")
        indent = " " * 6
        about = fill(about, 100, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
        text += f"  {flag}{', '.join(option.env)}\n{about}\n"
    return f"{text}\nFlags may be written -x v, --x v, -x=v and --x=v. Exit status 2: these settings cannot be used.\n"


def _default(option: Option) -> str:
    if option.default is None:
        return "; ".join(filter(None, [required_text(option.required_for), option.unset])) or "none"
    return f"`{option.default}` {option.parser.unit}".rstrip()


def _rows(program: Program) -> list[str]:
    described, rows = descriptions(program), []
    for path, option in OPTIONS[program].items():
        variables = ", then ".join(f"`{name}`" for name in option.env)
        flag = f"`--{option.flag}`" if option.flag else "-"
        rows.append(f"| {variables} | {flag} | {_default(option)} | {option.parser.allowed} | {described[path]} |\n")
    return rows


def render(page: str) -> str:
    """Return docs/configuration.md with its tables made anew: one a program, all programs, keys of cluster.yaml."""
    rows = {program: _rows(program) for program in MODELS}
    services = [rows[program] for program, model in MODELS.items() if issubclass(model, SharedSettings)]
    shared = [row for row in rows["sidecar"] if all(row in others for others in services)]
    own = [[_OPTIONS_HEAD, *(row for row in of_program if row not in shared)] for of_program in rows.values()]
    keys = [f"| `{one.file_key}` | `{one.env[0]}` |\n" for one in OPTIONS["sidecar"].values() if one.file_key]
    tables = [*own, [_OPTIONS_HEAD, *shared], [_FILE_HEAD, *keys], []]
    return "".join(text + "".join(table) for text, table in zip(_TABLE.split(page), tables, strict=True))


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(render(path.read_text(encoding="utf-8")), encoding="utf-8")
