"""The manifests in the documents are valid."""

import re
from typing import Any

import yaml

from tests.deploy.chart.rendering import ROOT
from tests.deploy.chart.test_schemas import faults_of


def manifests(page: str) -> list[dict[str, Any]]:
    """Return the Kubernetes objects in the code blocks of a page."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    found = [document for block in blocks for document in yaml.safe_load_all(block)]
    return [document for document in found if isinstance(document, dict) and "apiVersion" in document]


def test_keda_takes_the_scaled_object_of_the_page_about_scaling() -> None:
    (route, scaled) = manifests("scaling.md")
    assert (route["kind"], scaled["kind"]) == ("InterceptorRoute", "ScaledObject")
    assert faults_of([scaled]) == []
    assert scaled["spec"]["triggers"][0]["metadata"]["interceptorRoute"] == route["metadata"]["name"]
