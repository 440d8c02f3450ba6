"""Parse XML of AWS services. It is untrusted: depth is limited, and document types (so entities) are refused."""

from __future__ import annotations

from xml.parsers import expat

MAX_DEPTH = 32


class XmlError(ValueError):
    """The document cannot be read, or has another root element than expected."""


class Node:
    """An element. Names are without their namespace.

    Attributes:
        name: of the element.
        prefix: of its namespace, with the colon; usually empty.
        text: directly in the element.
        children: in the order of the document.
        start: offset of its start tag in the document, bytes.
        end: offset of its end tag; `<a/>` has no end tag.
    """

    __slots__ = ("children", "end", "name", "prefix", "start", "text")

    def __init__(self, name: str, start: int) -> None:
        prefix, colon, local = name.rpartition(":")
        self.name = local
        self.prefix = prefix + colon
        self.text = ""
        self.children: list[Node] = []
        self.start = start
        self.end = start

    def all(self, name: str) -> list[Node]:
        """Return the children of a name."""
        return [child for child in self.children if child.name == name]

    def first(self, name: str) -> str | None:
        """Return the text of the first child of a name; None when there is none."""
        return next((child.text for child in self.children if child.name == name), None)


def parse(body: bytes, root: str | None = None) -> Node:
    """Read a document.

    Args:
        body: its size is limited by the caller.
        root: expected name of the root element; None: any.

    Raises:
        XmlError: it cannot be read, or has another root element.
    """
    parser = expat.ParserCreate("utf-8")
    top = Node("", 0)
    stack = [top]

    def begin(name: str, _attributes: dict[str, str]) -> None:
        if len(stack) > MAX_DEPTH:
            raise XmlError
        node = Node(name, parser.CurrentByteIndex)
        stack[-1].children.append(node)
        stack.append(node)

    def end(_name: str) -> None:
        stack.pop().end = parser.CurrentByteIndex

    def text(data: str) -> None:
        stack[-1].text += data

    def doctype(*_: object) -> None:
        # Only a document type can declare entities, which could expand without limit or refer to other files.
        raise XmlError

    parser.buffer_text = True
    parser.StartElementHandler = begin
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError) as error:
        raise XmlError from error
    found = top.children[0]
    if root is not None and found.name != root:
        raise XmlError
    return found


def escape(text: str) -> str:
    """Return text with XML escapes, for the content of an element."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
