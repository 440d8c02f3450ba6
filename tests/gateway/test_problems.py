"""The page of the gateway names the codes of its problems."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from dequeuer.gateway import api_routes
from dequeuer.gateway.access import refusals

ROOT = Path(__file__).resolve().parents[2]


def codes() -> Iterator[str]:
    """Yield the codes of the errors that are raised."""
    yield from refusals._CODES.values()
    for _, code in api_routes._PROBLEMS.values():
        yield code
    for path in (ROOT / "dequeuer" / "gateway").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match call:
                case ast.Call(
                    func=ast.Name("ProblemError") | ast.Attribute(attr="__init__"),
                    args=[ast.Constant(int()), ast.Constant(str(code)), *_],
                ):
                    yield code
                case ast.Call(func=ast.Name("invalid"), args=[ast.Constant(str(name)), *_]):
                    yield f"invalid_{name}"


def test_the_page_names_every_code_and_no_other() -> None:
    page = (ROOT / "docs" / "gateway.md").read_text(encoding="utf-8")
    listed = page.partition("a `code` beside its fields:")[2].partition(". ")[0]
    assert sorted(re.findall(r"`(\w+)`", listed)) == sorted(set(codes()))
