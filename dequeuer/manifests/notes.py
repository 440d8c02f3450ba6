"""What of a file is not carried over, or is to be decided by a person: each with the line that it is about."""

from __future__ import annotations

from dataclasses import dataclass

from dequeuer.apis.document import read_document
from dequeuer.apis.faults import Fault, Location
from dequeuer.apis.values import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A value of the file, and where what is said about it is collected."""

    notes: Notes
    location: Location

    def below(self, *keys: str | int) -> Place:
        """Return the place of a value inside this one."""
        return Place(notes=self.notes, location=(*self.location, *keys))

    def note(self, text: str) -> None:
        """Say something about the value: what does not come along, and what to do."""
        self.notes.add(self.location, text)


class Notes:
    """Notes about one file, in the order of its lines.

    Args:
        data: the content of the file, which is valid.
        file: its name in the text of a note.
    """

    def __init__(self, data: bytes, file: str) -> None:
        self._document = Document(read_document(data))
        self._file = file
        self._found: list[Fault] = []
        self._general: list[str] = []

    def add(self, location: Location, text: str) -> None:
        """Add a note about a value; where the file does not have it, about the nearest one above it."""
        self._found.append(self._document.fault(location, text))

    def add_general(self, text: str) -> None:
        """Add a note that is about no line of the file."""
        self._general.append(text)

    def lines(self) -> list[str]:
        """Return all notes, each in the form of a fault: `cortex.yaml:12:9: apis[1].pod.port (API sum): ...`."""
        ordered = sorted(self._found, key=lambda fault: (fault.line, fault.column))
        return [*self._general, *(fault.render(self._file) for fault in ordered)]
