"""Jobs and realtime calls on the page."""

from __future__ import annotations

import json

from playwright.sync_api import expect

from tests.integration.page.chromium import Look
from tests.integration.page.contract_server import ContractServer
from tests.integration.page.world import JOB_ID, JOB_ITEMS, TASK_ID, World, at, item


def test_jobs_are_listed_with_what_is_done(look: Look) -> None:
    page = look.open("#/api/sum")
    rows = page.get_by_role("grid", name="Jobs of sum").locator(".rows .row:not([hidden])")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("running")
    expect(rows.first).to_contain_text("790 of 1,200")
    # 9 of 1,200 would be too small to be seen.
    expect(rows.first.locator(".bar-failed")).to_have_attribute("style", "inline-size: 2%;")
    expect(rows.nth(1).locator(".bar-failed")).to_have_attribute("style", "inline-size: 0%;")
    expect(page.get_by_text("2 jobs", exact=True)).to_be_visible()
    rows.first.click()
    expect(page.get_by_role("heading", name=f"Job {JOB_ID}")).to_be_visible()


def test_the_part_of_a_job_that_failed_is_another_part_of_its_bar(look: Look, world: World) -> None:
    world.jobs["sum"][1:] = []
    world.jobs["sum"][0]["progress"] = {"items_total": 10, "items_done": 9, "items_failed": 3}
    page = look.open("#/api/sum")
    expect(page.get_by_text("1 job", exact=True)).to_be_visible()
    for name in ("", f"/job/{JOB_ID}"):
        page = look.open(f"#/api/sum{name}")
        bar = page.locator("main .bar").first
        expect(bar.locator(".bar-done")).to_have_attribute("style", "inline-size: 60%;")
        expect(bar.locator(".bar-failed")).to_have_attribute("style", "inline-size: 30%;")


