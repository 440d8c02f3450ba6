"""The page has what the simulation comes to: tables, picture, and the sentences that name figures."""

import re
import struct
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from bench.scaling import page, plot
from bench.scaling.behavior import Direction
from bench.scaling.candidates import CHART as CHART_SPEC
from bench.scaling.experiments import Runs, run_shapes
from bench.scaling.loads import NAMES

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "scaling.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def runs() -> Runs:
    return run_shapes()


def png_texts(data: bytes) -> Mapping[str, str]:
    """Return the text chunks of a PNG."""
    found, at = {}, 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if data[at + 4 : at + 8] == b"tEXt":
            key, _, text = data[at + 8 : at + 8 + length].partition(b"\0")
            found[key.decode("latin-1")] = text.decode("latin-1")
        at += 12 + length
    return found


def test_the_tables_of_the_page_are_those_of_the_simulation(runs: Runs) -> None:
    assert PAGE.count("<!-- table: ") == 4
    assert page.render(PAGE, page.tables(runs)) == PAGE, "run: python -m bench.scaling --page docs/scaling.md"


def test_the_picture_was_drawn_from_these_runs(runs: Runs) -> None:
    texts = png_texts((DOCS / "scaling.png").read_bytes())
    assert texts[plot.KEY] == plot.fingerprint(runs), "run: python -m bench.scaling --plot docs/scaling.png"


CHART = "**the chart's defaults**"


def test_the_charts_defaults_wait_less_than_cortex_on_every_load(runs: Runs) -> None:
    for name in NAMES:
        assert runs[name, CHART].wait_s(99) < runs[name, "Cortex"].wait_s(99), name


def test_the_charts_defaults_need_fewer_pods_than_cortex_but_for_the_loss_of_pods(runs: Runs) -> None:
    more = {name: runs[name, CHART].pod_s / runs[name, "Cortex"].pod_s - 1 for name in NAMES}
    assert [name for name in NAMES if more[name] > 0] == ["spot-loss"]
    assert f"{more['spot-loss']:.0%}".replace("%", " %") + " more pod hours than with Cortex" in PAGE


def test_the_sentences_have_the_figures_of_the_burst(runs: Runs) -> None:
    chart, factors, cortex = (
        f"{runs['burst', candidate].wait_s(99):.0f} s"
        for candidate in (CHART, "KEDA, Cortex's factors each sync", "Cortex")
    )
    words = " ".join(PAGE.split())
    assert f"waits longer than {chart} in the burst" in words
    assert f"{factors} with Cortex's factors, {cortex} with Cortex" in words


def test_the_page_has_the_behavior_that_is_simulated() -> None:
    (text,) = re.findall(r"^```yaml\n(pollingInterval.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    written = yaml.safe_load(text)
    assert written == {
        "pollingInterval": CHART_SPEC.polling_s,
        "cooldownPeriod": CHART_SPEC.cooldown_s,
        "behavior": {
            "scaleUp": direction(CHART_SPEC.behavior.up),
            "scaleDown": direction(CHART_SPEC.behavior.down),
        },
    }


def test_the_chart_has_the_values_that_are_simulated() -> None:
    text = (DOCS.parent / "deploy" / "chart" / "values.yaml").read_text(encoding="utf-8")
    chart = yaml.safe_load(text)["defaults"]["autoscaling"]
    up, down = CHART_SPEC.behavior.up, CHART_SPEC.behavior.down
    assert (chart["pollingInterval"], chart["cooldownPeriod"]) == (CHART_SPEC.polling_s, CHART_SPEC.cooldown_s)
    assert (chart["upscaleStabilization"], chart["downscaleStabilization"]) == (
        up.stabilization_s,
        down.stabilization_s,
    )
    assert {(policy.kind, policy.value, policy.period_s) for policy in up.policies} == {
        ("Percent", round((chart["maxUpscaleFactor"] - 1) * 100), chart["upscalePeriod"]),
        ("Pods", chart["upscalePods"], chart["upscalePeriod"]),
    }
    assert {(policy.kind, policy.value, policy.period_s) for policy in down.policies} == {
        ("Percent", round((1 - chart["maxDownscaleFactor"]) * 100), chart["downscalePeriod"]),
        ("Pods", chart["downscalePods"], chart["downscalePeriod"]),
    }


def direction(rules: Direction) -> dict[str, object]:
    """Return the rules as Kubernetes writes them."""
    return {
        "stabilizationWindowSeconds": rules.stabilization_s,
        "selectPolicy": rules.select,
        "policies": [
            {"type": policy.kind, "value": policy.value, "periodSeconds": policy.period_s} for policy in rules.policies
        ],
    }
