from __future__ import annotations

from pathlib import Path

import pytest

from dequeuer.pods.environment import container_environment, expand

INHERITED = {"PATH": "/bin", "AWS_REGION": "us-west-2", "DEQUEUER_BUCKET": "b", "CORTEX_LOG_LEVEL": "debug"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("--port=$(CORTEX_PORT)", "--port=1234"),
        ("$(CORTEX_PORT)$(CORTEX_PORT)", "12341234"),
        ("$(OTHER)", "$(OTHER)"),
        ("$$(CORTEX_PORT)", "$(CORTEX_PORT)"),
        ("$CORTEX_PORT ${CORTEX_PORT} $", "$CORTEX_PORT ${CORTEX_PORT} $"),
    ],
)
def test_references_are_those_of_kubernetes(text: str, expanded: str) -> None:
    assert expand(text, {"CORTEX_PORT": "1234"}) == expanded


def test_a_container_has_the_environment_of_cortex() -> None:
    own = {"B": "$(A)/$(CORTEX_PORT)", "A": "a"}
    found = container_environment(INHERITED, version="0.42.1", port=1234, root=None, own=own)
    assert found == {
        "PATH": "/bin",
        "AWS_REGION": "us-west-2",
        "PYTHONUNBUFFERED": "1",
        "CORTEX_VERSION": "0.42.1",
        "CORTEX_LOG_LEVEL": "INFO",
        "CORTEX_CLI_CONFIG_DIR": "/cortex/client",
        "CORTEX_PORT": "1234",
        "A": "a",
        "B": "a/1234",
    }


def test_a_container_without_a_root_of_its_own_is_told_where_it_is() -> None:
    found = container_environment({}, version="1", port=None, root=Path("/srv/pod"), own={})
    assert found["CORTEX_ROOT"] == "/srv/pod"
    assert found["CORTEX_CLI_CONFIG_DIR"] == "/srv/pod/cortex/client"
    assert "CORTEX_PORT" not in found
