"""From the bytes of a file to the nodes of its one YAML document, each with its line and column."""

from __future__ import annotations

import re
from typing import Any

import yaml

from dequeuer.apis.faults import DocumentError
from dequeuer.core.errors import clip
from dequeuer.files.reading import MAX_DEPTH
from dequeuer.files.yaml_guard import SAFE_LOADER, find_too_deep

PLAIN = "plain"
"""The tag of a scalar that has neither quotes nor a tag: `scalars.read_plain` says what it is."""
TEXT = "tag:yaml.org,2002:str"

_BYTE_ORDER_MARK = "\ufeff"
_LINE_BREAK = re.compile("\r\n|[\n\r\u0085\u2028\u2029]")
_UNPRINTABLE = re.compile("[^\t\n\r -~\u0085\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MIXED = "a text in quotes must end where its quotes end, a list item begins with `- `, and a key ends with `: `"


class _Loader(SAFE_LOADER):  # type: ignore[misc]
    """Leaves plain scalars to `scalars.py`: PyYAML reads `12:30` as 750."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        if kind is yaml.ScalarNode:
            return PLAIN if implicit[0] else TEXT
        return super().resolve(kind, value, implicit)


def read_document(data: bytes) -> yaml.Node:
    """Return the root node. Aliases are the node that they name: the nodes may form a cycle.

    Raises:
        DocumentError: the bytes are not one YAML document, or it is nested too deep.
    """
    text = _decode(data)
    try:
        too_deep = find_too_deep(text)
        if too_deep is not None:
            mark: Any = too_deep.start_mark
            raise DocumentError(f"is nested more than {MAX_DEPTH} deep; take levels away", mark.line, mark.column)
        loader = _Loader(text)
        try:
            node: yaml.Node | None = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise _syntax_error(error, text) from None
    if node is None:
        raise DocumentError("is empty; allowed: a list of APIs; begin each with `- name: <name>`", 0, 0)
    return node


def _decode(data: bytes) -> str:
    try:
        text = data.decode("utf-8").removeprefix(_BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        raise DocumentError("holds a byte that is no UTF-8; save it as UTF-8", *_position(before)) from None
    bad = _UNPRINTABLE.search(text)
    if bad is not None:
        what = f"holds the character U+{ord(bad.group()):04X}, which YAML does not allow; take it out"
        raise DocumentError(what, *_position(text[: bad.start()]))
    return text


def _position(before: str) -> tuple[int, int]:
    """Return line and column, both from 0, of what follows this text."""
    lines = _LINE_BREAK.split(before)
    return len(lines) - 1, len(lines[-1])


def _syntax_error(error: yaml.YAMLError, text: str) -> DocumentError:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return DocumentError("is no YAML", 0, 0)
    lines = _LINE_BREAK.split(text)
    line = min(mark.line, len(lines) - 1)
    rest = lines[line][mark.column :]
    problem = clip(str(getattr(error, "problem", "") or "a syntax error"))
    if "another document" in problem:
        what = "holds a second document; allowed: one list of APIs; take the line `---` out, or make two files"
    elif rest.startswith("\t"):
        what = "is no YAML (a tab; YAML is indented with spaces); replace the tab with spaces"
    else:
        what = f"is no YAML ({problem}); {_MIXED}"
    return DocumentError(what, line, mark.column)
