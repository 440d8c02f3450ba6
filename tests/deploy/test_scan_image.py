"""Each thing that should not be in the image is found by scripts/scan_image.py, and nothing in an image without faults."""

import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "scan_image.py"
CREATED_S = 1_700_000_000
PACKAGES = "opt/dequeuer/lib/python3.12/site-packages"
SBOM = "usr/share/doc/dequeuer/sbom.cdx.json"
KEY = b"-----BEGIN EC PRIVATE KEY-----\n" + b"TUhjQ0FRRUVJ" * 4


def part(name: str, version: str) -> dict[str, str]:
    return {"name": name, "version": version}


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    content: bytes = b""
    mode: int = 0o644
    kind: bytes = tarfile.REGTYPE
    uid: int = 0
    mtime_s: int = CREATED_S


@dataclass(slots=True, kw_only=True)
class Image:
    """An image without faults, which each test changes in one way."""

    user: str = "65532:65532"
    parts: list[dict[str, str]] = field(
        default_factory=lambda: [part("python", "3.12.1"), part("yarl", "1.0"), part("libc6", "2.36")]
    )
    labels: dict[str, str] = field(
        default_factory=lambda: {
            f"org.opencontainers.image.{name}": "1"
            for name in ("created", "description", "licenses", "revision", "source", "title", "version")
        }
    )
    files: dict[str, File] = field(
        default_factory=lambda: {
            "dequeuer": File(kind=tarfile.SYMTYPE, mode=0o777),
            "tmp": File(kind=tarfile.DIRTYPE, mode=0o1777),
            "usr/bin/python3.12": File(mode=0o755),
            "usr/lib/libc.so.6": File(mode=0o755),
            "opt/dequeuer/bin/dequeuer": File(mode=0o755),
            f"{PACKAGES}/yarl/__pycache__/a.cpython-312.pyc": File(
                content=b"\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0" + f"/{PACKAGES}/yarl/a.py".encode()
            ),
            f"{PACKAGES}/yarl-1.0.dist-info/METADATA": File(content=b"Name: yarl\nVersion: 1.0\n\ntext"),
            f"{PACKAGES}/dequeuer-0.1.0.dist-info/METADATA": File(content=b"Name: dequeuer\nVersion: 0.1.0\n"),
            "var/lib/dpkg/status.d/libc6": File(content=b"Package: libc6\nVersion: 2.36\n"),
        }
    )

    def write(self, layout: Path) -> None:
        document = {"components": self.parts, "metadata": {"component": part("dequeuer", "0.1.0")}}
        files = {**self.files, SBOM: File(content=json.dumps(document).encode())}
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as archive:
            for name, file in files.items():
                info = tarfile.TarInfo(name)
                info.size, info.mode, info.type = len(file.content), file.mode, file.kind
                info.uid, info.mtime = file.uid, file.mtime_s
                archive.addfile(info, io.BytesIO(file.content))
        layers = [self.blob(layout, gzip.compress(layer.getvalue(), compresslevel=0))]
        config = {"created": "2023-11-14T22:13:20Z", "config": {"User": self.user, "Labels": self.labels}}
        manifest = {"config": self.blob(layout, json.dumps(config).encode()), "layers": layers}
        index = {"manifests": [self.blob(layout, json.dumps(manifest).encode())]}
        (layout / "index.json").write_text(json.dumps(index))

    @staticmethod
    def blob(layout: Path, content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        path = layout / "blobs" / "sha256" / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return {"digest": f"sha256:{digest}"}


def scan(layout: Path, image: Image, *arguments: str) -> tuple[int, list[str]]:
    image.write(layout)
    command = [sys.executable, str(SCRIPT), str(layout), "--forbid", "/home/builder/src", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert not done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("digest sha256:")
    return done.returncode, [line.removeprefix("FAULT: ") for line in lines if line.startswith("FAULT: ")]


def test_an_image_without_faults_has_none(tmp_path: Path) -> None:
    sbom = tmp_path / "sbom.json"
    assert scan(tmp_path, Image(), "--sbom", str(sbom)) == (0, [])
    assert json.loads(sbom.read_bytes())["components"][0]["name"] == "python"


@pytest.mark.parametrize(
    ("name", "file", "fault"),
    [
        ("usr/bin/python3.12", File(mode=0o4755), "is setuid or setgid"),
        ("bin/sh", File(mode=0o755), "is a command"),
        ("opt/dequeuer/bin/jp.py", File(mode=0o755), "is a command"),
        ("etc/passwd", File(mode=0o666), "may be written by others: 666"),
        ("etc/passwd", File(mode=0o664), "may be written by others: 664"),
        ("etc/passwd", File(uid=65532), "belongs to 65532:0: the program could change it"),
        ("etc/passwd", File(mtime_s=1), f"has the time 1 instead of {CREATED_S}, that of the image"),
        ("dev/null", File(kind=tarfile.CHRTYPE), "is no file, folder or symbolic link"),
        ("root/key.pem", File(content=KEY), "contains a private key"),
        ("etc/x.conf", File(content=b"dir=/home/builder/src"), "contains '/home/builder/src', of the machine that built it"),
        ("etc/pip.conf", File(), "is not needed at run time"),
        (f"{PACKAGES}/yarl-1.0.dist-info/direct_url.json", File(), "is not needed at run time"),
        (f"{PACKAGES}/yarl/tests/test_a.py", File(), "is not needed at run time"),
        (f"{PACKAGES}/yarl/a.pyi", File(), "is not needed at run time"),
        (f"{PACKAGES}/setuptools/__init__.py", File(), "is not needed at run time"),
        (f"{PACKAGES}/yarl/__pycache__/b.cpython-312.pyc", File(content=b"\0" * 16 + f"/{PACKAGES}/yarl/b.py".encode()), "would be compared with the time of its source"),
        (f"{PACKAGES}/yarl/__pycache__/b.cpython-312.pyc", File(content=b"\0\0\0\0\x01" + b"\0" * 11 + b"/rootfs/b.py"), "was compiled at another path"),
    ],
)  # fmt: skip
def test_what_should_not_be_there_is_found(tmp_path: Path, name: str, file: File, fault: str) -> None:
    image = Image()
    image.files[name] = file
    assert scan(tmp_path, image) == (1, [f"/{name} {fault}"])


def test_the_digest_is_that_of_the_manifest(tmp_path: Path) -> None:
    Image().write(tmp_path)
    command = [sys.executable, str(SCRIPT), str(tmp_path), "--digest"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    (manifest,) = json.loads((tmp_path / "index.json").read_bytes())["manifests"]
    assert done.stdout == f"{manifest['digest']}\n"


def test_a_certificate_and_the_name_of_a_key_are_no_private_key(tmp_path: Path) -> None:
    image = Image()
    image.files["etc/ca.pem"] = File(content=KEY.replace(b"EC PRIVATE KEY", b"CERTIFICATE"))
    image.files["usr/lib/libssl.so"] = File(content=b"-----BEGIN PRIVATE KEY-----\0%s")
    assert scan(tmp_path, image) == (0, [])


def test_a_distribution_that_is_not_listed_is_found(tmp_path: Path) -> None:
    image = Image()
    image.files[f"{PACKAGES}/six-1.17.dist-info/METADATA"] = File(content=b"Name: six\nVersion: 1.17\n")
    assert scan(tmp_path, image) == (1, [f"six 1.17 is not in {SBOM}"])


def test_a_package_of_another_version_is_found(tmp_path: Path) -> None:
    image = Image()
    image.files["var/lib/dpkg/status.d/libc6"] = File(content=b"Package: libc6\nVersion: 2.37\n")
    assert scan(tmp_path, image) == (1, [f"libc6 2.37 is not in {SBOM}", f"libc6 2.36 is in {SBOM} alone"])


def test_a_list_without_python_is_found(tmp_path: Path) -> None:
    image = Image()
    del image.parts[0]
    status, (fault,) = scan(tmp_path, image)
    assert status == 1
    assert "does not name Python exactly once" in fault


@pytest.mark.parametrize("value", ["", "unknown"])
def test_a_label_without_a_value_is_found(tmp_path: Path, value: str) -> None:
    image = Image()
    image.labels["org.opencontainers.image.source"] = value
    assert scan(tmp_path, image) == (1, ["the label org.opencontainers.image.source is missing"])


def test_another_user_is_found(tmp_path: Path) -> None:
    assert scan(tmp_path, Image(user="")) == (1, ["the user is '' instead of '65532:65532'"])


def test_an_image_that_is_too_large_is_found(tmp_path: Path) -> None:
    image = Image()
    # The layers of these tests are not compressed.
    image.files["usr/lib/large"] = File(content=bytes(61_000_000))
    status, (fault,) = scan(tmp_path, image)
    assert status == 1
    assert fault.endswith("bytes compressed are more than 60000000")
