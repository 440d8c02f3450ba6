"""From YAML nodes to Python values: texts, numbers, tuples and dictionaries, with aliases and merge keys resolved.

An alias costs nothing here (its value is shared), but the checks that follow visit each of its places. So the size of
the document with all aliases written out is limited ("billion laughs").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import yaml

from dequeuer.apis.document import PLAIN, TEXT
from dequeuer.apis.faults import DocumentError, Fault, Location
from dequeuer.apis.scalars import Ambiguous, read_plain
from dequeuer.core.errors import clip
from dequeuer.files.reading import MAX_DEPTH

MAX_VALUES = 100_000
"""Values in a document with all aliases written out, and entries that its merge keys may copy."""

_MERGE = "<<"
_STANDARD = "tag:yaml.org,2002:"
_SCALAR_TAGS = frozenset(_STANDARD + name for name in ("int", "float", "bool", "null"))

Items = dict[str, tuple[yaml.ScalarNode, yaml.Node]]
"""The entries of a mapping by key: the node of the key, and that of the value."""


class Document:
    """The values of a document, and where each of them is written.

    Args:
        root: the node of the document.

    Attributes:
        value: of the root; lists are tuples.
        faults: keys that are there twice or are no texts, and tags that are not allowed.

    Raises:
        DocumentError: the document is too large, or contains itself.
    """

    def __init__(self, root: yaml.Node) -> None:
        self._root = root
        self._values: dict[int, tuple[Any, int]] = {}
        self._items: dict[int, Items] = {}
        self._open: set[int] = set()
        self._copied = 0
        self.faults: list[Fault] = []
        self.value, _ = self._read(root, ())
        self.faults = [replace(fault, api_name=self._name(fault.location)) for fault in self.faults]

    def node(self, location: Location) -> yaml.Node:
        """Return the node at a location, or the nearest one above it that exists."""
        return self._find(location)[1]

    def key(self, location: Location) -> yaml.Node:
        """Return the node of the last key of a location; that of the value when it is an item of a list."""
        return self._find(location)[0]

    def given(self, location: Location) -> str:
        """Return what is written at a location, as a word for an error text; it may be quoted."""
        node = self.node(location)
        if isinstance(node, yaml.MappingNode):
            return "a mapping"
        if isinstance(node, yaml.SequenceNode):
            return "a list"
        if node.tag == PLAIN:
            return clip(node.value, 64) if node.value else "nothing"
        return f'"{clip(node.value, 64)}"'

    def fault(self, location: Location, text: str, *, at_key: bool = False) -> Fault:
        """Return a fault of the value at a location, or of its key."""
        node = self.key(location) if at_key else self.node(location)
        mark = node.start_mark
        return Fault(line=mark.line, column=mark.column, location=location, api_name=self._name(location), text=text)

    def _name(self, location: Location) -> str:
        if not location or not isinstance(self.value, tuple) or not isinstance(location[0], int):
            return ""
        api = self.value[location[0]]
        name = api.get("name") if isinstance(api, dict) else None
        return name if isinstance(name, str) else ""

    def _find(self, location: Location) -> tuple[yaml.Node, yaml.Node]:
        key = node = self._root
        for part in location:
            if isinstance(part, int):
                if not isinstance(node, yaml.SequenceNode) or part >= len(node.value):
                    break
                key = node = node.value[part]
            else:
                entry = self._items.get(id(node), {}).get(part)
                if entry is None:
                    break
                key, node = entry
        return key, node

    def _read(self, node: yaml.Node, location: Location) -> tuple[Any, int]:
        """Return the value of a node, and how many values it is when all aliases are written out."""
        known = self._values.get(id(node))
        if known is not None:
            return known
        if id(node) in self._open:
            raise _document_error(node, "contains itself through an alias (`*name`); write the value out")
        if len(self._open) > MAX_DEPTH:
            raise _document_error(node, f"is nested more than {MAX_DEPTH} deep with its aliases written out; use fewer")
        self._open.add(id(node))
        read: tuple[Any, int]
        if isinstance(node, yaml.MappingNode):
            read = self._read_mapping(node, location)
        elif isinstance(node, yaml.SequenceNode):
            items = [self._read(item, (*location, at)) for at, item in enumerate(node.value)]
            read = tuple(value for value, _ in items), 1 + sum(size for _, size in items)
        else:
            read = self._read_scalar(node, location), 1
        self._open.remove(id(node))
        if read[1] > MAX_VALUES:
            raise _document_error(node, f"is more than {MAX_VALUES} values with its aliases written out; use fewer")
        self._values[id(node)] = read
        return read

    def _read_mapping(self, node: yaml.MappingNode, location: Location) -> tuple[dict[str, Any], int]:
        items: Items = {}
        merged: Items = {}
        for key_node, value_node in node.value:
            key = self._read_key(key_node, location)
            if key is None:
                continue
            if key == _MERGE and key_node.tag == PLAIN:
                for entry in self._merged(value_node, location):
                    merged.setdefault(entry[0].value, entry)
            elif key in items:
                line = items[key][0].start_mark.line + 1
                text = f"is there twice, first in line {line}; allowed: each key once; remove one of the two"
                self.faults.append(self._at(key_node, (*location, key), text))
            else:
                items[key] = key_node, value_node
        items = {**merged, **items}
        self._items[id(node)] = items
        read = {key: self._read(value, (*location, key)) for key, (_, value) in items.items()}
        return {key: value for key, (value, _) in read.items()}, 1 + sum(size for _, size in read.values())

    def _merged(self, node: yaml.Node, location: Location) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        """Yield the entries that `<<` adds; of two with the same key the first one counts."""
        for source in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if not isinstance(source, yaml.MappingNode):
                text = "merges something that is no mapping; allowed: `<<: *name`, or a list of such; correct it"
                self.faults.append(self._at(source, (*location, _MERGE), text))
                continue
            self._read(source, location)
            entries = self._items[id(source)]
            self._copied += len(entries)
            if self._copied > MAX_VALUES:
                raise _document_error(source, f"merges more than {MAX_VALUES} entries; use fewer merge keys (`<<`)")
            yield from entries.values()

    def _read_key(self, node: yaml.Node, location: Location) -> str | None:
        value = self._read(node, location)[0]
        if isinstance(value, str) and isinstance(node, yaml.ScalarNode):
            return value
        what = f"{clip(node.value, 64)} is no text" if isinstance(node, yaml.ScalarNode) else "is no text"
        text = f"a key, {what}; allowed: texts; put it in quotes, or correct it"
        self.faults.append(self._at(node, location, text))
        return None

    def _read_scalar(self, node: yaml.Node, location: Location) -> Any:
        text: str = node.value
        if node.tag == TEXT:
            return text
        if node.tag == PLAIN or node.tag in _SCALAR_TAGS:
            return read_plain(text)
        what = f"has the tag {clip(node.tag, 64)}; allowed: no tags; remove it"
        self.faults.append(self._at(node, location, what))
        return Ambiguous("of a kind of its own", "remove its tag")

    def _at(self, node: yaml.Node, location: Location, text: str) -> Fault:
        mark = node.start_mark
        return Fault(line=mark.line, column=mark.column, location=location, api_name="", text=text)


def _document_error(node: yaml.Node, text: str) -> DocumentError:
    return DocumentError(text, node.start_mark.line, node.start_mark.column)
