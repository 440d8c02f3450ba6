"""The environment of a container: of its image, ConfigMaps, fields of the pod, and references between variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dequeuer.pods.environment import expand
from tests.kubelet.errors import UnsupportedError, only_known
from tests.kubelet.spec import ContainerSpec

ConfigMaps = Mapping[str, Mapping[str, str]]
NODE = "node-of-tests"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodIdentity:
    """What a pod has besides its specification."""

    name: str
    namespace: str
    uid: str
    ip: str
    service_account: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    def field(self, path: str) -> str:
        """Return the value of a `fieldRef`. Raises `UnsupportedError`."""
        keyed = re.fullmatch(r"metadata\.(labels|annotations)\['([^']+)'\]", path)
        if keyed is not None:
            return (self.labels if keyed[1] == "labels" else self.annotations).get(keyed[2], "")
        values = {
            "metadata.name": self.name,
            "metadata.namespace": self.namespace,
            "metadata.uid": self.uid,
            "spec.nodeName": NODE,
            "spec.serviceAccountName": self.service_account,
            "status.podIP": self.ip,
        }
        if path not in values:
            raise UnsupportedError(f"a fieldRef is '{path}'; known are labels, annotations and {sorted(values)}")
        return values[path]


def environment_of(
    container: ContainerSpec, image: Mapping[str, str], pod: PodIdentity, config_maps: ConfigMaps
) -> dict[str, str]:
    """Return the whole environment of a container. Raises `UnsupportedError`.

    Args:
        container: whose it is.
        image: what the image sets. References do not see it: the kubelet does not know it.
        pod: for its fields.
        config_maps: by name.
    """
    own: dict[str, str] = {}
    for source in container.env_from:
        only_known(source, ("configMapRef", "prefix"), f"envFrom of '{container.name}'")
        reference = source["configMapRef"]
        prefix = source.get("prefix", "")
        own |= {prefix + key: text for key, text in _data(config_maps, reference).items()}
    for variable in container.env:
        value = _value(variable, own, pod, config_maps)
        if value is not None:
            own[variable["name"]] = value
    return {**image, "HOSTNAME": pod.name, **own}


def _value(
    variable: Mapping[str, Any], before: Mapping[str, str], pod: PodIdentity, config_maps: ConfigMaps
) -> str | None:
    source = variable.get("valueFrom")
    if source is None:
        return expand(variable.get("value", ""), before)
    only_known(source, ("fieldRef", "configMapKeyRef"), f"the variable {variable['name']}: valueFrom")
    if "fieldRef" in source:
        return pod.field(source["fieldRef"]["fieldPath"])
    reference = source["configMapKeyRef"]
    data = _data(config_maps, reference)
    if reference["key"] not in data and not reference.get("optional", False):
        raise UnsupportedError(f"the ConfigMap '{reference['name']}' has no key '{reference['key']}'")
    return data.get(reference["key"])


def _data(config_maps: ConfigMaps, reference: Mapping[str, Any]) -> Mapping[str, str]:
    if reference["name"] not in config_maps and not reference.get("optional", False):
        raise UnsupportedError(f"there is no ConfigMap '{reference['name']}'; there are {sorted(config_maps)}")
    return config_maps.get(reference["name"], {})
