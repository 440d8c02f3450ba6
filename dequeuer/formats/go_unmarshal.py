"""Reads a JSON object into fields as Go's encoding/json does, and finds every fault of type, not only the first.

Names match exactly or else in any case; unknown ones are ignored; of repeated ones the last counts, objects are merged;
null is as if the field were not there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Literal, TypeAlias

from dequeuer.formats.go_json_errors import type_error
from dequeuer.formats.json_spans import Span, elements, members

MAX_STRINGS: Final = 100_000
"""Of one list. One more is read, so that the caller can tell; short strings take ten times the memory of their text."""
_WHOLE_NUMBER = re.compile(rb"-?[0-9]{1,19}")
_MAX_INT64 = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Struct:
    """A type of Go with fields.

    Attributes:
        package: where Go has it.
        name: of the type.
        fields: their types by their names in JSON.
    """

    package: str
    name: str
    fields: Mapping[str, FieldType]


FieldType: TypeAlias = Literal["int", "string", "[]string", "[]json.RawMessage", "map[string]interface {}"] | Struct
"""Lists of strings are read as lists of `str`; RawMessages and maps as the bytes of the whole list or map."""


@dataclass(slots=True)
class Unmarshalled:
    """What was read.

    Attributes:
        fields: by name; without those that are not there or are null. Structs are dictionaries.
        faults: the texts of Go, in the order of the document, by field: names with dots between.
    """

    fields: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)


def unmarshal(text: bytes, struct: Struct, start: int = 0) -> Unmarshalled:
    """Read the value that begins at `start`. `text` must be JSON and UTF-8."""
    found = Unmarshalled()
    if text[start : start + 1] == b"{":
        _Reader(text, found.faults).read_object(start, struct, found.fields, ())
    elif text[start : start + 4] != b"null":
        found.faults[""] = type_error(text[start:], f"{struct.package}.{struct.name}", "", "")
    return found


class _Reader:
    def __init__(self, text: bytes, faults: dict[str, str]) -> None:
        self._text = text
        self._faults = faults

    def read_object(self, start: int, struct: Struct, fields: dict[str, Any], path: tuple[str, ...]) -> None:
        for given, span in members(self._text, start):
            name = _matching(given, struct.fields)
            if name is not None:
                self._read_field(span, struct, name, fields, (*path, name))

    def _read_field(self, span: Span, struct: Struct, name: str, fields: dict[str, Any], path: tuple[str, ...]) -> None:
        kind, text = struct.fields[name], self._text
        first = text[span[0] : span[0] + 1]
        if first == b"n":
            fields.pop(name, None)
        elif isinstance(kind, Struct) and first == b"{":
            self.read_object(span[0], kind, fields.setdefault(name, {}), path)
        elif (kind == "[]json.RawMessage" and first == b"[") or (kind == "map[string]interface {}" and first == b"{"):
            fields[name] = text[slice(*span)]
        elif kind == "string" and first == b'"':
            fields[name] = _string(text, span)
        elif kind == "int" and (number := _integer(text, span)) is not None:
            fields[name] = number
        elif kind == "[]string" and first == b"[":
            fields[name] = self._strings(span, struct, path)
        else:
            self._fault(span, f"{kind.package}.{kind.name}" if isinstance(kind, Struct) else kind, struct, path)

    def _strings(self, span: Span, struct: Struct, path: tuple[str, ...]) -> list[str]:
        found = []
        for item in islice(elements(self._text, span[0]), MAX_STRINGS + 1):
            if self._text[item[0] : item[0] + 1] == b'"':
                found.append(_string(self._text, item))
            elif self._text[item[0] : item[0] + 1] == b"n":
                found.append("")
            else:
                self._fault(item, "string", struct, path)
        return found

    def _fault(self, span: Span, go_type: str, struct: Struct, path: tuple[str, ...]) -> None:
        name = ".".join(path)
        self._faults.setdefault(name, type_error(self._text[slice(*span)], go_type, struct.name, name))


def _matching(given: str, fields: Mapping[str, FieldType]) -> str | None:
    if given in fields:
        return given
    # Go folds single letters; what grows (a ligature becomes two letters) is another name.
    folded = given.casefold()
    return folded if len(folded) == len(given) and folded in fields else None


def _integer(text: bytes, span: Span) -> int | None:
    number = text[slice(*span)]
    if _WHOLE_NUMBER.fullmatch(number) is None:
        return None
    value = int(number)
    return value if -_MAX_INT64 - 1 <= value <= _MAX_INT64 else None


def _string(text: bytes, span: Span) -> str:
    """Return a string; half of a pair is replaced, as Go does: it cannot be written as UTF-8."""
    value = json.loads(text[slice(*span)])
    assert isinstance(value, str)  # noqa: S101 - for mypy
    return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
