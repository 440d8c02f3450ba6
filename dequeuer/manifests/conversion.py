"""From the APIs of a cortex.yaml to the values of the chart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dequeuer.apis import Api, Apis, AsyncApi, BatchApi, RealtimeApi, TaskApi, TrafficSplitter
from dequeuer.manifests.cluster import ClusterFacts
from dequeuer.manifests.containers import kubernetes_containers, largest_shm
from dequeuer.manifests.nodes import TOLERATIONS, chart_affinity
from dequeuer.manifests.notes import Notes, Place
from dequeuer.manifests.scaling import chart_autoscaling, chart_update_strategy


def chart_values(apis: Apis, cluster: ClusterFacts, queues: Mapping[str, str], notes: Notes) -> dict[str, Any]:
    """Return the values of the chart.

    Args:
        apis: of the file; the targets of its splitters are among them.
        cluster: what is known of the cluster.
        queues: the URL of the queue of each AsyncAPI, as far as they are known.
        notes: gets what is not carried over, and what a person has to decide.
    """
    values: dict[str, Any] = {}
    for key, given, what in (
        ("clusterUid", cluster.cluster_uid, "cluster_uid"),
        ("bucket", cluster.bucket, "bucket"),
        ("region", cluster.region, "region"),
    ):
        if given:
            values[key] = given
        else:
            notes.add_general(f"{key}: is needed; give --cluster-config a file with {what}, or set it")
    notes.add_general("image.repository and image.tag: are needed: the image of the dequeuer that you have pushed")
    notes.add_general(
        "gateway.serviceAccount.annotations, and serviceAccount.annotations of each AsyncAPI and BatchAPI: name their "
        "roles there, unless the cluster has EKS Pod Identity; `dequeuer provision policies` prints what each may do"
    )
    notes.add_general(
        "Cortex ran containers privileged, as the user of the image; here they have no capabilities. runAsNonRoot: "
        "false lets them be root: remove it where the images have a user of their own"
    )
    values["defaults"] = {
        "podSecurityContext": {"runAsNonRoot": False},
        "tolerations": [dict(one) for one in TOLERATIONS],
    }
    values["gateway"] = {"enabled": True}
    written: dict[str, Any] = {}
    splitters: dict[str, Any] = {}
    for index, api in enumerate(apis):
        place = Place(notes=notes, location=(index,))
        if isinstance(api, TrafficSplitter):
            splitters[api.name] = _splitter(api)
        elif isinstance(api, TaskApi):
            place.note("is left out: the chart has no TaskAPI; `dequeuer controller` runs its jobs as local processes")
        else:
            written[api.name] = _api(api, cluster, queues, place)
    for name in queues:
        if not isinstance(apis.get(name), AsyncApi):
            notes.add_general(f"--queues: {name} is no AsyncAPI of the file; its queue is not used")
    values["apis"] = written
    if splitters:
        values["trafficSplitters"] = splitters
    return values


def _api(
    api: AsyncApi | RealtimeApi | BatchApi, cluster: ClusterFacts, queues: Mapping[str, str], place: Place
) -> dict[str, Any]:
    pod = place.below("pod")
    written: dict[str, Any] = {"kind": api.kind}
    if isinstance(api, AsyncApi):
        if api.name in queues:
            written["queueUrl"] = queues[api.name]
        else:
            place.note(f"queueUrl: is needed; give --queues {api.name}=URL, or set it")
    written["port"] = api.pod.port
    if isinstance(api, AsyncApi | RealtimeApi):
        written["concurrency"] = api.pod.max_concurrency
    if isinstance(api, RealtimeApi):
        written["queueLength"] = api.pod.max_queue_length
    _set_endpoint(api, written)
    if (shm := largest_shm(api.pod.containers, pod.below("containers"))) is not None:
        written["shm"] = shm
    written["containers"] = kubernetes_containers(api.pod.containers, pod.below("containers"))
    if isinstance(api, AsyncApi | RealtimeApi):
        written["autoscaling"] = chart_autoscaling(api, place.below("autoscaling"))
        if strategy := chart_update_strategy(api.update_strategy):
            written["updateStrategy"] = strategy
    if (affinity := chart_affinity(api.node_groups, cluster, place.below("node_groups"))) is not None:
        written["affinity"] = affinity
    return written


def _splitter(splitter: TrafficSplitter) -> dict[str, Any]:
    written: dict[str, Any] = {}
    _set_endpoint(splitter, written)
    written["apis"] = [
        {"name": one.name, "weight": one.weight, **({"shadow": True} if one.shadow else {})} for one in splitter.apis
    ]
    return written


def _set_endpoint(api: Api, written: dict[str, Any]) -> None:
    if api.networking.endpoint is not None:
        written["endpoint"] = api.networking.endpoint
