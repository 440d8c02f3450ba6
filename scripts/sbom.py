"""Writes what is in the image as a list in CycloneDX 1.6: distributions of Python, Python, Debian's packages.

Usage: sbom.py ROOT, with a Python that has cyclonedx-python-lib. It does not depend on when or where it is made.
"""

import platform
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from email.parser import HeaderParser
from importlib.metadata import Distribution, distributions
from os import environ
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

FILE = "usr/share/doc/dequeuer/sbom.cdx.json"
NAME = "dequeuer"


def python_components(root: Path) -> Iterator[Component]:
    """Yield the distributions of the environment, and Python itself.

    Raises:
        FileNotFoundError: There is no environment.
    """
    yield _component("python", PackageURL("generic", name="python", version=platform.python_version()), "PSF-2.0")
    (packages,) = root.glob("opt/dequeuer/lib/python3.*/site-packages")
    for distribution in distributions(path=[str(packages)]):
        name = distribution.metadata["Name"].lower().replace("_", "-").replace(".", "-")
        purl = PackageURL("pypi", name=name, version=distribution.version)
        yield _component(distribution.metadata["Name"], purl, _licence(distribution))


def _licence(distribution: Distribution) -> str | None:
    # Old metadata has the whole text of the licence here.
    for field in ("License-Expression", "License"):
        text = distribution.metadata.get(field)
        if text and len(text) < 100 and "\n" not in text:
            return text
    return None


def debian_components(root: Path) -> Iterator[Component]:
    """Yield Debian's packages of which files are in the image."""
    system = dict(
        line.split("=", 1) for line in (root / "usr/lib/os-release").read_text("utf-8").splitlines() if "=" in line
    )
    distro = f"debian-{system['VERSION_ID'].strip(chr(34))}"
    for path in sorted((root / "var/lib/dpkg/status.d").iterdir()):
        package = HeaderParser().parsestr(path.read_text("utf-8"))
        qualifiers = {"arch": package["Architecture"], "distro": distro}
        purl = PackageURL("deb", "debian", package["Package"], package["Version"], qualifiers)
        yield _component(package["Package"], purl, None)


def _component(name: str, purl: PackageURL, licence: str | None) -> Component:
    kind = ComponentType.PLATFORM if purl.type == "generic" else ComponentType.LIBRARY
    licences = [LicenseFactory().make_from_string(licence)] if licence else []
    return Component(name=name, version=purl.version, purl=purl, type=kind, bom_ref=purl.to_string(), licenses=licences)


def document(root: Path, time_s: int) -> str:
    """Return the list as JSON."""
    components = [*python_components(root), *debian_components(root)]
    (own,) = [component for component in components if component.name == NAME]
    others = [component for component in components if component is not own]
    bom = Bom(components=others, serial_number=_serial_number(components))
    bom.metadata.timestamp = datetime.fromtimestamp(time_s, UTC)
    own.type = ComponentType.APPLICATION
    bom.metadata.component = own
    bom.register_dependency(own, others)
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _serial_number(components: list[Component]) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, "\n".join(sorted(str(component.purl) for component in components)))


def main(arguments: list[str]) -> int:
    """Write the file and return the exit status."""
    if len(arguments) != 1:
        sys.stderr.write(f"usage: {Path(__file__).name} ROOT\n")
        return 2
    path = Path(arguments[0], FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document(Path(arguments[0]), int(environ["SOURCE_DATE_EPOCH"])), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
