"""The submission and the files of a batch job, made on the fly: a file of any size takes no memory."""

from __future__ import annotations

import json
import re
from typing import Final

from bench.wire_format import BUCKET

BATCH_SIZE: Final = 100
SOURCE_KEY: Final = "source/items.jsonl"
SUBMISSION: Final = json.dumps(
    {"workers": 1, "delimited_files": {"s3_paths": [f"s3://{BUCKET}/source/"], "batch_size": BATCH_SIZE}}
).encode()
_RANGE: Final = re.compile(rb"(?i)\r\nrange: *bytes=(\d+)-(\d+)")


def item(size: int) -> bytes:
    """Return one item of the file with its line break, `size` bytes: an object with the usual mix of values."""
    value = {"id": 1234567, "url": "s3://b/1234567.png", "tags": ["a", "b"], "weight": 0.25, "text": ""}
    value["text"] = "x" * (size - len(json.dumps(value)) - 1)  # at least 91 bytes
    return json.dumps(value).encode() + b"\n"


def listing(size: int) -> bytes:
    """Return the listing with the one file."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{BUCKET}</Name><KeyCount>1</KeyCount><IsTruncated>false</IsTruncated><Contents><Key>{SOURCE_KEY}</Key>"
        f'<ETag>"source"</ETag><Size>{size}</Size></Contents></ListBucketResult>'
    ).encode()


class Source:
    """A file of equal items.

    Args:
        size: bytes, a multiple of `item_bytes`.
        item_bytes: of an item, its line break included.
    """

    def __init__(self, size: int, item_bytes: int) -> None:
        self.size = size
        self._item_bytes = item_bytes
        self._lines = item(item_bytes) * (4 * 1024 * 1024 // item_bytes)

    def read(self, head: bytes) -> tuple[bytes, str] | None:
        """Return the bytes that a request asks for, and its Content-Range; None when it asks for no range."""
        found = _RANGE.search(head)
        if found is None:
            return None
        start, end = int(found[1]), min(int(found[2]), self.size - 1)
        at = start % self._item_bytes
        return self._lines[at : at + end - start + 1], f"bytes {start}-{end}/{self.size}"
