"""Checks the values of one API against the model of its kind, and says in words what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dequeuer.apis.faults import MAX_FAULTS, Fault, Location
from dequeuer.apis.fields import Field, fields_of, find_field, kinds_with
from dequeuer.apis.kinds import MODELS, Api
from dequeuer.apis.model import RULE
from dequeuer.apis.scalars import Ambiguous
from dequeuer.apis.values import Document
from dequeuer.core.suggestions import did_you_mean

_UNQUOTED = frozenset({"env", "command", "args"})
"""Keys whose values may be secrets: faults tell their type only."""
_KEY = "[key]"
"""What pydantic appends to the location of an error that is in a key of a mapping."""


def check_api(document: Document, index: int) -> Api | list[Fault]:
    """Return the API at an index of the list, or what is wrong with it."""
    value = document.value[index]
    location: Location = (index,)
    if not isinstance(value, dict):
        text = f"is {_type_name(value)}; allowed: a mapping that begins with `- name: <name>`; correct it"
        return [document.fault(location, text)]
    kind = value.get("kind")
    model = MODELS.get(kind) if isinstance(kind, str) else None
    if model is None:
        return list(_check_without_kind(document, index, value))
    try:
        return model.model_validate(value)
    except ValidationError as error:
        return list(islice(_faults(document, index, model, error), MAX_FAULTS + 1))


def _check_without_kind(document: Document, index: int, value: dict[str, Any]) -> Iterator[Fault]:
    """Yield the faults of an API whose kind is not known: of its kind, and of the keys that all kinds have."""
    location = (index, "kind")
    allowed = ", ".join(MODELS)
    if "kind" not in value:
        yield document.fault((index,), f"has no kind; allowed: {allowed}; add it")
    else:
        given = document.given(location)
        hint = did_you_mean(given, MODELS) if isinstance(value["kind"], str) else ""
        yield document.fault(location, f"{given}{hint}; allowed: {allowed}; correct it")
    model = MODELS["TrafficSplitter"]
    try:
        model.model_validate(value | {"kind": "TrafficSplitter"})
    except ValidationError as error:
        for fault in _faults(document, index, model, error):
            is_missing_name = fault.location == (index,) and fault.text.startswith("has no name;")
            if fault.location[1:2] in {("name",), ("networking",)} or is_missing_name:
                yield fault


def _faults(document: Document, index: int, model: type[BaseModel], error: ValidationError) -> Iterator[Fault]:
    for details in error.errors(include_url=False, include_context=True, include_input=True):
        if details["type"] == "default_factory_not_called":
            continue  # the field that the default comes from has a fault of its own
        if details["type"] == "too_short" and details["input"]:
            continue  # not the list is at fault, but all of its items
        location: Location = (index, *details["loc"])
        in_key = location[-1] == _KEY
        location = location[:-1] if in_key else location
        match details["type"]:
            case "extra_forbidden":
                yield document.fault(location, _unknown_key(model, location), at_key=True)
            case "missing":
                above, key = location[:-1], str(location[-1])
                field = find_field(model, location[1:])
                allowed = field.allowed if field else "a value"
                yield document.fault(above, f"has no {key}; allowed: {allowed}; add it", at_key=True)
            case kind if kind == RULE:
                yield document.fault(location, details["ctx"]["text"], at_key=True)
            case _:
                yield document.fault(location, _wrong_value(document, model, location, details), at_key=in_key)


def _unknown_key(model: type[BaseModel], location: Location) -> str:
    above, key = location[1:-1], str(location[-1])
    owner = find_field(model, above)
    inside = (owner.model if owner else None) or model
    others = kinds_with(location[1:])
    if others:
        kind = model.model_fields["kind"].annotation
        name = getattr(kind, "__args__", ("this kind",))[0]
        return f"is not a key of {name}; allowed: for {', '.join(others)}; remove it, or correct the kind"
    known = fields_of(inside)
    return f"is no known key{did_you_mean(key, known)}; allowed: {', '.join(known)}; rename or remove it"


def _wrong_value(document: Document, model: type[BaseModel], location: Location, details: ErrorDetails) -> str:
    field = find_field(model, location[1:])
    allowed = _allowed(field, location) if field else "another value"
    value = details["input"]
    given = _type_name(value) if _UNQUOTED & set(location) else document.given(location)
    if isinstance(location[-1], str) and details["loc"][-1:] == (_KEY,):
        given = "a variable of this name"
    why, do = details.get("ctx", {}).get("why") or "", "correct it"
    if isinstance(value, Ambiguous):
        why, do = f"it is {value.why}", f"{value.do}, or put it in quotes if it is a text"
    elif details["type"] == "string_type" and isinstance(value, bool | int | float):
        why = f"without quotes YAML takes it for {_type_name(value)}"
        do = "put it in quotes"
    elif value == ():
        given, do = "an empty list", "add one"
    elif value is None:
        do = "give it a value, or remove the key"
    elif details["type"] == "finite_number":
        why = "it is not finite"
    return f"{given}{f' ({why})' if why else ''}; allowed: {allowed}; {do}"


def _allowed(field: Field, location: Location) -> str:
    """Return what may be given; for an item of a list of mappings, the keys of such a mapping."""
    if isinstance(location[-1], int) and field.model is not None:
        return f"a mapping of {', '.join(fields_of(field.model))}"
    return field.allowed


def _type_name(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "a boolean"
        case int() | float() | Ambiguous():
            return "a number"
        case str():
            return "a text"
        case dict():
            return "a mapping"
        case _:
            return "a list"
