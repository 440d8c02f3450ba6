from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.kubernetes.examples import Records
from tests.kubelet.network import why_no_pods

WHY_NOT = why_no_pods()


@pytest.fixture(autouse=True)
def _needs_pods() -> None:
    if WHY_NOT:
        pytest.skip(WHY_NOT)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path)
