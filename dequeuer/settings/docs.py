"""Writes the tables of docs/configuration.md: `python -m dequeuer.settings.docs docs/configuration.md`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from dequeuer.settings.help_text import descriptions, required_text
from dequeuer.settings.option import Option
from dequeuer.settings.programs import OPTIONS, Program

_HEAD = "| variable | flag | default | allowed | meaning |\n| --- | --- | --- | --- | --- |\n"
_FILE_HEAD = "| key | stands in for |\n| --- | --- |\n"
_TABLE = re.compile(rf"(?:{re.escape(_HEAD)}|{re.escape(_FILE_HEAD)})(?:\|.*\n)*")

_SHARED = set(OPTIONS["sidecar"].values()) & set(OPTIONS["gateway"].values())


def _default(option: Option) -> str:
    if option.default is None:
        return "; ".join(filter(None, [required_text(option.required_for), option.default_note])) or "none"
    return f"`{option.default}` {option.parser.unit}".rstrip()


def _row(option: Option, description: str) -> str:
    variables = ", then ".join(f"`{name}`" for name in option.env)
    flag = f"`--{option.flag}`" if option.flag else "-"
    return f"| {' | '.join([variables, flag, _default(option), option.parser.allowed, description])} |\n"


def _table(program: Program, *, shared: bool) -> str:
    described = descriptions(program)
    rows = [_row(one, described[path]) for path, one in OPTIONS[program].items() if (one in _SHARED) == shared]
    return _HEAD + "".join(rows)


def _tables() -> list[str]:
    keys = [f"| `{one.file_key}` | `{one.env[0]}` |\n" for one in OPTIONS["sidecar"].values() if one.file_key]
    own = [_table("sidecar", shared=False), _table("gateway", shared=False)]
    return [*own, _table("sidecar", shared=True), _FILE_HEAD + "".join(keys)]


def render(page: str) -> str:
    """Return docs/configuration.md with its tables made anew: sidecar, gateway, both, keys of cluster.yaml."""
    texts, tables = _TABLE.split(page), [*_tables(), ""]
    return "".join(text + table for text, table in zip(texts, tables, strict=True))


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(render(path.read_text(encoding="utf-8")), encoding="utf-8")
