"""The volumes of a pod as folders, and where a container sees them: at their real paths, in a mount namespace."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dequeuer.process import enter_root
from tests.kubelet.environment import ConfigMaps
from tests.kubelet.errors import UnsupportedError, only_known
from tests.kubelet.spec import ContainerSpec, Mount, PodSpec

LEFT_ALONE = "tmp"
"""What is mounted at or below it is left out: the programs and files of the tests are there."""


class Volumes:
    """The volumes of one pod, written into a folder. Raises `UnsupportedError`."""

    def __init__(self, pod: PodSpec, config_maps: ConfigMaps, folder: Path) -> None:
        self._folder = folder
        self._volumes = {name: folder / "volumes" / name for name in pod.volumes}
        self._read = {name for name, volume in pod.volumes.items() if "configMap" in volume}
        for name, volume in pod.volumes.items():
            self._volumes[name].mkdir(parents=True)
            self._fill(name, volume, config_maps)

    def _fill(self, name: str, volume: Mapping[str, Any], config_maps: ConfigMaps) -> None:
        only_known(volume, ("name", "emptyDir", "configMap"), f"the volume '{name}'")
        if "configMap" not in volume:
            return
        source = volume["configMap"]
        only_known(source, ("name", "optional", "items", "defaultMode"), f"the volume '{name}'")
        if source["name"] not in config_maps:
            if source.get("optional", False):
                return
            raise UnsupportedError(f"there is no ConfigMap '{source['name']}'; there are {sorted(config_maps)}")
        data = config_maps[source["name"]]
        items = {item["key"]: item["path"] for item in source.get("items", ())} or {key: key for key in data}
        for key, path in items.items():
            file = self._volumes[name] / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(data[key], encoding="utf-8")

    def folder(self, volume: str) -> Path:
        """Return the folder of a volume."""
        return self._volumes[volume]

    def enter(self, container: ContainerSpec) -> list[str]:
        """Return the beginning of a command that runs the rest where the container sees its volumes."""
        own = self._folder / "containers" / container.name
        (own / "new-root").mkdir(parents=True, exist_ok=True)
        script = str(Path(enter_root.__file__))
        mounts = self._mounts(container, own / "places")
        return [sys.executable, "-I", "-S", script, str(own / "new-root"), "0", *mounts, "--"]

    def _mounts(self, container: ContainerSpec, places: Path) -> Sequence[str]:
        """Return what `enter_root.py` has to mount: folders at the top first, then what is in them."""
        top: dict[str, Path] = {}
        below: dict[str, Path] = {}
        for mount in sorted(container.mounts, key=lambda one: one.path):
            source = self._source(mount, container.name)
            name = mount.path.strip("/")
            first, _, rest = name.partition("/")
            if first == LEFT_ALONE:
                continue
            if not rest:
                top[first] = source
                continue
            below[name] = source
            if (Path("/") / name).exists():
                continue
            if first not in top and (Path("/") / first).exists():
                top[f".{first}"] = Path("/") / first
                _link(places / first, first)
            _make_place(top.setdefault(first, places / first) / rest, is_folder=source.is_dir())
        return [f"{name}={source}" for name, source in (*top.items(), *below.items())]

    def _source(self, mount: Mount, container: str) -> Path:
        if mount.volume not in self._volumes:
            raise UnsupportedError(f"'{container}' mounts the volume '{mount.volume}', which the pod does not have")
        source = self._volumes[mount.volume] / mount.sub_path
        if not source.exists():
            if mount.volume in self._read:
                raise UnsupportedError(f"'{container}' mounts '{mount.sub_path}', which '{mount.volume}' does not have")
            source.mkdir(parents=True)
        return source


def _link(place: Path, name: str) -> None:
    """Make a folder that looks like one at the root of this machine, which the container sees as `/.<name>`."""
    place.mkdir(parents=True)
    for entry in (Path("/") / name).iterdir():
        (place / entry.name).symlink_to(f"/.{name}/{entry.name}")


def _make_place(path: Path, *, is_folder: bool) -> None:
    if path.parent.is_symlink():
        raise UnsupportedError(
            f"a volume is mounted below {path.parent.name}, which this machine has at the same place"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    if is_folder:
        path.mkdir(exist_ok=True)
    else:
        path.touch()
