"""Events of the pod that a program runs in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionCostWritten:
    """The deletion cost of this pod was written to the API server of Kubernetes."""

    cost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionCostFailed:
    """The deletion cost of this pod could not be written; it is tried again. `reason`: for the log."""

    reason: str
