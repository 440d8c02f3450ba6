"""What the heads of requests and of responses have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeAlias

from dequeuer.http.field_values import connection_options

Field: TypeAlias = tuple[bytes, bytes, bytes]
"""Name in lower case, name as it was sent, value without the whitespace around it."""


class MessageHead:
    """What a head says. Every value is as it was sent. The parser calls `on_header` for each field."""

    __slots__ = ("body_length", "connection_options", "fields", "is_chunked", "is_http10", "keep_alive", "special")

    SPECIAL: ClassVar[frozenset[bytes]] = frozenset()
    """Fields whose values are kept by name."""

    def __init__(self, *, is_http10: bool) -> None:
        self.is_http10 = is_http10
        self.fields: list[Field] = []
        self.special: dict[bytes, list[bytes]] = {}
        """The values of the fields in `SPECIAL`, in order."""
        self.connection_options: frozenset[bytes] = frozenset()
        """What `Connection` names, in lower case."""
        self.keep_alive = not is_http10
        """Whether the sender keeps the connection open."""
        self.body_length: int | None = None
        """Content-Length; None: there is none."""
        self.is_chunked = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field."""
        lower = name.lower()
        value = value.rstrip(b" \t")
        self.fields.append((lower, name, value))
        if lower in self.SPECIAL:
            self.special.setdefault(lower, []).append(value)

    def read_connection(self, values: Sequence[bytes]) -> None:
        """Take what the fields `Connection` say."""
        self.connection_options = options = connection_options(values)
        self.keep_alive = b"close" not in options and (not self.is_http10 or b"keep-alive" in options)
