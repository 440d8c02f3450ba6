"""Finds the field of a model that a location of the file belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dequeuer.apis.kinds import MODELS
from dequeuer.apis.model import Allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A key of the file.

    Attributes:
        key: its name in the file.
        info: its declaration; the description is its documentation.
        model: the model of its value when that is a mapping, or of its items when it is a list of mappings.
        is_list: whether the value is a list.
    """

    key: str
    info: FieldInfo
    model: type[BaseModel] | None
    is_list: bool

    @property
    def allowed(self) -> str:
        """What the value may be, in words."""
        for one in self.info.metadata:
            if isinstance(one, Allowed):
                return one.words
        keys = ", ".join(fields_of(self.model)) if self.model else ""
        return f"a mapping of {keys}"


@cache
def fields_of(model: type[BaseModel]) -> dict[str, Field]:
    """Return the fields of a model by key."""
    fields = {}
    for name, info in model.model_fields.items():
        types = list(_types(info.annotation))
        nested = [one for one in types if isinstance(one, type) and issubclass(one, BaseModel)]
        key = info.alias or name
        fields[key] = Field(key=key, info=info, model=nested[0] if nested else None, is_list=tuple in types)
    return fields


def find_field(model: type[BaseModel], location: Sequence[str | int]) -> Field | None:
    """Return the field of a location below a model; of one inside of a text list or a mapping of texts, that list or
    mapping. None when the model has no such key.
    """  # noqa: D205 - one sentence
    field: Field | None = None
    inside: type[BaseModel] | None = model
    for key in location:
        if isinstance(key, int):
            continue
        if inside is None:
            break
        field = fields_of(inside).get(key)
        if field is None:
            return None
        inside = field.model
    return field


def kinds_with(location: Sequence[str | int]) -> list[str]:
    """Return the kinds of APIs that have a key at this location."""
    return [kind for kind, model in MODELS.items() if find_field(model, location) is not None]


def _types(annotation: object) -> Iterator[object]:
    origin_and_arguments = (getattr(annotation, "__origin__", annotation), *get_args(annotation))
    yield origin_and_arguments[0]
    for one in origin_and_arguments[1:]:
        yield from _types(one)
