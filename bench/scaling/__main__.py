"""`python -m bench.scaling`: simulates the autoscalers and prints the tables of docs/scaling.md."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.child import BenchError
from bench.plot import check
from bench.scaling import page, plot
from bench.scaling.experiments import run_shapes


def main() -> int:
    """Run everything; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", allow_abbrev=False)
    parser.description = "Simulate autoscalers on loads of bench/scaling/loads, in virtual time."
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw replicas over time as PNG (needs matplotlib)")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the tables into this page")
    options = parser.parse_args()
    if options.plot is not None:
        check()
    runs = run_shapes()
    made = page.tables(runs)
    if options.page is not None:
        options.page.write_text(page.render(options.page.read_text(encoding="utf-8"), made), encoding="utf-8")
    if options.plot is not None:
        plot.draw(runs, options.plot)
    sys.stdout.write("\n\n".join(made.values()) + "\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.stderr.write(f"bench.scaling: {error}\n")
        sys.exit(2)
