from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubelet.node import Node
from tests.kubelet.stage import small_node


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with small_node(tmp_path) as running:
        yield running
