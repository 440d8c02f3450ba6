"""Draws the comparison with the Go original."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any, Final

from bench.child import BenchError
from bench.results import Results
from bench.targets import GO_RATIOS

MISSING: Final = "--plot needs matplotlib: pip install matplotlib"
GO_COLOUR, OURS_COLOUR, FLOOR_COLOUR = "#9aa5b1", "#2563eb", "#111827"


def check() -> None:
    """Raise `BenchError` if matplotlib is missing, before minutes of measuring."""
    if importlib.util.find_spec("matplotlib") is None:
        raise BenchError(MISSING)


def load_pyplot() -> Any:
    """Return matplotlib's pyplot, drawing into files.

    It is an optional package: imported only here, and as Any, because the type checker may not have it.
    """
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    return importlib.import_module("matplotlib.pyplot")


def draw(results: Results, file: Path) -> None:
    """Draw CPU per message relative to the floor, for dequeuer and the Go original, into a PNG."""
    pyplot = load_pyplot()
    rows = [(name, label, go) for name, (label, go) in GO_RATIOS.items() if name in results.cpu]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.2), gridspec_kw={"width_ratios": [3, 2]})
    places = range(len(rows))
    ours = [results.cpu[name].ratio for name, _, _ in rows]
    left.bar([at - 0.2 for at in places], [go for _, _, go in rows], 0.4, label="Go original", color=GO_COLOUR)
    spreads = [[value.median - value.minimum for value in ours], [value.maximum - value.median for value in ours]]
    medians = [value.median for value in ours]
    left.bar([at + 0.2 for at in places], medians, 0.4, yerr=spreads, label="dequeuer", color=OURS_COLOUR, capsize=4)
    left.axhline(1, color=FLOOR_COLOUR, linewidth=1, linestyle="--", label="floor: raw protocol, nothing signed")
    for at, (_, _, go) in enumerate(rows):
        left.annotate(f"{go:g}x", (at - 0.2, go), ha="center", va="bottom")
        left.annotate(f"{medians[at]:.1f}x", (at + 0.2, ours[at].maximum), ha="center", va="bottom")
    left.set_xticks(list(places), [label for _, label, _ in rows])
    left.set_ylabel("CPU a message, times the floor")
    left.set_title("CPU a message, 16 workers")
    # Leaves room for the legend above the bars.
    left.set_ylim(top=1.45 * max([*medians, *(go for _, _, go in rows), 1]))
    left.legend(frameon=False, loc="upper right")
    _draw_requests(right, results)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(file, dpi=150)
    pyplot.close(figure)


def _draw_requests(axes: Any, results: Results) -> None:
    bars = [("Go original", 9.0, GO_COLOUR)]
    bars += [(name, row.aws_requests.median, OURS_COLOUR) for name, row in results.cpu.items() if name != "batch-16"]
    axes.barh([name for name, _, _ in bars], [value for _, value, _ in bars], color=[colour for _, _, colour in bars])
    for at, (_, value, _) in enumerate(bars):
        axes.annotate(f"{value:.1f}", (value, at), ha="left", va="center")
    axes.invert_yaxis()
    axes.set_title("AWS requests a message")
