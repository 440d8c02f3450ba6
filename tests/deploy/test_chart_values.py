import json
import runpy
from pathlib import Path

import jsonschema
import pytest
import yaml

from dequeuer import __version__

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "chart"
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "chart_readme.py"))


def test_the_page_of_the_charts_values_is_current() -> None:
    page = (CHART / "README.md").read_text(encoding="utf-8")
    assert page == SCRIPT["render"](), "run: python scripts/chart_readme.py"


@pytest.mark.parametrize("file", ["values.yaml", "ci/minimal.yaml", "ci/full.yaml"])
def test_the_schema_is_one_that_helm_3_reads_too(file: str) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.Draft7Validator(schema).validate(yaml.safe_load((CHART / file).read_text(encoding="utf-8")))


def test_an_image_that_the_chart_takes_is_one_that_the_gateway_takes() -> None:
    # The gateway reads the containers in a cortex.yaml, and would not start with another one.
    chart = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    cortex = (ROOT / "docs" / "cortex.schema.json").read_text(encoding="utf-8")
    pattern = chart["definitions"]["container"]["properties"]["image"]["pattern"]
    assert f'"pattern": {json.dumps(pattern)}' in cortex


def test_the_chart_installs_the_version_that_it_comes_with() -> None:
    assert yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))["appVersion"] == __version__


def test_every_value_has_a_row_with_its_default() -> None:
    page = SCRIPT["render"]()
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    for name in [*schema["definitions"]["api"]["properties"], *schema["definitions"]["container"]["properties"]]:
        assert f"| `{name}` |" in page or f"| `{name}." in page, name
    assert "| `shutdownGrace` | `55` | a number from 0 to 43200 |" in page
    assert "| `autoscaling.maxDownscaleFactor` | `0.75` | a number, at least 0, below 1 |" in page
