"""What all models of the file have in common, and how a rule between fields reports its faults."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

RULE = "rule"
"""The type of an error whose text says everything. All others are described by the `Allowed` of their field."""


class Model(BaseModel):
    """A mapping of the file, as a frozen value. Attributes carry units; the alias of a field is its key in the file."""

    # Strict: texts stay texts. `command: [8080]` is a fault, as it is for Cortex, and never becomes "8080" silently.
    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a field may be, in words; follows "allowed:" in a fault, and stands in docs/apis.md."""

    words: str


def rule_error(faults: Iterable[tuple[str, str]]) -> ValidationError:
    """Return the error that a validator raises for rules between fields.

    Args:
        faults: the key that is at fault, "" for the whole mapping, and what was given, is allowed, and is to be done.
    """
    details: list[InitErrorDetails] = [
        {"type": PydanticCustomError(RULE, "{text}", {"text": text}), "loc": (key,) if key else (), "input": None}
        for key, text in faults
    ]
    return ValidationError.from_exception_data("rules", details)


def refuse(why: str = "") -> Any:
    """Return the error that a parser of one value raises. `why` names the part that is wrong."""
    return PydanticCustomError("value", "{why}", {"why": why})
