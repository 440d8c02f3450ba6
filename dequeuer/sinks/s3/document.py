"""XML documents in responses of S3."""

from __future__ import annotations

from dequeuer.aws.xml import Node, XmlError, parse
from dequeuer.core.errors import StoreUnavailableError


def read_document(body: bytes, root: str | None = None) -> Node:
    """Read a document; see `parse`.

    Raises:
        StoreUnavailableError: it cannot be read, or has another root element.
    """
    try:
        return parse(body, root)
    except XmlError as error:
        raise StoreUnavailableError("the response of S3 is not the expected XML document") from error
