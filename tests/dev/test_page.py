from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from dequeuer.dev.addresses import Addresses
from dequeuer.dev.errors import DevError
from dequeuer.dev.page import Page
from dequeuer.dev.process_specs import ProcessSpecs
from dequeuer.settings import load_ui

ADDRESSES = Addresses(aws=4001, gateway=4002, admin=4003, gateway_admin=4005, ui=1, user=4004)


def specs(directory: Path) -> ProcessSpecs:
    return ProcessSpecs(ADDRESSES, {}, directory, lambda *_: None)


def metrics_of(directory: Path, count: int) -> list[tuple[str, str]]:
    spec = specs(directory).page(
        {f"api-{number}": f"http://127.0.0.1:{number}/metrics" for number in range(1, count + 1)}
    )
    settings = load_ui([], spec.environment)
    assert (settings.gateway_url, settings.hosts, settings.port) == ("http://127.0.0.1:4002", ("127.0.0.1",), 1)
    return [(address.api_name, address.url) for address in settings.metrics]


@pytest.mark.parametrize("count", [0, 2])
def test_it_knows_the_metrics_of_the_gateway_and_of_each_sidecar(count: int, tmp_path: Path) -> None:
    sidecars = [("api-1", "http://127.0.0.1:1/metrics"), ("api-2", "http://127.0.0.1:2/metrics")]
    assert metrics_of(tmp_path, count) == [("", "http://127.0.0.1:4005/metrics"), *sidecars[:count]]


def test_of_more_sidecars_than_it_may_have_it_knows_the_first(tmp_path: Path) -> None:
    assert len(metrics_of(tmp_path, 150)) == 100


@pytest.mark.looptime
async def test_a_page_that_does_not_answer_is_an_error_that_says_how_to_do_without(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(DevError, match=r"does not answer on http://127\.0\.0\.1:1/ \(without it: --no-ui\)"):
            await Page(specs(tmp_path), lambda _: None).wait_ready(session)
