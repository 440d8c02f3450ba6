"""One loop watches for all pages, in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from dequeuer.client.errors import GatewayLostError, RequestRefusedError
from dequeuer.client.errors import RefusedFault as Fault
from dequeuer.ui import watch as watching
from dequeuer.ui.directory import KNOWN_FOR_S, Directory
from dequeuer.ui.errors import UiError
from dequeuer.ui.feed import MAX_WAITING_EVENTS, Feed
from dequeuer.ui.readings import Reading, Totals
from dequeuer.ui.view import MAX_LISTED
from dequeuer.ui.watch import MAX_FAULT_CHARS, MAX_FAULTS, MAX_FEEDS, Watch
from tests.ui.scripted import ScriptedLink, ScriptedMetrics, apis, parsed

pytestmark = pytest.mark.looptime

COUNTS = {"queue": "q", "messages": 3, "in_flight": 1, "delayed": 0, "dead_letters": 2}


class Stage:
    def __init__(self) -> None:
        self.link, self.metrics = ScriptedLink(), ScriptedMetrics()
        self.link.answers = {
            "/_apis": apis(("text", "AsyncAPI"), ("sum", "BatchAPI"), ("hello", "RealtimeAPI")),
            "/text": {"requests": []},
            "/text/_queue": COUNTS,
            "/batch/sum": [],
        }
        self.watch = Watch(self.link, Directory(self.link), self.metrics, asyncio.get_running_loop().time)

    async def seen(self, feed: Feed, seconds: float) -> list[tuple[str, Any]]:
        """Return the events of the next seconds."""
        found: list[tuple[str, Any]] = []
        try:
            async with asyncio.timeout(seconds):
                while data := await feed.take():
                    found += parsed(data)
        except TimeoutError:
            pass
        return found


def snapshots(events: list[tuple[str, Any]]) -> list[Any]:
    return [fields for name, fields in events if name == "snapshot"]


def of(snapshot: Any, name: str) -> Any:
    return next(one for one in snapshot["apis"] if one["name"] == name)


def jobs(done: int, failed: int) -> list[dict[str, Any]]:
    """Return a list of jobs of the gateway, of which one has a progress."""
    progress = {"items_total": 100, "items_done": done, "items_failed": failed}
    return [{"job_id": "j", "status": "running", "progress": progress}, {"job_id": "k", "progress": None}, {"x": 1}]


async def test_a_page_gets_the_history_and_then_a_snapshot_each_second() -> None:
    stage = Stage()
    async with stage.watch.look() as feed:
        first = await stage.seen(feed, 5.5)
    assert first[0] == ("history", {"points": []})
    assert [one["time"] for one in snapshots(first)] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert of(snapshots(first)[0], "text") == {
        "name": "text",
        "kind": "AsyncAPI",
        "endpoint": "/text",
        "paused": False,
        "ready": None,
        "queue": {"messages": 3, "in_flight": 1, "delayed": 0, "dead": 2},
        **dict.fromkeys(("in_flight", "rate_per_s", "failed_per_s", "latency_s", "completed", "failed")),
    }
    assert of(snapshots(first)[0], "hello")["queue"] is None
    async with stage.watch.look() as feed:
        [(name, history), *_] = await stage.seen(feed, 0.5)
    assert (name, [one["time"] for one in history["points"]]) == ("history", [2.0, 4.0])


async def test_when_nobody_looks_nothing_is_asked() -> None:
    stage = Stage()
    await asyncio.sleep(10)
    assert (stage.link.asked.total(), stage.metrics.reads) == (0, 0)
    async with stage.watch.look() as feed:
        await stage.seen(feed, 5)
    asked, reads = stage.link.asked.total(), stage.metrics.reads
    assert (asked > 0, reads > 0) == (True, True)
    await asyncio.sleep(100)
    assert (stage.link.asked.total(), stage.metrics.reads) == (asked, reads)


async def test_all_pages_cost_the_gateway_as_much_as_one() -> None:
    async def asked(pages: int) -> dict[str, int]:
        stage = Stage()

        async def look() -> None:
            async with stage.watch.look() as feed:
                assert len(snapshots(await stage.seen(feed, 20.5))) == 20

        async with asyncio.TaskGroup() as group:
            for _ in range(pages):
                group.create_task(look())
        return dict(stage.link.asked)

    one = await asked(1)
    assert one == await asked(MAX_FEEDS)
    assert one["/text"] <= 11


async def test_only_what_changed_is_told_and_a_page_that_comes_later_gets_all_of_it() -> None:
    stage = Stage()
    one, two = {"id": "a", "status": "in_queue"}, {"id": "b", "status": "in_queue", "progress": {"progress": 0.5}}
    stage.link.answers["/text"] = {"requests": [one, two], "paused": "2026-11-27T00:00:00Z"}
    stage.link.answers["/batch/sum"] = [{"job_id": "j", "status": "running", "config": {"n": 1.50}}]
    async with stage.watch.look() as feed:
        first = await stage.seen(feed, 3.5)
        assert ("requests", {"api": "text", "requests": [one, two]}) in first
        assert [fields for name, fields in first if name == "jobs"] == [
            {"api": "sum", "jobs": [{"job_id": "j", "status": "running", "config": {"n": 1.5}}]}
        ]
        assert of(snapshots(first)[-1], "text")["paused"] is True
        assert [name for name, _ in await stage.seen(feed, 4)] == ["snapshot"] * 4
        changed = {"id": "a", "status": "completed"}
        stage.link.answers["/text"] = {"requests": [changed, two]}
        later = await stage.seen(feed, 3)
        assert [fields for name, fields in later if name == "requests"] == [{"api": "text", "requests": [changed]}]
        async with stage.watch.look() as another:
            told = await stage.seen(another, 0.5)
        assert ("requests", {"api": "text", "requests": [changed, two]}) in told


async def test_an_outage_of_the_gateway_is_told_and_is_over_when_it_answers_again() -> None:
    stage = Stage()
    with capture_logs() as logs:
        async with stage.watch.look() as feed:
            stage.link.answers["/batch/sum"] = jobs(10, 2)
            await stage.seen(feed, 1.5)
            stage.link.answers["/batch/sum"] = jobs(30, 4)
            known = snapshots(await stage.seen(feed, 2))[-1]
            assert (of(known, "sum")["rate_per_s"], of(known, "sum")["failed_per_s"]) == (9.0, 1.0)
            before = stage.link.asked.total()
            answers = dict(stage.link.answers)
            for path in answers:
                stage.link.answers[path] = GatewayLostError("the connection broke")
            away = snapshots(await stage.seen(feed, 60))
            assert away[-1]["faults"] == ["the gateway is away: the connection broke"]
            text, batch = of(away[-1], "text"), of(away[-1], "sum")
            assert (text["queue"], batch["rate_per_s"], batch["failed_per_s"]) == (None,) * 3, "not known is no number"
            assert (batch["completed"], batch["failed"]) == (26, 4)
            assert stage.link.asked.total() - before < 30, "it is asked less and less often"
            stage.link.answers = answers | {"/batch/sum": jobs(90, 4)}
            back = snapshots(await stage.seen(feed, 12))
            assert (back[-1]["faults"], of(back[-1], "text")["queue"]["messages"]) == ([], 3)
            rates = [of(one, "sum")["rate_per_s"] for one in back]
            assert set(rates) == {None, 0.0}, "what ended in an outage did not end in the seconds after it"
    assert [one["event"] for one in logs] == ["ui_gateway_away", "ui_gateway_back"]


async def test_a_queue_that_is_known_stays_known_while_it_is_asked_again() -> None:
    stage = Stage()
    stage.link.slow_s = 1.5
    async with stage.watch.look() as feed:
        told = [of(one, "text")["queue"] for one in snapshots(await stage.seen(feed, 30.5)) if one["apis"]]
    known = told[next(at for at, queue in enumerate(told) if queue is not None) :]
    assert len(known) > 20
    assert None not in known
    assert stage.link.asked["/text/_queue"] > 3


async def test_a_gateway_that_refuses_the_token_of_the_page_is_not_said_to_be_away() -> None:
    stage = Stage()
    stage.link.answers["/_apis"] = RequestRefusedError(401, [Fault("unauthorized", "this needs a token")])
    with capture_logs() as logs:
        async with stage.watch.look() as feed:
            last = snapshots(await stage.seen(feed, 12))[-1]
    assert last["faults"] == ["the gateway does not accept the token of `dequeuer ui`: this needs a token"]
    assert logs == []


async def test_apis_that_are_not_known_yet_are_not_told_as_none_at_all() -> None:
    stage = Stage()
    listed, stage.link.answers["/_apis"] = stage.link.answers["/_apis"], GatewayLostError("nothing there")
    async with stage.watch.look() as feed:
        last = snapshots(await stage.seen(feed, 3.5))[-1]
        assert (last["apis"], len(last["faults"])) == (None, 1)
        stage.link.answers["/_apis"] = listed
        assert len(snapshots(await stage.seen(feed, 20))[-1]["apis"]) == 3
    await asyncio.sleep(KNOWN_FOR_S)
    stage.link.slow_s = 20.0
    async with stage.watch.look() as feed:
        [(_, history), *events] = await stage.seen(feed, 15)
        assert [one["apis"] for one in snapshots(events)] == [None] * 14, "what was known before may be gone"
        async with stage.watch.look() as another:
            [(_, later), *_] = await stage.seen(another, 0.5)
        assert len(later["points"]) == len(history["points"]), (
            "a moment of which nothing is known is no point of a curve"
        )
    await asyncio.sleep(KNOWN_FOR_S)
    stage.link.answers["/_apis"], stage.link.slow_s = {"apis": []}, 0.0
    async with stage.watch.look() as feed:
        assert snapshots(await stage.seen(feed, 3.5))[-1]["apis"] == []


async def test_what_the_gateway_refuses_of_one_api_hides_nothing_of_the_others() -> None:
    stage = Stage()
    stage.link.answers["/batch/sum"] = jobs(10, 0)
    async with stage.watch.look() as feed:
        known = snapshots(await stage.seen(feed, 3.5))[-1]
        assert (of(known, "text")["queue"]["messages"], of(known, "sum")["rate_per_s"]) == (3, 0.0)
        stage.link.answers["/text/_queue"] = RequestRefusedError(503, [Fault("x", "the queue refuses the gateway")])
        last = snapshots(await stage.seen(feed, 3))[-1]
        assert last["faults"] == ["text: the queue refuses the gateway"]
        assert (of(last, "text")["queue"], of(last, "sum")["rate_per_s"], len(last["apis"])) == (None, 0.0, 3)
        stage.link.answers["/text/_queue"] = COUNTS
        for path in ("/text", "/batch/sum"):
            stage.link.answers[path] = RequestRefusedError(403, [Fault("x", "not for you")])
        last = snapshots(await stage.seen(feed, 3))[-1]
        assert last["faults"] == ["text: not for you", "sum: not for you"]
        assert (of(last, "text")["queue"]["messages"], of(last, "sum")["rate_per_s"]) == (3, None)


async def test_a_gateway_that_hangs_does_not_stop_the_snapshots() -> None:
    stage = Stage()
    stage.link.slow_s = 1000.0
    async with stage.watch.look() as feed:
        assert len(snapshots(await stage.seen(feed, 30.5))) == 30


async def test_rates_and_latencies_come_from_the_metrics_of_the_programs() -> None:
    stage = Stage()
    loop = asyncio.get_running_loop()

    def reading() -> dict[str, dict[str, Reading]]:
        done = 4.0 * loop.time()
        totals = Totals(completed=100 + done, failed=done / 4, buckets={0.1: 0.0, 0.2: done, float("inf"): done})
        own = Reading(source="proxy", totals=totals, in_flight=3, is_ready=True)
        counted_twice = Reading(source="gateway", totals=Totals(completed=1e6, failed=1e6))
        return {"a": {"hello": own}, "b": {"hello": counted_twice}}

    stage.metrics.make = reading
    async with stage.watch.look() as feed:
        last = of(snapshots(await stage.seen(feed, 15.5))[-1], "hello")
    assert (last["rate_per_s"], last["failed_per_s"], last["in_flight"], last["ready"]) == (4.0, 1.0, 3, True)
    assert last["latency_s"] == {"p50": 0.15, "p95": 0.195, "p99": 0.199}
    assert last["completed"] >= 150


async def test_the_requests_of_a_realtime_api_are_counted_from_the_gateway_where_no_proxy_tells() -> None:
    stage = Stage()
    loop = asyncio.get_running_loop()

    def reading() -> dict[str, dict[str, Reading]]:
        done = 4.0 * loop.time()
        of_gateway = Reading(source="gateway", totals=Totals(completed=done, failed=done / 4))
        return {"gateway": {"hello": of_gateway, "text": of_gateway}}

    stage.metrics.make = reading
    async with stage.watch.look() as feed:
        last = snapshots(await stage.seen(feed, 15.5))[-1]
    names = ("rate_per_s", "failed_per_s", "latency_s", "in_flight")
    assert [of(last, "hello")[name] for name in names] == [4.0, 1.0, None, None]
    assert of(last, "hello")["completed"] >= 50
    # The gateway counts what is asked of an async API, its lists and submissions: not what is done.
    assert {of(last, "text")[name] for name in (*names, "completed", "failed")} == {None}


async def test_the_items_of_jobs_are_what_a_batch_api_counts() -> None:
    stage = Stage()
    async with stage.watch.look() as feed:
        stage.link.answers["/batch/sum"] = jobs(10, 2)
        assert of(snapshots(await stage.seen(feed, 1.5))[-1], "sum")["rate_per_s"] is None
        stage.link.answers["/batch/sum"] = jobs(30, 4)
        one = of(snapshots(await stage.seen(feed, 2))[-1], "sum")
        assert (one["rate_per_s"], one["failed_per_s"], one["completed"], one["failed"]) == (9.0, 1.0, 26, 4)
        stage.link.answers["/batch/sum"] = jobs(20, 4)
        back = of(snapshots(await stage.seen(feed, 4))[-1], "sum")
        assert (back["completed"], back["failed"]) == (26, 4), "a message that comes back to its queue undoes nothing"


async def test_a_page_that_does_not_read_loses_its_feed_and_the_others_keep_theirs() -> None:
    stage = Stage()
    async with stage.watch.look() as slow, stage.watch.look() as feed:
        await stage.seen(feed, MAX_WAITING_EVENTS + 50)
        assert await slow.take() == b""
        assert len(snapshots(await stage.seen(feed, 5))) >= 4


async def test_only_so_many_pages_look_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MAX_FEEDS", 2)
    stage = Stage()
    async with stage.watch.look(), stage.watch.look():
        with pytest.raises(UiError) as caught:
            async with stage.watch.look():
                pass
        assert caught.value.status == 503
    async with stage.watch.look():
        pass


async def test_the_history_is_bounded_by_time_and_number() -> None:
    stage = Stage()
    async with stage.watch.look() as feed:
        for _ in range(100):
            await stage.seen(feed, 10)
    async with stage.watch.look() as feed:
        [(_, history)] = await stage.seen(feed, 0.5)
    assert 290 <= len(history["points"]) <= 300
    await asyncio.sleep(900)
    async with stage.watch.look() as feed:
        [(_, history)] = await stage.seen(feed, 0.5)
    assert history["points"] == []


async def test_with_many_apis_the_history_goes_less_far_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MAX_HISTORY_APIS", 60)
    stage = Stage()
    async with stage.watch.look() as feed:
        await stage.seen(feed, 200)
    async with stage.watch.look() as feed:
        [(_, history)] = await stage.seen(feed, 0.5)
    assert len(history["points"]) == 20, "3 APIs in each"


async def test_of_a_list_that_is_longer_than_was_asked_for_the_newest_are_told() -> None:
    stage = Stage()
    stage.link.answers["/text"] = {"requests": [{"id": f"id{number}"} for number in range(3 * MAX_LISTED)]}
    async with stage.watch.look() as feed:
        [listed] = [fields for name, fields in await stage.seen(feed, 1.5) if name == "requests"]
    assert [one["id"] for one in listed["requests"]] == [f"id{number}" for number in range(MAX_LISTED)]


async def test_faults_are_bounded_in_number_and_length() -> None:
    stage = Stage()
    stage.metrics.faults = ["x" * 10_000] * 1000
    async with stage.watch.look() as feed:
        faults = snapshots(await stage.seen(feed, 3))[-1]["faults"]
    assert len(faults) == MAX_FAULTS
    assert max(map(len, faults)) <= MAX_FAULT_CHARS


async def test_at_the_end_all_feeds_end() -> None:
    stage = Stage()
    async with stage.watch.look() as feed:
        await stage.seen(feed, 2)
        await stage.watch.close()
        await feed.take()
        assert await feed.take() == b""
        with pytest.raises(UiError):
            async with stage.watch.look():
                pass


async def test_a_bug_ends_the_feeds_and_the_next_page_begins_anew(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    stage.link.answers["/text"] = KeyError("a bug")
    async with stage.watch.look() as feed:
        events = await stage.seen(feed, 10)
    assert len(snapshots(events)) < 3
    assert "a bug" in caplog.text
    stage.link.answers["/text"] = {"requests": []}
    async with stage.watch.look() as feed:
        assert len(snapshots(await stage.seen(feed, 3.5))) == 3


async def test_lists_of_many_apis_are_no_more_than_a_page_can_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MAX_LISTS_BYTES", 2000)
    stage = Stage()
    names = [f"api{number}" for number in range(40)]
    stage.link.answers["/_apis"] = apis(*((name, "AsyncAPI") for name in names))
    for name in names:
        stage.link.answers[f"/{name}"] = {"requests": [{"id": f"{name}-{at}", "status": "failed"} for at in range(10)]}
        stage.link.answers[f"/{name}/_queue"] = COUNTS
    async with stage.watch.look() as first:
        await stage.seen(first, 3)
        async with stage.watch.look() as second:
            data = await second.take()
    assert [name for name, _ in parsed(data)][:2] == ["history", "requests"]
    assert 2000 < sum(len(str(fields)) for name, fields in parsed(data) if name == "requests") < 4000
