"""Writes docs/files.md, one line for each module of `dequeuer/`: `python scripts/list_files.py`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "files.md"
_HEAD = """\
# Files

What is in each file of `dequeuer/`: the first sentences of its docstring, and its public names.
[Architecture](architecture.md) has the rooms, their order, and the mechanisms that several files share. The tests of
`dequeuer/<room>/` are in `tests/<room>/`.

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
    yield f"\n## `{room}/`\n\n| file | what is in it | what others may import |\n| --- | --- | --- |\n"
    for path in files:
        module = ast.parse(path.read_text(encoding="utf-8"))
        names = ", ".join(f"`{name}`" for name in _public_names(module)) or "-"
        yield f"| `{path.name}` | {_summary(module)} | {names} |\n"


def _summary(module: ast.Module) -> str:
    documented = ast.get_docstring(module) or ""
    return " ".join(documented.partition("\n\n")[0].split()).replace("|", "\\|")


def _public_names(module: ast.Module) -> Iterator[str]:
    for node in module.body:
        names: list[str] = []
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names = [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
        yield from (name for name in names if not name.startswith("_") and len(name) > 1)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
