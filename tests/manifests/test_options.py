import re
import shlex
from pathlib import Path

import pytest

from dequeuer.manifests.options import CHART, parse
from dequeuer.settings.provision_loading import load_provision

ROOT = Path(__file__).resolve().parents[2]


def documented(program: str) -> list[str]:
    """Return the arguments of a command in docs/migration.md."""
    text = (ROOT / "docs" / "migration.md").read_text(encoding="utf-8").replace("\\\n", " ")
    (line,) = re.findall(rf"^dequeuer {program} (.*)$", text, re.MULTILINE)
    return shlex.split(line.partition(" > ")[0].replace("<uid>", "uid").replace("<bucket>", "my-bucket"))


def test_the_command_of_the_page_about_cortex_is_understood() -> None:
    options = parse(documented("manifests"))
    assert (options.file, options.cluster_file) == ("cortex.yaml", "cluster.yaml")
    assert set(options.queues) == {"text-generator"}
    assert not options.is_plain


def test_the_command_that_makes_its_queue_is_understood() -> None:
    settings = load_provision(documented("provision"), {"AWS_REGION": "eu-west-1"})
    assert settings.is_dry_run


def test_by_default_the_chart_is_that_of_the_clone() -> None:
    assert parse(["cortex.yaml"]).chart == CHART == ROOT / "deploy" / "chart"


def test_help_is_status_0(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--help"])
    assert ended.value.code == 0
    assert "--cluster-config" in capsys.readouterr().out
