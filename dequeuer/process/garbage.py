"""Tunes the garbage collector for a process that creates few reference cycles."""

from __future__ import annotations

import gc

GC_THRESHOLD = 5000
"""New objects between two runs of the garbage collector. A message creates a few hundred, almost none in cycles."""


def freeze_startup_objects() -> None:
    """Exclude the objects that exist now from garbage collection: they live until the end of the process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 10, 10)
