"""A file of manifests: its workloads, and the ConfigMaps around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from tests.kubelet.errors import UnsupportedError

PODS = {"Deployment": "replicas", "Job": "parallelism", "ScaledJob": ""}
"""Kinds of workloads, and the field that has the number of their pods; that of a ScaledJob starts as many as it needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What makes pods.

    Attributes:
        name: of the object; the names of its pods begin with it.
        namespace: of the object.
        template: of its pods, as Kubernetes writes it.
        pods: how many the manifest asks for.
    """

    name: str
    namespace: str
    template: Mapping[str, Any]
    pods: int

    def of(self, spec: Mapping[str, Any]) -> Workload:
        """Return the same with another pod specification."""
        template = {**self.template, "spec": spec}
        return Workload(name=self.name, namespace=self.namespace, template=template, pods=self.pods)

    @property
    def spec(self) -> Mapping[str, Any]:
        """The specification of its pods."""
        spec: Mapping[str, Any] = self.template["spec"]
        return spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The documents of a file, of which all belong together."""

    workloads: Mapping[str, Workload]
    config_maps: Mapping[str, Mapping[str, str]]

    @property
    def workload(self) -> Workload:
        """The only workload of the file."""
        (found,) = self.workloads.values()
        return found

    def formed(self, form: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Manifest:
        """Return the same with other specifications of its pods."""
        workloads = {name: workload.of(form(workload.spec)) for name, workload in self.workloads.items()}
        return Manifest(workloads=workloads, config_maps=self.config_maps)


def read_manifest(text: str) -> Manifest:
    """Return the workloads and ConfigMaps of a YAML text; other objects are left out. Raises `UnsupportedError`."""
    return manifest_of([document for document in yaml.safe_load_all(text) if document])


def manifest_of(documents: Iterable[Mapping[str, Any]]) -> Manifest:
    """Return the workloads and ConfigMaps among these objects. Raises `UnsupportedError`."""
    workloads = {}
    config_maps = {}
    for document in documents:
        name = document["metadata"]["name"]
        if document["kind"] in PODS:
            workloads[name] = _workload(name, document)
        if document["kind"] == "ConfigMap":
            if document.get("binaryData"):
                raise UnsupportedError(f"the ConfigMap '{name}' has binaryData; only data is known")
            config_maps[name] = document.get("data", {})
    return Manifest(workloads=workloads, config_maps=config_maps)


def _workload(name: str, document: Mapping[str, Any]) -> Workload:
    spec = document["spec"]
    pods = spec.get(PODS[document["kind"]], 1)
    spec = spec.get("jobTargetRef", spec)
    namespace = document["metadata"].get("namespace", "default")
    return Workload(name=name, namespace=namespace, template=spec["template"], pods=pods)
