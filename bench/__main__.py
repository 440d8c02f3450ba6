"""`python -m bench`: measures, prints the results, checks the limits."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench import fauxqs, limits, plot, report
from bench.child import BenchError
from bench.context import print_progress
from bench.options import Options, parse
from bench.run import run

EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 2


def main(options: Options) -> int:
    """Run the measurements; return the exit status."""
    bounds = limits.load(options.limits) if options.limits is not None else None
    if options.plot is not None:
        plot.check()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        if options.profile == "fauxqs":
            sys.stdout.write(fauxqs.run(options, Path(folder)) + "\n")
            return EXIT_OK
        results = run(options, Path(folder))
    sys.stdout.write(report.text(results) + "\n")
    if options.json is not None:
        options.json.write_text(report.as_json(results), encoding="utf-8")
    if options.plot is not None:
        plot.draw(results, options.plot)
    exceeded = limits.exceeded(bounds, results) if bounds is not None else []
    for line in exceeded:
        print_progress(f"limit exceeded: {line}")
    return EXIT_FAILED if exceeded or results.void else EXIT_OK


if __name__ == "__main__":
    try:
        sys.exit(main(parse(sys.argv[1:])))
    except BenchError as error:
        print_progress(f"bench: {error}")
        sys.exit(EXIT_USAGE)
