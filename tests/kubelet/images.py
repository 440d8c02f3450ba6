"""Images: the command that stands for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.kubelet.errors import UnsupportedError
from tests.kubelet.spec import ContainerSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What runs instead of an image.

    Attributes:
        entrypoint: its program, with the arguments that it always has.
        cmd: its arguments, unless the container has `args`.
        environment: that containers of the image have; nothing is inherited from the tests.
    """

    entrypoint: Sequence[str]
    cmd: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def image_of(container: ContainerSpec, images: Mapping[str, Image]) -> Image:
    """Return the image of a container. `images`: by name without tag and digest. Raises `UnsupportedError`."""
    name = container.image.partition("@")[0]
    if ":" in name.rpartition("/")[2]:
        name = name.rpartition(":")[0]
    if name not in images:
        raise UnsupportedError(f"the container '{container.name}' has the image '{name}'; known are {sorted(images)}")
    return images[name]


def command_of(container: ContainerSpec, image: Image) -> list[str]:
    """Return the command and arguments of a container, references not replaced, by the rules of Kubernetes."""
    if container.command is not None:
        return [*container.command, *(container.args or ())]
    return [*image.entrypoint, *(image.cmd if container.args is None else container.args)]
