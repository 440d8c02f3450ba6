"""Draws replicas over time, and says in the picture from which runs it was made."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Final

from bench.plot import GO_COLOUR, OURS_COLOUR, load_pyplot
from bench.scaling.candidates import PODS
from bench.scaling.experiments import Runs
from bench.scaling.loads import NAMES

KEY: Final = "dequeuer-runs"
"""The text chunk of the PNG with the fingerprint of the runs."""

DRAWN: Final = (
    ("Cortex", "Cortex", GO_COLOUR),
    ("KEDA, Cortex's factors each sync", "KEDA, Cortex's factors", "#d97706"),
    ("**the chart's defaults**", "KEDA, the chart's defaults", OURS_COLOUR),
)
"""Candidate, its name in the picture, its colour."""


def fingerprint(runs: Runs) -> str:
    """Return a hash of all that is drawn."""
    drawn = [
        [(sample.at_s, sample.replicas, sample.in_flight) for sample in runs[name, candidate].samples]
        for name in NAMES
        for candidate, _, _ in DRAWN
    ]
    return hashlib.sha256(json.dumps(drawn).encode()).hexdigest()


def draw(runs: Runs, file: Path) -> None:
    """Draw one row for each load into a PNG: replicas on the left, requests in flight on the right."""
    pyplot = load_pyplot()
    figure, rows = pyplot.subplots(len(NAMES), 2, figsize=(10, 2.1 * len(NAMES)), sharex=True)
    for name, (left, right) in zip(NAMES, rows, strict=True):
        for candidate, label, colour in DRAWN:
            samples = runs[name, candidate].samples
            minutes = [sample.at_s / 60 for sample in samples]
            replicas = [sample.replicas for sample in samples]
            left.step(minutes, replicas, where="post", label=label, color=colour, linewidth=1.2)
            right.plot(minutes, [sample.in_flight for sample in samples], color=colour, linewidth=1.0)
        left.set_ylabel(f"{name}\nreplicas")
        right.set_ylabel("in flight")
        for axes in (left, right):
            axes.spines[["top", "right"]].set_visible(False)
            axes.set_ylim(bottom=0)
    for axes in rows[-1]:
        axes.set_xlabel("minutes")
    figure.suptitle(
        f"Simulated: pods with {PODS.concurrency} requests at a time, {PODS.startup_s:.0f} s to start", y=0.995
    )
    rows[0][0].legend(frameon=False, fontsize="small", loc="upper right")
    figure.tight_layout()
    figure.savefig(file, dpi=80, metadata={KEY: fingerprint(runs), "Software": None})
    pyplot.close(figure)
