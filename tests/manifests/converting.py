"""Converts the text of a cortex.yaml."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any, Final

from dequeuer.apis import AsyncApi, parse_apis
from dequeuer.manifests.cluster import ClusterFacts
from dequeuer.manifests.conversion import chart_values
from dequeuer.manifests.notes import Notes

CLUSTER: Final = ClusterFacts(cluster_uid="uid-1", bucket="my-bucket", region="eu-west-1")
QUEUES: Final = {"sum": "https://sqs.eu-west-1.amazonaws.com/111122223333/sum.fifo"}


OF_EVERY_FILE: Final = ("image.repository and image.tag", "gateway.serviceAccount.annotations", "Cortex ran containers")
"""How the notes begin that are about every file."""


class Converted:
    """Values, and the notes about what is not carried over; those about every file are left out."""

    def __init__(self, text: str, cluster: ClusterFacts = CLUSTER, queues: Mapping[str, str] | None = None) -> None:
        data = textwrap.dedent(text).encode()
        apis = parse_apis(data, "cortex.yaml", has_all_targets=True)
        notes = Notes(data, "cortex.yaml")
        if queues is None:
            queues = {name: url for name, url in QUEUES.items() if isinstance(apis.get(name), AsyncApi)}
        self.values: dict[str, Any] = chart_values(apis, cluster, queues, notes)
        self.notes = [line for line in notes.lines() if not line.startswith(OF_EVERY_FILE)]

    def api(self, name: str = "sum") -> dict[str, Any]:
        """Return the values of an API."""
        found: dict[str, Any] = self.values["apis"][name]
        return found

    def container(self, index: int = 0) -> dict[str, Any]:
        """Return a container of the API `sum`."""
        found: dict[str, Any] = self.api()["containers"][index]
        return found


def api_text(kind: str, pod: str = "", container: str = "", more: str = "") -> str:
    """Return a file with one API; its parts are pieces of flow mappings, each with a comma in front."""
    command = ", command: [run]" if kind in {"BatchAPI", "TaskAPI"} and not container.startswith(", command") else ""
    inner = f"[{{name: api, image: 'sum:1'{command}{container}}}]"
    return f"- {{name: sum, kind: {kind}, pod: {{containers: {inner}{pod}}}{more}}}\n"
