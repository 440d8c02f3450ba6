"""What a manifest can have that pods of these tests cannot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class UnsupportedError(Exception):
    """A manifest asks for something that is not run here. A pod without it would show nothing about the manifest."""


def only_known(given: Mapping[str, object], known: Iterable[str], what: str) -> None:
    """Raise `UnsupportedError` for the first field that is not known."""
    allowed = sorted(known)
    for name in given:
        if name not in allowed:
            raise UnsupportedError(f"{what} has the field '{name}'; known are {', '.join(allowed)}")
