"""An async API on the page: its list, a request, and what can be done with both."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.integration.page.chromium import Look
from tests.integration.page.contract_server import ContractServer
from tests.integration.page.world import FAILED_ID, NOW_S, RESULT_ID, RUNNING_ID, Json, World, at, request


def test_the_overview_shows_every_api_with_its_numbers(look: Look, world: World) -> None:
    page = look.open()
    rows = page.get_by_role("table", name="APIs").get_by_role("row")
    expect(rows).to_have_count(1 + len(world.apis))
    first = rows.nth(1)
    expect(first).to_contain_text("transcribe")
    expect(first).to_contain_text("ready")
    expect(first.get_by_role("cell").nth(2)).to_have_text("150")
    # A task API has no queue: what is not known is no zero.
    expect(rows.nth(4).get_by_role("cell").nth(2)).to_have_text("\N{EN DASH}")
    expect(page.locator("figure.chart path[d^='M']")).to_have_count(3 + 5 + 5 + 4)


def test_a_chart_has_its_numbers_as_a_table(look: Look) -> None:
    page = look.open("#/api/transcribe")
    chart = page.locator("figure.chart").first
    chart.get_by_text("Table").click()
    rows = chart.get_by_role("row")
    expect(rows).to_have_count(12)
    expect(rows.nth(1)).to_have_text("now15014")
    label = chart.get_by_role("img").get_attribute("aria-label")
    assert label == "Queue, last 10 minutes. Now: in queue 150, delayed 14"


def test_a_chart_shows_its_values_at_the_pointer(look: Look, world: World) -> None:
    page = look.open("#/api/classify")
    chart = page.locator("figure.chart", has_text="In flight")
    value, when = chart.locator(".key .value"), chart.locator(".times span").last
    [api] = [api for api in world.apis if api.name == "classify"]
    now, then = (api.snapshot(NOW_S - ago_s)["in_flight"] for ago_s in (0, 300))
    assert now != then
    expect(value).to_have_text(str(now))
    box = chart.locator(".plot").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(value).to_have_text(str(then))
    expect(when).to_have_text(re.compile("^09:2[45]:"))
    page.mouse.move(0, 0)
    expect(value).to_have_text(str(now))
    expect(when).to_have_text("now")


def test_charts_show_the_time_of_which_there_is_something(look: Look, server: ContractServer, world: World) -> None:
    world.history_s = 20
    page = look.open("#/api/transcribe")
    chart = page.locator("figure.chart").first
    expect(chart.locator(".times")).to_have_text("1 min agonow")
    # The line begins in the last third, not at the right edge.
    assert float((chart.locator("path").first.get_attribute("d") or "")[1:].split()[0]) == 400
    expect(chart.get_by_role("img")).to_have_attribute("aria-label", re.compile("^Queue, last minute. Now: "))
    chart.get_by_text("Table").click()
    expect(chart.get_by_role("rowheader").last).to_have_text("1 min ago")
    for later_s, shown in ((41, "2 min ago"), (200, "5 min ago"), (700, "10 min ago")):
        server.send("snapshot", world.snapshot(NOW_S + later_s))
        expect(chart.locator(".times")).to_have_text(f"{shown}now")
        expect(chart.get_by_role("rowheader").last).to_have_text(shown)


@pytest.mark.parametrize(
    ("most", "expected"), [(0, ["1", "", "0"]), (1, ["1", "", "0"]), (2, ["2", "1", "0"]), (5, ["10", "5", "0"])]
)
def test_the_axis_of_a_count_has_whole_numbers_each_once(
    look: Look, world: World, most: int, expected: list[str]
) -> None:
    # In flight is at most 1.1 times this.
    world.apis[0].in_flight = most
    page = look.open("#/api/transcribe")
    ticks = page.locator("figure.chart", has_text="In flight").locator(".tick")
    expect(ticks).to_have_text(expected)


def test_a_chart_of_what_is_not_known_has_no_numbers(look: Look) -> None:
    page = look.open("#/api/nightly-report")
    expect(page.locator("figure.chart", has_text="Latency").locator(".tick")).to_have_text(["", "", ""])


def test_requests_are_listed_and_those_of_a_status_alone(look: Look) -> None:
    page = look.open("#/api/transcribe")
    table = page.get_by_role("grid", name="Requests of transcribe")
    expect(table.get_by_role("row").nth(1)).to_contain_text("in queue")
    page.get_by_role("button", name="Failed", exact=True).click()
    rows = table.locator(".rows .row:not([hidden])")
    expect(rows.first).to_contain_text(FAILED_ID)
    for text in rows.all_inner_texts():
        assert text.startswith("failed")


def test_the_list_says_how_often_a_failed_request_was_tried(look: Look, world: World) -> None:
    world.requests["thumbnails"][:2] = [
        {"id": "known", "status": "failed", "created": at(9), "ended": at(9), "receives": 5},
        {"id": "of-cortex", "status": "failed", "created": at(10), "ended": at(7)},
    ]
    page = look.open("#/api/thumbnails")
    for name, attempts, took in (("known", "5", "< 1 s"), ("of-cortex", "\N{EN DASH}", "3 s")):
        row = page.locator(".rows .row", has_text=name)
        expect(row.locator(".col-attempts")).to_have_text(attempts)
        # Times have whole seconds: less than one is not zero.
        expect(row.locator(".col-took")).to_have_text(took)


def test_a_request_shows_its_attempts_and_why_it_failed(look: Look) -> None:
    page = look.open("#/api/transcribe")
    page.get_by_role("grid", name="Requests of transcribe").get_by_text(FAILED_ID).click()
    panel = page.get_by_role("dialog", name=f"Request {FAILED_ID}")
    expect(panel.locator(".error-box")).to_contain_text("the container closed the connection")
    attempts = panel.get_by_role("list").get_by_role("listitem")
    expect(attempts).to_have_count(3)
    expect(attempts.nth(1)).to_contain_text("Attempt 2")
    expect(attempts.nth(1)).to_contain_text("took 2 s")
    expect(attempts.nth(1)).to_contain_text("transcribe-7d9f4-1")
    expect(panel.get_by_role("button", name="Cancel")).to_be_hidden()


def test_the_attempts_of_a_request_are_known_once_it_was_opened(look: Look) -> None:
    page = look.open("#/api/transcribe")
    attempts = page.locator(".rows .row", has_text=RESULT_ID).locator(".col-attempts")
    expect(attempts).to_have_text("\N{EN DASH}")
    look.open(f"#/api/transcribe/request/{RESULT_ID}")
    expect(attempts).to_have_text("1")


def test_a_result_keeps_the_digits_of_its_numbers(look: Look) -> None:
    page = look.open(f"#/api/transcribe/request/{RESULT_ID}")
    result = page.get_by_role("region", name="Result")
    expect(result).to_contain_text('"frames": 12345678901234567890')
    page.get_by_role("button", name="Show the payload").click()
    expect(page.get_by_role("region", name="Payload")).to_contain_text('"speed": 1.0')


def test_a_payload_that_is_deleted_is_said(look: Look, server: ContractServer) -> None:
    page = look.open(f"#/api/transcribe/request/{FAILED_ID}")
    page.get_by_role("button", name="Show the payload").click()
    expect(page.get_by_role("status").filter(has_text="the payload is deleted")).to_be_visible()
    assert [fault for fault in look.faults if "404" in fault] == look.faults
    look.faults.clear()


def test_of_a_large_payload_the_beginning_is_shown_and_how_much_that_is(look: Look, world: World) -> None:
    notes = {
        "payload of 51 B": (b'{"audio": "s3://recordings/0412.wav", "speed": 1.0}', "51 B", 1),
        "above what is shown": (b"x" * 120_000, "117 KiB. The first 100,000 characters of 120,000 are shown.", 1),
        "above what is read": (
            b"x" * (256 * 1024 + 1),
            "The first 100,000 characters are shown; download the payload for the rest.",
            0,
        ),
    }
    page = look.open(f"#/api/transcribe/request/{RESULT_ID}")
    box = page.locator("dialog .text-box", has=page.get_by_role("heading", name="Payload"))
    for name, (payload, note, copies) in notes.items():
        world.payloads[RESULT_ID] = payload
        page.get_by_role("button", name="Show the payload").click()
        expect(box.locator(".note"), name).to_have_text(note)
        expect(box.get_by_role("button", name="Copy")).to_have_count(copies)


def test_a_running_request_is_followed_to_its_end(look: Look, server: ContractServer, world: World) -> None:
    page = look.open(f"#/api/transcribe/request/{RUNNING_ID}")
    panel = page.get_by_role("dialog")
    expect(panel.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "62")
    done = {"id": RUNNING_ID, "status": "completed", "created": at(41), "ended": at(0)}
    world.details[RUNNING_ID] = {**done, "result": "all of it"}
    server.send("requests", {"api": "transcribe", "requests": [done]})
    expect(panel.get_by_role("region", name="Result")).to_have_text('"all of it"')
    expect(page.locator("#announcements")).to_contain_text("The request is completed")


def test_new_requests_come_in_above_and_what_is_seen_stays(look: Look, server: ContractServer) -> None:
    page = look.open("#/api/transcribe")
    table = page.get_by_role("grid")
    expect(table).to_have_attribute("aria-rowcount", "101")
    table.evaluate("(node) => { node.scrollTop = 34 * 40; }")
    row = table.locator("[aria-rowindex='50']")
    expect(row).to_be_visible()
    before = row.locator(".col-id").inner_text()
    top = row.evaluate("(node) => node.getBoundingClientRect().top")
    new = [{**request(0), "id": f"new-{number}", "created": at(-number)} for number in range(5)]
    server.send("requests", {"api": "transcribe", "requests": new})
    moved = table.locator("[aria-rowindex='55']")
    expect(moved.locator(".col-id")).to_have_text(before)
    assert abs(moved.evaluate("(node) => node.getBoundingClientRect().top") - top) < 1


def test_a_submission_is_sent_as_it_is_written_and_opened(look: Look, server: ContractServer) -> None:
    page = look.open("#/api/transcribe")
    page.get_by_role("link", name="Submit").click()
    editor = page.get_by_role("textbox", name="Payload")
    editor.fill('{"n": 1.0')
    expect(page.get_by_text("Not JSON")).to_be_visible()
    expect(editor).to_have_attribute("aria-invalid", "true")
    editor.fill('{"n": 1.0}')
    expect(page.get_by_text("Valid JSON")).to_be_visible()
    editor.press("Control+Enter")
    expect(page.get_by_role("dialog", name="Request fe5de3c4-0000")).to_be_visible()
    [call] = server.calls
    assert (call.method, call.path) == ("POST", "/api/apis/transcribe/requests")
    assert (call.body, call.content_type, call.marker) == ('{"n": 1.0}', "application/json", "1")


def test_a_cancellation_is_asked_for_once_it_is_confirmed(look: Look, server: ContractServer) -> None:
    page = look.open(f"#/api/transcribe/request/{RUNNING_ID}")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Not now").click()
    assert server.calls == []
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel the request").click()
    expect(page.get_by_text("The cancellation is requested.")).to_be_visible()
    [call] = server.calls
    assert (call.method, call.path, call.marker) == ("DELETE", f"/api/apis/transcribe/requests/{RUNNING_ID}", "1")


def test_a_question_about_an_api_that_goes_is_answered_with_no(
    look: Look, server: ContractServer, world: World
) -> None:
    page = look.open(f"#/api/transcribe/request/{RUNNING_ID}")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog", name="Cancel the request?")).to_be_visible()
    del world.apis[0]
    server.send("snapshot", world.snapshot(NOW_S + 1))
    expect(page.get_by_role("main")).to_contain_text('There is no API "transcribe".')
    expect(page.locator("dialog")).to_have_count(0)
    assert server.calls == []


def test_a_request_has_one_status_in_the_list_and_in_its_panel(look: Look, world: World) -> None:
    ended: Json = {"status": "failed", "created": at(9), "ended": at(8)}
    world.requests["thumbnails"][:] = [
        {"id": "one", **ended, "error": {"code": "cancelled", "message": "it was cancelled"}},
        {"id": "two", **ended, "error": {"code": "expired", "message": "it was too old"}},
        {"id": "three", "status": "in_progress", "created": at(9), "cancel_requested": at(1)},
        {"id": "four", "status": "completed", "created": at(9), "ended": at(8), "cancel_requested": at(8)},
    ]
    for name, status, tone in (
        ("one", "cancelled", "held"),
        ("two", "expired", "held"),
        ("three", "cancelling", "held"),
        ("four", "completed", "good"),
    ):
        page = look.open(f"#/api/thumbnails/request/{name}")
        for badge in (page.locator(".rows .row", has_text=name).locator(".badge"), page.locator("dialog .badge")):
            expect(badge).to_have_text(status)
            expect(badge).to_have_attribute("data-tone", tone)


def test_dead_letters_are_shown_and_sent_back(look: Look, server: ContractServer) -> None:
    page = look.open("#/api/transcribe")
    page.get_by_role("link", name="Dead letters (3)").click()
    panel = page.get_by_role("dialog", name="Dead letters")
    expect(panel.get_by_role("row")).to_have_count(4)
    panel.get_by_role("button", name="Send all back").click()
    page.get_by_role("button", name="Send them back").click()
    expect(panel.get_by_text("3 sent back, 0 left.")).to_be_visible()
    assert [call.path for call in server.calls] == ["/api/apis/transcribe/dead-letters?action=redrive"]


def test_an_api_is_paused_and_resumed(look: Look, server: ContractServer, world: World) -> None:
    page = look.open("#/api/transcribe")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused API.")).to_be_visible()
    world.apis[0].paused = True
    server.send("snapshot", world.snapshot(NOW_S + 1))
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".api-head .badge").first).to_have_text("paused")
    assert [call.path for call in server.calls] == [
        f"/api/apis/transcribe?action={word}" for word in ("pause", "resume")
    ]
