"""A fault of a file: where it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dequeuer.core.errors import ConfigurationError, clip

MAX_FAULTS = 100
"""Faults that are listed: a large file can have any number, and each takes time to describe."""

Location = tuple[str | int, ...]
"""The keys and indexes that lead to a value, from the root of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault.

    Attributes:
        line: from 0.
        column: in characters, from 0.
        location: of the value; () for the file itself.
        api_name: of the API that the value belongs to; "" when it is not known.
        text: what was given, what is allowed, what to do.
    """

    line: int
    column: int
    location: Location
    api_name: str
    text: str

    def render(self, file: str) -> str:
        """Return `cortex.yaml:12:9: apis[1].pod.port (API sum): ...`. Editors and terminals follow the first word."""
        place = [path_text(self.location)] if self.location else []
        if self.api_name:
            place.append(f"(API {clip(self.api_name, 64)})")
        where = f"{clip(file)}:{self.line + 1}:{self.column + 1}:"
        return f"{where} {' '.join(place)}: {self.text}" if place else f"{where} {self.text}"


class DocumentError(Exception):
    """The file cannot be read as a document at all; nothing else is checked then. Line and column are from 0."""

    def __init__(self, text: str, line: int, column: int) -> None:
        super().__init__(text)
        self.fault = Fault(line=line, column=column, location=(), api_name="", text=text)


def path_text(location: Sequence[str | int]) -> str:
    """Return `apis[1].pod.containers[0]` of `(1, "pod", "containers", 0)`."""
    parts = [f"[{key}]" if isinstance(key, int) else f".{clip(key, 64)}" for key in location]
    return f"apis{''.join(parts)}"


def configuration_error(file: str, faults: Iterable[Fault]) -> ConfigurationError:
    """Return the error that lists the faults, in the order of the lines."""
    ordered = sorted(faults, key=lambda fault: (fault.line, fault.column, path_text(fault.location)))
    texts = list(dict.fromkeys(fault.render(file) for fault in ordered))
    if len(texts) > MAX_FAULTS:
        texts = [*texts[:MAX_FAULTS], f"{clip(file)}: and more faults; at most {MAX_FAULTS} are listed"]
    return ConfigurationError(texts)
