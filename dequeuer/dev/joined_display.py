"""Several sources of rows as one table: what they do at the same time is shown together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

from dequeuer.dev.display import Display, SampleRow


class JoinedDisplay:
    """Shows the rows of its parts, in the order in which the parts were made.

    Args:
        display: where to.
        in_order: rows are shown when they are final, each part after those before it: for plain lines, in which rows
            that change at the same time would be mixed.
    """

    def __init__(self, display: Display, *, in_order: bool) -> None:
        self._display = display
        self._in_order = in_order
        self._parts: list[_Part] = []

    def part(self, label: str, names: Sequence[str] = ()) -> Display:
        """Return what one source shows its rows with.

        Args:
            label: in front of the name of each row.
            names: of the rows; without one a row keeps its own.
        """
        part = _Part(self, label, names)
        self._parts.append(part)
        return part

    def live(self) -> AbstractContextManager[object]:
        """Return the context within which all parts are used."""
        return self._display.live()

    def print_text(self, text: str) -> None:
        """Print a text."""
        self._display.print_text(text)

    def refresh(self) -> None:
        """Show what has changed."""
        shown: list[SampleRow] = []
        for part in self._parts:
            if self._in_order and not part.is_over:
                break
            shown.extend(part.rows)
        self._display.show(shown)


class _Part:
    """`Display` of one source."""

    def __init__(self, whole: JoinedDisplay, label: str, names: Sequence[str]) -> None:
        self._whole = whole
        self._label = label
        self._names = names
        self.rows: list[SampleRow] = []
        self.is_over = False

    def show(self, rows: Sequence[SampleRow]) -> None:
        """Show these rows in their place."""
        names = [*self._names, *(row.name for row in rows[len(self._names) :])]
        self.rows = [replace(row, name=f"{self._label}  {name}") for row, name in zip(rows, names, strict=False)]
        self._whole.refresh()

    def print_text(self, text: str) -> None:
        """Print a text."""
        self._whole.print_text(text)

    @contextmanager
    def live(self) -> Iterator[None]:
        """At its end the rows are final."""
        try:
            yield
        finally:
            self.is_over = True
            self._whole.refresh()
