import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parents[2] / "scripts" / "sbom.py"
SBOM = "usr/share/doc/dequeuer/sbom.cdx.json"
PACKAGES = "opt/dequeuer/lib/python3.12/site-packages"
FILES = {
    "usr/lib/os-release": 'NAME="Debian GNU/Linux"\nVERSION_ID="13"\n',
    "var/lib/dpkg/status.d/libc6": "Package: libc6\nArchitecture: arm64\nVersion: 2.41-12\n",
    f"{PACKAGES}/dequeuer-0.1.0.dist-info/METADATA": "Name: dequeuer\nVersion: 0.1.0\nLicense-Expression: Apache-2.0\n",
    f"{PACKAGES}/backports_zstd-1.8.0.dist-info/METADATA": "Name: backports.zstd\nVersion: 1.8.0\nLicense: PSF-2.0\n",
    f"{PACKAGES}/six-1.17.0.dist-info/METADATA": f"Name: six\nVersion: 1.17.0\nLicense: {'Permission is granted. ' * 9}\n",
}


def written(root: Path) -> tuple[bytes, dict[str, Any]]:
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    subprocess.run([sys.executable, str(SCRIPT), str(root)], env=environment, check=True, timeout=60)
    content = (root / SBOM).read_bytes()
    return content, json.loads(content)


def test_every_distribution_and_package_and_python_itself_are_listed(tmp_path: Path) -> None:
    _, document = written(tmp_path)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert {part["purl"] for part in document["components"]} == {
        f"pkg:generic/python@{platform.python_version()}",
        "pkg:pypi/backports-zstd@1.8.0",
        "pkg:pypi/six@1.17.0",
        "pkg:deb/debian/libc6@2.41-12?arch=arm64&distro=debian-13",
    }
    assert document["metadata"]["component"]["purl"] == "pkg:pypi/dequeuer@0.1.0"
    (own,) = [entry for entry in document["dependencies"] if entry["ref"] == "pkg:pypi/dequeuer@0.1.0"]
    assert sorted(own["dependsOn"]) == sorted(part["bom-ref"] for part in document["components"])


def test_licences_are_named_and_whole_texts_left_out(tmp_path: Path) -> None:
    _, document = written(tmp_path)
    licences = {part["name"]: part.get("licenses") for part in document["components"]}
    assert licences["backports.zstd"] == [{"license": {"id": "PSF-2.0"}}]
    assert licences["six"] is None
    assert document["metadata"]["component"]["licenses"] == [{"license": {"id": "Apache-2.0"}}]


def test_the_list_does_not_depend_on_place_or_time(tmp_path: Path) -> None:
    first, document = written(tmp_path / "a")
    second, _ = written(tmp_path / "b")
    assert first == second
    assert document["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"
