from __future__ import annotations

import pytest

from dequeuer.core.errors import ConfigurationError
from dequeuer.settings import load_controller

ENVIRON = {"DEQUEUER_BUCKET": "bucket", "DEQUEUER_CLUSTER_UID": "uid", "DEQUEUER_APIS": "cortex.yaml"}


def test_defaults() -> None:
    settings = load_controller([], ENVIRON)
    assert (settings.launcher, settings.cluster_name, settings.max_jobs) == ("local", "cortex", 10)
    assert (settings.ownership_timeout_s, settings.completion_delay_s, settings.shutdown_grace_s) == (30, 10, 25)
    assert settings.work_folder is None


def test_every_fault_is_told_together_with_those_of_the_file() -> None:
    def check(path: str, _: None) -> None:
        raise ConfigurationError([f"{path}:1:1: holds no list"])

    with pytest.raises(ConfigurationError) as told:
        load_controller([], {"DEQUEUER_APIS": "cortex.yaml", "DEQUEUER_LAUNCHER": "docker"}, check_apis=check)
    text = str(told.value)
    assert "DEQUEUER_BUCKET (or --bucket): is missing" in text
    assert "DEQUEUER_CLUSTER_UID" in text
    assert 'DEQUEUER_LAUNCHER: "docker" is not allowed; allowed: local' in text
    assert "DEQUEUER_APIS: cortex.yaml:1:1: holds no list" in text
