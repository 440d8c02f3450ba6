import json
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "chart"
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "chart_readme.py"))


def test_the_page_of_the_charts_values_is_current() -> None:
    page = (CHART / "README.md").read_text(encoding="utf-8")
    assert page == SCRIPT["render"](), "run: python scripts/chart_readme.py"


def test_every_value_has_a_row_with_its_default() -> None:
    page = SCRIPT["render"]()
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    for name in [*schema["definitions"]["api"]["properties"], *schema["definitions"]["container"]["properties"]]:
        assert f"| `{name}` |" in page or f"| `{name}." in page, name
    assert "| `shutdownGrace` | `55` | a number from 0 to 43200 |" in page
    assert "| `autoscaling.maxDownscaleFactor` | `0.75` | a number, at least 0, below 1 |" in page
