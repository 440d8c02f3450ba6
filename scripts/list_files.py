"""Writes docs/files.md, one line for each module of `dequeuer/`: `python scripts/list_files.py`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "files.md"
_HEAD = """\
# Files

What is in each file of `dequeuer/`: the first sentences of its docstring. [Architecture](architecture.md) has the
rooms, their order, and the mechanisms that several files share. The tests of `dequeuer/<room>/` are in `tests/<room>/`.

This page is generated: `python scripts/list_files.py`.
"""


def render() -> str:
    """Return the page."""
    rooms: dict[str, list[Path]] = {}
    for path in sorted((ROOT / "dequeuer").rglob("*.py")):
        if path.name != "__init__.py":
            rooms.setdefault(path.parent.relative_to(ROOT).as_posix(), []).append(path)
    return _HEAD + "".join(line for room in sorted(rooms) for line in _section(room, rooms[room]))


def _section(room: str, files: list[Path]) -> Iterator[str]:
    yield f"\n## `{room}/`\n\n| file | what is in it |\n| --- | --- |\n"
    for path in files:
        yield f"| `{path.name}` | {_summary(path)} |\n"


def _summary(path: Path) -> str:
    documented = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(documented.partition("\n\n")[0].split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