def test_each_item_of_a_job_has_a_cell_with_its_state(look: Look) -> None:
    page = look.open(f"#/api/sum/job/{JOB_ID}")
    grid = page.get_by_role("grid", name=f"Items of job {JOB_ID}")
    expect(grid.get_by_role("gridcell", name="Item 37, failed")).to_be_visible()
    expect(grid.get_by_role("gridcell", name="Item 38, done")).to_be_visible()
    columns = int(grid.get_attribute("aria-colcount") or "0")
    assert int(grid.get_attribute("aria-rowcount") or "0") == -(-JOB_ITEMS // columns)
    grid.evaluate("(node) => { node.scrollTop = node.scrollHeight; }")
    expect(grid.get_by_role("gridcell", name=f"Item {JOB_ITEMS - 1}, waiting")).to_be_visible()


def test_an_item_shows_its_result_or_its_error(look: Look) -> None:
    page = look.open(f"#/api/sum/job/{JOB_ID}")
    page.get_by_role("gridcell", name="Item 37, failed").click()
    shown = page.get_by_label("Item", exact=True)
    expect(shown).to_contain_text("no such file: 37.wav")
    page.get_by_role("gridcell", name="Item 38, done").click()
    expect(shown.get_by_role("region", name="Result")).to_contain_text('"sum": 114')
    assert page.url.endswith(f"/job/{JOB_ID}/item/38")


def test_of_an_item_that_is_too_large_it_is_said_where_it_is(look: Look, world: World) -> None:
    states = ("completed", "failed", "waiting")
    world.items[JOB_ID] = [{"index": index, "state": state} for index, state in enumerate(states)]
    page = look.open(f"#/api/sum/job/{JOB_ID}/item/0")
    note = page.get_by_label("Item", exact=True).locator(".note")
    expect(note).to_have_text(
        "Its result is too large, or nested too deep, to be shown here: it is in the results of the job."
    )
    page.goto(f"{look.url}/#/api/sum/job/{JOB_ID}/item/1")
    expect(note).to_have_text(
        "Its error is too large, or nested too deep, to be shown here: it is in the results of the job."
    )
    page.goto(f"{look.url}/#/api/sum/job/{JOB_ID}/item/2")
    expect(note).to_have_text("It has no result yet.")


def test_cells_change_while_the_job_runs(look: Look, server: ContractServer, world: World) -> None:
    page = look.open(f"#/api/sum/job/{JOB_ID}")
    grid = page.get_by_role("grid")
    grid.evaluate("(node) => { node.scrollTop = node.scrollHeight; }")
    last = JOB_ITEMS - 1
    expect(grid.get_by_role("gridcell", name=f"Item {last}, waiting")).to_be_visible()
    world.items[JOB_ID] = [*(item(index) for index in range(last)), {"index": last, "state": "completed", "result": 5}]
    job = {**world.jobs["sum"][0], "status": "succeeded"}
    server.send("jobs", {"api": "sum", "jobs": [job]})
    expect(grid.get_by_role("gridcell", name=f"Item {last}, done")).to_be_visible()


def test_items_are_read_where_they_are_seen(look: Look, server: ContractServer, world: World) -> None:
    world.items[JOB_ID] = [{"index": index, "state": "completed", "result": index} for index in range(9000)]
    world.jobs["sum"][0]["progress"] = {"items_total": 9000, "items_done": 9000}
    page = look.open(f"#/api/sum/job/{JOB_ID}/item/8765")
    expect(page.get_by_role("region", name="Result")).to_have_text("8765")
    grid = page.get_by_role("grid")
    expect(grid.get_by_role("gridcell", name="Item 0, done")).to_be_visible()
    read = [path for path in server.reads if "/items" in path]
    assert len(read) <= 4, read
    assert grid.get_by_role("gridcell", include_hidden=True).count() < 2000


def test_results_that_were_seen_long_ago_are_not_kept(look: Look, server: ContractServer, world: World) -> None:
    count = 20_000
    world.items[JOB_ID] = [{"index": index, "state": "completed", "result": index} for index in range(count)]
    world.jobs["sum"][0]["progress"] = {"items_total": count, "items_done": count}
    page = look.open(f"#/api/sum/job/{JOB_ID}")
    grid = page.get_by_role("grid")
    expect(grid.get_by_role("gridcell", name="Item 0, done")).to_be_visible()
    columns = int(grid.get_attribute("aria-colcount") or "0")
    for block in range(1, count // 500):
        first = block * 500
        grid.evaluate("(node, top) => { node.scrollTop = top; }", first // columns * 24)
        expect(grid.get_by_role("gridcell", name=f"Item {first}, done")).to_be_visible()
    assert sum("from=0&" in path for path in server.reads) == 1
    with page.expect_request(lambda asked: "from=0&" in asked.url):
        grid.evaluate("(node) => { node.scrollTop = 0; }")
    grid.get_by_role("gridcell", name="Item 0, done").click()
    expect(page.get_by_label("Item", exact=True).get_by_role("region", name="Result")).to_have_text("0")


def test_the_job_of_a_task_has_no_items(look: Look, server: ContractServer, world: World) -> None:
    page = look.open(f"#/api/nightly-report/job/{TASK_ID}")
    state = page.locator(".head .badge")
    expect(state).to_have_text("running")
    [task] = world.jobs["nightly-report"]
    server.send("jobs", {"api": "nightly-report", "jobs": [{**task, "status": "succeeded", "end_time": at(0)}]})
    expect(state).to_have_text("succeeded")
    expect(page.get_by_role("heading", name="Items")).to_be_hidden()
    page.goto(f"{look.url}/#/api/nightly-report/job/{TASK_ID}/item/3")
    expect(page.get_by_role("main")).to_contain_text("There is no such view.")
    assert [path for path in server.reads if "/items" in path] == []


def test_a_job_is_stopped_once_it_is_confirmed_and_paused(look: Look, server: ContractServer) -> None:
    page = look.open(f"#/api/sum/job/{JOB_ID}")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("The pause is requested.")).to_be_visible()
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Stop the job").click()
    expect(page.get_by_text("The stop is requested.")).to_be_visible()
    calls = [(call.method, call.path) for call in server.calls]
    assert calls == [("PUT", f"/api/apis/sum/jobs/{JOB_ID}?action=pause"), ("DELETE", f"/api/apis/sum/jobs/{JOB_ID}")]


def test_a_job_is_submitted_and_opened(look: Look, server: ContractServer) -> None:
    page = look.open("#/api/sum/submit")
    editor = page.get_by_role("textbox", name="Submission, JSON")
    assert json.loads(editor.input_value())["item_list"]["items"]
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", name=f"Job {JOB_ID}")).to_be_visible()
    assert [(call.method, call.path) for call in server.calls] == [("POST", "/api/apis/sum/jobs")]


def test_a_realtime_api_is_called_and_its_answer_shown(look: Look, server: ContractServer) -> None:
    page = look.open("#/api/classify")
    page.get_by_label("Path").fill("/predict?top=3")
    page.get_by_label("Headers").fill("Content-Type: application/json\nX-Trace: a:b")
    page.get_by_label("Body").fill('{"image": 1}')
    page.get_by_role("button", name="Send").click()
    answer = page.locator(".answer")
    expect(answer.locator(".badge")).to_have_text("200")
    expect(answer.get_by_role("region", name="Body")).to_contain_text('"label": "cat"')
    expect(answer).to_contain_text("after 41 ms")
    [call] = server.calls
    assert (call.method, call.path) == ("POST", "/api/apis/classify/calls")
    assert json.loads(call.body) == {
        "method": "POST",
        "path": "/predict?top=3",
        "headers": {"Content-Type": "application/json", "X-Trace": "a:b"},
        "body": '{"image": 1}',
    }


def test_a_line_that_is_no_header_is_refused_before_the_call(look: Look, server: ContractServer) -> None:
    page = look.open("#/api/classify")
    page.get_by_label("Headers").fill("nonsense")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text('"nonsense" is no header')).to_be_visible()
    assert server.calls == []
