"""The command line of `dequeuer manifests`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from dequeuer.settings.parsers import InvalidValueError
from dequeuer.settings.text_parsers import QUEUES

CHART: Final = Path(__file__).resolve().parents[2] / "deploy" / "chart"
"""The chart of a clone; an installed package has none."""

_EPILOG = """\
Values go to standard output, with what is not carried over as comments in front. The comments go to standard error,
too.

examples:
  dequeuer manifests cortex.yaml --cluster-config cluster.yaml --queues sum=https://sqs... > values.yaml
  helm install apis deploy/chart --values values.yaml

exit status:
  0  done; read the comments
  1  --plain: there is no Helm, or the chart refuses the values
  2  a file or the command line is wrong
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The parsed command line.

    Attributes:
        file: the cortex.yaml.
        cluster_file: the cluster.yaml; None: nothing is known of the cluster.
        queues: the URL of the queue of each AsyncAPI.
        is_plain: print manifests instead of values.
        chart: the folder of the chart.
        release: the name of the release, in names and labels.
        namespace: of the objects.
    """

    file: str
    cluster_file: str | None
    queues: Mapping[str, str]
    is_plain: bool
    chart: Path
    release: str
    namespace: str


def parse(argv: Sequence[str]) -> Options:
    """Parse the command line. Ends the process (`SystemExit`) after --help and for invalid arguments."""
    parser = argparse.ArgumentParser(
        prog="dequeuer manifests",
        description="Turn Cortex's cortex.yaml into values of the Helm chart.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("file", metavar="cortex.yaml", help="the configuration of the APIs")
    parser.add_argument("--cluster-config", metavar="FILE", help="cluster.yaml: uid, bucket, region, node groups")
    parser.add_argument(
        "--queues", type=_queues, default=MappingProxyType({}), metavar="NAME=URL,...", help="queues of the AsyncAPIs"
    )
    parser.add_argument("--plain", action="store_true", help="print manifests; needs Helm")
    parser.add_argument("--chart", type=Path, default=CHART, metavar="DIR", help="the chart, for --plain")
    parser.add_argument("--release", default="dequeuer", metavar="NAME", help="for --plain (default: dequeuer)")
    parser.add_argument("--namespace", default="default", metavar="NAME", help="for --plain (default: default)")
    given = parser.parse_args(argv)
    return Options(
        file=given.file,
        cluster_file=given.cluster_config,
        queues=given.queues,
        is_plain=given.plain,
        chart=given.chart,
        release=given.release,
        namespace=given.namespace,
    )


def _queues(text: str) -> Mapping[str, str]:
    try:
        return QUEUES.read(text)
    except InvalidValueError as error:
        why = f": {error}" if str(error) else ""
        raise argparse.ArgumentTypeError(f"allowed: {QUEUES.allowed}{why}") from None
