"""Reads an image from a folder in the OCI layout, as `buildah push IMAGE oci:FOLDER` writes it. Nothing is unpacked."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file of the image; `content` is empty for what is no file."""

    info: tarfile.TarInfo
    content: bytes

    @property
    def path(self) -> str:
        """The path, without the first slash."""
        return self.info.name.removeprefix("./").rstrip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class OciImage:
    """An image: the digest of its manifest, its configuration, its layers."""

    digest: str
    config: dict[str, Any]
    layers: tuple[Path, ...]

    @property
    def compressed_bytes(self) -> int:
        """What is downloaded: the layers as they are stored."""
        return sum(layer.stat().st_size for layer in self.layers)

    @property
    def labels(self) -> dict[str, str]:
        """The labels."""
        return dict(self.config["config"].get("Labels") or {})

    def entries(self) -> Iterator[Entry]:
        """Yield what is in the layers."""
        for layer in self.layers:
            with tarfile.open(layer) as archive:
                for info in archive:
                    file = archive.extractfile(info) if info.isfile() else None
                    yield Entry(info=info, content=file.read() if file else b"")


def read(layout: Path) -> OciImage:
    """Read the only image of a layout.

    Raises:
        ValueError: There is not exactly one.
    """
    manifests = json.loads((layout / "index.json").read_bytes())["manifests"]
    if len(manifests) != 1:
        raise ValueError(f"{layout} has {len(manifests)} images instead of one")

    def blob(digest: str) -> Path:
        return layout / "blobs" / digest.replace(":", "/")

    digest = manifests[0]["digest"]
    manifest = json.loads(blob(digest).read_bytes())
    return OciImage(
        digest=digest,
        config=json.loads(blob(manifest["config"]["digest"]).read_bytes()),
        layers=tuple(blob(layer["digest"]) for layer in manifest["layers"]),
    )
