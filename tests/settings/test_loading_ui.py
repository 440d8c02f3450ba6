"""The settings of `dequeuer ui`."""

from __future__ import annotations

from pathlib import Path

import pytest

from dequeuer.client.token import read_token
from dequeuer.core.errors import ConfigurationError
from dequeuer.settings import load_ui
from dequeuer.settings.ui import MetricsAddress

UI = {"DEQUEUER_GATEWAY_URL": "http://127.0.0.1:8888"}


def check_token(path: str, _: None) -> object:
    return read_token(path)


def ui_faults(environ: dict[str, str], *argv: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_ui(argv, environ, check_token=check_token)
    return "\n".join(caught.value.faults)


def test_the_defaults_serve_this_machine_alone() -> None:
    settings = load_ui([], UI)
    assert (settings.hosts, settings.port, settings.token_path) == (("127.0.0.1",), 8090, None)
    assert (settings.metrics, settings.names, settings.gateway_token_path) == ((), (), None)


def test_the_gateway_is_required() -> None:
    assert "DEQUEUER_GATEWAY_URL" in ui_faults({})


@pytest.mark.parametrize("hosts", ["0.0.0.0", "::", "127.0.0.1,10.0.0.1", "ui.example.com"])
def test_an_address_that_others_can_reach_needs_a_token(hosts: str, tmp_path: Path) -> None:
    text = ui_faults({**UI, "DEQUEUER_UI_HOST": hosts})
    assert "DEQUEUER_UI_TOKEN_FILE" in text
    assert "others can reach" in text
    token = tmp_path / "token"
    token.write_text("dq_secret-token\n")
    given = {**UI, "DEQUEUER_UI_HOST": hosts}
    assert load_ui(["--token-file", str(token)], given, check_token=check_token).token_path == str(token)


@pytest.mark.parametrize("hosts", ["127.0.0.1", "::1", "localhost", "127.0.0.1,::1", "127.8.0.1"])
def test_addresses_of_this_machine_alone_need_none(hosts: str) -> None:
    assert load_ui([], {**UI, "DEQUEUER_UI_HOST": hosts}).token_path is None


def test_a_file_that_holds_no_token_is_a_fault_that_shows_nothing_of_it(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("two words of a secret")
    for name in ("DEQUEUER_UI_TOKEN_FILE", "DEQUEUER_TOKEN_FILE"):
        text = ui_faults({**UI, name: str(token)})
        assert name in text
        assert "secret" not in text


def test_metrics_are_named_by_api_or_not_at_all() -> None:
    given = "text=http://127.0.0.1:15000/metrics, text=http://10.0.0.1:15000, http://127.0.0.1:15001/"
    assert load_ui(["--metrics", given], UI).metrics == (
        MetricsAddress(api_name="text", url="http://127.0.0.1:15000/metrics"),
        MetricsAddress(api_name="text", url="http://10.0.0.1:15000"),
        MetricsAddress(api_name="", url="http://127.0.0.1:15001/"),
    )


@pytest.mark.parametrize(
    "given",
    [
        *("text", "text=", "=http://a", "te xt=http://a", "text=ftp://a", "text=http://me:secret@a", "text=http://"),
        ",".join(f"http://a:{port}" for port in range(1, 102)),
    ],
)
def test_other_addresses_of_metrics_are_faults(given: str) -> None:
    text = ui_faults({**UI, "DEQUEUER_UI_METRICS": given})
    assert "DEQUEUER_UI_METRICS" in text
    assert "secret" not in text


@pytest.mark.parametrize("port", ["-1", "65536", "x"])
def test_a_port_that_is_none(port: str) -> None:
    assert "DEQUEUER_UI_PORT" in ui_faults({**UI, "DEQUEUER_UI_PORT": port})
    assert load_ui(["--port", "0"], UI).port == 0


def test_further_names_of_the_page() -> None:
    assert load_ui([], {**UI, "DEQUEUER_UI_NAMES": "ui.example.com, dequeuer"}).names == ("ui.example.com", "dequeuer")
    assert "DEQUEUER_UI_NAMES" in ui_faults({**UI, "DEQUEUER_UI_NAMES": "https://ui.example.com"})
