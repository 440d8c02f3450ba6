"""Looks for what should not be in the image, measures it, and compares it with its list of parts (SBOM).

Usage: scan_image.py LAYOUT [--forbid TEXT ...] [--sbom FILE], or scan_image.py LAYOUT --digest. LAYOUT is a folder in
the OCI layout. No file may contain a TEXT: paths and hosts of the machine that built it. `--sbom` writes the list of
parts.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from email.parser import HeaderParser
from pathlib import Path

from oci_image import Entry, OciImage, read

LIMIT_BYTES = 60_000_000
"""Of what is downloaded."""
SHOWN_FAULTS = 50
USER = "65532:65532"
SBOM = "usr/share/doc/dequeuer/sbom.cdx.json"
LABELS = ("created", "description", "licenses", "revision", "source", "title", "version")
EXECUTABLES = re.compile(r"(usr/(local/)?bin/python3\.\d+|opt/dequeuer/bin/dequeuer|.*\.so(\.[\w.]+)?)\Z")
"""No shell, no other command."""
UNWANTED_NAMES = re.compile(
    r"(^|/)(direct_url\.json|RECORD|pip\.conf|id_rsa|\.netrc|\.pypirc|\.git|tests?)(/|\Z)|\.(c|h|pyi|pyx|a|o)\Z"
)
UNWANTED_PACKAGES = frozenset(
    {"cyclonedx", "ensurepip", "hatchling", "ministack", "moto", "mypy", "mypyc", "pip", "setuptools"}
)
PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{16}")
UNCHECKED_HASH = b"\x01\0\0\0"


def faults(image: OciImage, forbidden: tuple[str, ...]) -> Iterator[str]:
    """Yield each fault as one sentence."""
    if image.compressed_bytes > LIMIT_BYTES:
        yield f"{image.compressed_bytes} bytes compressed are more than {LIMIT_BYTES}"
    if image.config["config"].get("User") != USER:
        yield f"the user is {image.config['config'].get('User')!r} instead of {USER!r}"
    for name in LABELS:
        if image.labels.get(f"org.opencontainers.image.{name}", "unknown") in ("", "unknown"):
            yield f"the label org.opencontainers.image.{name} is missing"
    created_s = int(datetime.fromisoformat(image.config["created"]).timestamp())
    texts = [text.encode() for text in forbidden]
    for entry in image.entries():
        yield from (f"/{entry.path} {fault}" for fault in faults_of_metadata(entry, created_s))
        yield from (f"/{entry.path} {fault}" for fault in faults_of_content(entry, texts))
    yield from faults_of_sbom(image)


def faults_of_metadata(entry: Entry, created_s: int) -> Iterator[str]:
    """Yield what is wrong with name, kind, owner, permissions and time."""
    info = entry.info
    if not (info.isfile() or info.isdir() or info.issym()):
        yield "is no file, folder or symbolic link"
    if (info.uid, info.gid) != (0, 0):
        yield f"belongs to {info.uid}:{info.gid}: the program could change it"
    if info.mode & 0o6000:
        yield "is setuid or setgid"
    # Like in every image, anyone may write to /tmp where the file system is not read-only.
    if info.mode & 0o022 and not info.issym() and entry.path != "tmp":
        yield f"may be written by others: {info.mode:o}"
    if info.isfile() and info.mode & 0o111 and not EXECUTABLES.match(entry.path):
        yield "is a command"
    if info.mtime != created_s:
        yield f"has the time {info.mtime} instead of {created_s}, that of the image"
    if UNWANTED_NAMES.search(entry.path) or UNWANTED_PACKAGES & {*entry.path.split("/")}:
        yield "is not needed at run time"


def faults_of_content(entry: Entry, forbidden: list[bytes]) -> Iterator[str]:
    """Yield what is wrong with the content of a file."""
    if PRIVATE_KEY.search(entry.content):
        yield "contains a private key"
    if entry.path.endswith(".pyc"):
        if entry.content[4:8] != UNCHECKED_HASH:
            yield "would be compared with the time of its source"
        if f"/{entry.path.partition('/__pycache__')[0]}/".encode() not in entry.content:
            yield "was compiled at another path"
    for text in forbidden:
        if text in entry.content:
            yield f"contains {text.decode()!r}, of the machine that built it"


def faults_of_sbom(image: OciImage) -> Iterator[str]:
    """Yield what is in the image and not in the list, and the other way around."""
    listed: set[tuple[str, str]] = set()
    present: set[tuple[str, str]] = set()
    for entry in image.entries():
        if entry.path == SBOM:
            document = json.loads(entry.content)
            parts = [*document["components"], document["metadata"]["component"]]
            listed = {(part["name"], part["version"]) for part in parts if part["name"] != "python"}
            if len(listed) != len(parts) - 1:
                yield "the list of parts does not name Python exactly once, or names a part twice"
        elif entry.path.endswith(".dist-info/METADATA"):
            present.add(identity(entry, "Name"))
        elif entry.path.startswith("var/lib/dpkg/status.d/") and entry.info.isfile():
            present.add(identity(entry, "Package"))
    yield from (f"{name} {version} is not in {SBOM}" for name, version in sorted(present - listed))
    yield from (f"{name} {version} is in {SBOM} alone" for name, version in sorted(listed - present))


def identity(entry: Entry, field: str) -> tuple[str, str]:
    """Return name and version of a distribution of Python or a package of Debian."""
    metadata = HeaderParser().parsestr(entry.content.decode())
    return metadata[field], metadata["Version"]


def largest(image: OciImage, number: int = 10) -> Iterator[str]:
    """Yield the largest folders, uncompressed."""
    sizes: Counter[str] = Counter()
    for entry in image.entries():
        folder = re.match(r"(.*/(site-packages|python3\.\d+)(/[^/]+)?|(usr/)?[^/]+/[^/]+)", entry.path)
        sizes[folder[0] if folder else entry.path] += entry.info.size
    for folder, size_bytes in sizes.most_common(number):
        yield f"{size_bytes / 1e6:5.1f} MB  /{folder}"


def main() -> int:
    """Print size, digest and faults, and return the exit status."""
    parser = argparse.ArgumentParser(description="Looks for what should not be in the image.")
    parser.add_argument("layout", type=Path)
    parser.add_argument("--forbid", action="append", default=[], metavar="TEXT")
    parser.add_argument("--sbom", type=Path, metavar="FILE")
    parser.add_argument("--digest", action="store_true", help="only print the digest")
    arguments = parser.parse_args()
    image = read(arguments.layout)
    if arguments.digest:
        sys.stdout.write(f"{image.digest}\n")
        return 0
    sys.stdout.write(f"digest {image.digest}\n")
    sys.stdout.write(f"{image.compressed_bytes / 1e6:.1f} MB compressed, of at most {LIMIT_BYTES / 1e6:.0f} MB\n")
    sys.stdout.writelines(f"{line}\n" for line in largest(image))
    found = list(faults(image, tuple(arguments.forbid)))
    sys.stdout.writelines(f"FAULT: {fault}\n" for fault in found[:SHOWN_FAULTS])
    if len(found) > SHOWN_FAULTS:
        sys.stdout.write(f"... and {len(found) - SHOWN_FAULTS} more\n")
    if arguments.sbom:
        content = next(entry.content for entry in image.entries() if entry.path == SBOM)
        arguments.sbom.write_bytes(content)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
