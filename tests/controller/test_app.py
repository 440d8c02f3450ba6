from __future__ import annotations

from pathlib import Path

import pytest

from dequeuer.controller import app
from dequeuer.core.errors import ConfigurationError
from dequeuer.observability import logs
from dequeuer.settings import load_controller


def test_a_file_of_hosts_that_cannot_be_read_is_told_before_anything_is_made_or_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "configure", lambda *_: None)
    (tmp_path / "cortex.yaml").write_text(
        "- {name: sum, kind: BatchAPI, pod: {containers: [{name: api, image: sum, command: [sum]}]}}\n",
        encoding="utf-8",
    )
    environ = {
        "AWS_REGION": "us-west-2",
        "DEQUEUER_BUCKET": "bucket",
        "DEQUEUER_CLUSTER_UID": "uid",
        "DEQUEUER_APIS": str(tmp_path / "cortex.yaml"),
        "DEQUEUER_WORK_FOLDER": str(tmp_path / "work"),
        "DEQUEUER_HOSTS_PATH": str(tmp_path / "hosts"),
    }
    with pytest.raises(ConfigurationError, match="DEQUEUER_HOSTS_PATH: cannot be read"):
        app.run_controller(load_controller([], environ))
    assert not (tmp_path / "work").exists()
