"""Why an enqueuer gave up: `enqueue_error.json`, for the status of the job."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from dequeuer.core.errors import clip
from dequeuer.formats.go_json import decode_object

MAX_MESSAGE_CHARS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class EnqueueError:
    """A fault.

    Attributes:
        message: for people.
        kind: code of Cortex, or `error`.
        source: the file, as `s3://bucket/key`; None: none is at fault.
        offset: of the item in the file, after decompression, bytes from 0; None: no item is at fault.
    """

    message: str
    kind: str = "error"
    source: str | None = None
    offset: int | None = None


def error_fields(error: EnqueueError) -> dict[str, Any]:
    """Return the fields for JSON: those of the `error` of a status, too."""
    return {
        "kind": error.kind,
        "message": clip(error.message, MAX_MESSAGE_CHARS),
        "source": error.source,
        "offset": error.offset,
    }


def dump_error(error: EnqueueError) -> bytes:
    """Return the text of `enqueue_error.json`."""
    return json.dumps(error_fields(error)).encode()


def parse_error(text: bytes) -> EnqueueError | None:
    """Return the fault; None when the text is none."""
    try:
        fields = decode_object(text)
        source, offset = fields["source"], fields["offset"]
        return EnqueueError(
            message=str(fields["message"]),
            kind=str(fields["kind"]),
            source=None if source is None else str(source),
            offset=None if offset is None else int(offset),
        )
    except (ValueError, TypeError, KeyError):
        return None
