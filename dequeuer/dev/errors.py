"""Errors of the local stack. Their text is shown to the user."""

from __future__ import annotations

from dequeuer.core.errors import DequeuerError


class DevError(DequeuerError):
    """The local stack cannot continue. Only the text is shown to the user."""


class ChildExitedError(DevError):
    """A process of the local stack ended although it was not stopped."""
