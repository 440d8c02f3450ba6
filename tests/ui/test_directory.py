"""The APIs of the gateway, in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dequeuer.client.errors import GatewayLostError, InvalidAnswerError
from dequeuer.ui.directory import KNOWN_FOR_S, MAX_APIS, Directory
from dequeuer.ui.errors import UiError
from tests.ui.scripted import ScriptedLink, apis

pytestmark = pytest.mark.looptime


def listed(*found: Any) -> ScriptedLink:
    link = ScriptedLink()
    link.answers["/_apis"] = {"apis": list(found)}
    return link


def entry(**fields: Any) -> dict[str, Any]:
    return {"name": "a", "kind": "AsyncAPI", "endpoint": "/a", **fields}


async def test_the_list_is_asked_for_once_in_a_while_and_at_once_for_an_api_that_it_lacks() -> None:
    link = listed(entry())
    directory = Directory(link)
    for _ in range(5):
        assert (await directory.find("a")).endpoint == "/a"
        await directory.list()
    assert link.asked["/_apis"] == 1
    link.answers["/_apis"] = apis(("a", "AsyncAPI"), ("b", "BatchAPI"))
    await asyncio.sleep(1)
    assert (await directory.find("b")).kind == "BatchAPI"
    assert link.asked["/_apis"] == 2
    await asyncio.sleep(KNOWN_FOR_S + 1)
    await directory.list()
    assert link.asked["/_apis"] == 3


async def test_many_that_ask_at_the_same_time_cost_one_answer() -> None:
    link = listed(entry())
    link.slow_s = 1.0
    directory = Directory(link)
    await asyncio.gather(*(directory.find("a") for _ in range(50)))
    assert link.asked["/_apis"] == 1


async def test_an_outage_is_an_error_and_the_next_one_asks_again() -> None:
    link = listed()
    link.answers["/_apis"] = GatewayLostError("away")
    directory = Directory(link)
    with pytest.raises(GatewayLostError):
        await directory.find("a")
    link.answers["/_apis"] = apis(("a", "AsyncAPI"))
    assert (await directory.find("a")).name == "a"


@pytest.mark.parametrize(
    "fields",
    [
        *(
            {"endpoint": path}
            for path in ("a", "/", "/a/", "//a", "/a/../b", "/..", "/./a", "/a?b", "/a#b", "/a%2f", "/a b")
        ),
        *({"endpoint": path} for path in ("/a\r\nX: y", "/" + "a" * 2000, "", 1, None)),
        *({"name": name} for name in ("", "../a", "a/b", "a" * 200, "<b>", 1)),
        *({"kind": kind} for kind in ("", "Other", 1)),
    ],
)
async def test_an_entry_that_could_become_another_path_is_left_out(fields: dict[str, Any]) -> None:
    assert [one.name for one in await Directory(listed(entry(**fields), entry(name="b"))).list()] == ["b"]


async def test_entries_of_any_form_are_bounded() -> None:
    many = [entry(name=f"a{number}") for number in range(MAX_APIS + 10)]
    assert len(await Directory(listed(*many)).list()) == MAX_APIS
    assert await Directory(listed("x", 1, None, [], {})).list() == ()
    link = listed()
    link.answers["/_apis"] = {"requests": []}
    with pytest.raises(InvalidAnswerError):
        await Directory(link).list()


@pytest.mark.parametrize("name", ["none", "..", "", "a/b", "<script>", "a\0"])
async def test_an_api_that_is_not_listed_is_not_found(name: str) -> None:
    with pytest.raises(UiError) as caught:
        await Directory(listed(entry())).find(name)
    assert caught.value.status == 404


async def test_endpoints_with_dots_in_names_are_paths_all_the_same() -> None:
    paths = ["/v1.2/a", "/.a", "/a..b", "/...", "/a_b-c"]
    found = await Directory(listed(*(entry(name=f"a{at}", endpoint=path) for at, path in enumerate(paths)))).list()
    assert [one.endpoint for one in found] == paths
