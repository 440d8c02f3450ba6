"""One row of the table of settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from dequeuer.settings.parsers import Parser

T = TypeVar("T")

Command = Literal["sidecar", "gateway"]
Need = Literal["async", "batch", "gateway"]
"""What a setting may be required for: a kind of API, or the gateway."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Option(Generic[T]):
    """One setting: where it comes from, what it may be, and what it is for.

    Attributes:
        name: the field of the settings.
        env: environment variables, the first one set wins.
        flag: without its dashes; wins over the variables. None: no flag.
        parser: makes the value.
        default: as text, and read by `parser` like anything else; None: no value.
        default_note: what the lack of a value means, in words.
        unit: of a default that is a bare number.
        help: one sentence.
        commands: who reads it.
        required_for: who cannot go without it.
        file_key: the key of cluster.yaml that stands in for it.
        empty_counts: whether a variable that is set but empty is a value; otherwise it counts as not set.
    """

    name: str
    env: tuple[str, ...]
    flag: str | None = None
    parser: Parser[T]
    default: str | None = None
    default_note: str = "none"
    unit: str = ""
    help: str
    commands: tuple[Command, ...] = ("sidecar",)
    required_for: tuple[Need, ...] = ()
    file_key: str | None = None
    empty_counts: bool = False

    @property
    def title(self) -> str:
        """Every name that the setting goes by, for an error about its lack."""
        names = [*self.env, *([f"--{self.flag}"] if self.flag else [])]
        return names[0] + (f" (or {', '.join(names[1:])})" if len(names) > 1 else "")

    def default_text(self) -> str:
        """Return the default as it is told to a person."""
        if self.default is None:
            return self.default_note
        return f"{self.default} {self.unit}" if self.unit else self.default
