"""The XML documents that S3 sends."""

from __future__ import annotations

from dequeuer.aws.xml import Node, XmlError, parse
from dequeuer.core.errors import StoreUnavailableError


def read_document(body: bytes, root: str | None = None) -> Node:
    """Read a document; see `parse`.

    Raises:
        StoreUnavailableError: it cannot be read, or is another document.
    """
    try:
        return parse(body, root)
    except XmlError as error:
        raise StoreUnavailableError("S3's response is not the document that was asked for") from error
