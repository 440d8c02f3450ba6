"""What is done, or would be done, to one resource; and how far this run may go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

StepKind = Literal["create", "change", "differs", "leave"]
"""differs: it is left as it is, although something else was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of the plan.

    Attributes:
        kind: what is done.
        resource: such as `queue work`.
        detail: what about it, in words; "": the resource as a whole.
    """

    kind: StepKind
    resource: str
    detail: str = ""


Report: TypeAlias = Callable[[Step], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How far a run may go.

    Attributes:
        is_dry: nothing is done.
        may_change: what is there and different is replaced.
    """

    is_dry: bool
    may_change: bool

    def step_for(self, resource: str, what: str, found: str, asked: str) -> Step:
        """Return the step for something that is there and different."""
        if self.may_change:
            return Step(kind="change", resource=resource, detail=f"{what}: {found} -> {asked}")
        return Step(kind="differs", resource=resource, detail=f"{what} is {found}, asked for is {asked}")
