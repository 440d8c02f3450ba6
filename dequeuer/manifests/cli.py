"""Runs `dequeuer manifests` and returns its exit status."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from dequeuer.apis.loading import MAX_BYTES, parse_apis
from dequeuer.core.errors import ConfigurationError, clip
from dequeuer.core.plurals import counted
from dequeuer.files.reading import UnreadableError, read_bounded
from dequeuer.manifests.cluster import ClusterFacts, load_cluster
from dequeuer.manifests.conversion import chart_values
from dequeuer.manifests.notes import Notes
from dequeuer.manifests.options import Options, parse
from dequeuer.manifests.rendering import RenderError, render
from dequeuer.manifests.writing import values_text

EXIT_FAILED, EXIT_BAD_FILE = 1, 2


def main(argv: Sequence[str]) -> int:
    """Print values or manifests. Ends the process (`SystemExit`) after --help and usage errors."""
    options = parse(argv)
    try:
        return _run(options)
    except ConfigurationError as error:
        count = counted(len(error.faults), "fault")
        lines = (f"dequeuer manifests: {count}", *(f"  {fault}" for fault in error.faults))
        sys.stderr.write("\n".join(lines) + "\n")
        return EXIT_BAD_FILE
    except RenderError as error:
        sys.stderr.write(f"dequeuer manifests: {error}\n")
        return EXIT_FAILED


def _run(options: Options) -> int:
    cluster = ClusterFacts() if options.cluster_file is None else load_cluster(options.cluster_file)
    try:
        data = read_bounded(options.file, MAX_BYTES)
    except UnreadableError as error:
        text = f"{clip(options.file)}: {error}; allowed: a readable file with a list of APIs"
        raise ConfigurationError([text]) from None
    apis = parse_apis(data, options.file, has_all_targets=True)
    notes = Notes(data, options.file)
    values = chart_values(apis, cluster, options.queues, notes)
    lines = notes.lines()
    text = (
        render(values, options.chart, options.release, options.namespace)
        if options.is_plain
        else values_text(values, lines, clip(options.file))
    )
    sys.stdout.write(text)
    sys.stderr.writelines(f"dequeuer manifests: {line}\n" for line in lines)
    return 0
