"""The views of the page."""

from __future__ import annotations

from typing import Final

from playwright.sync_api import expect

from tests.integration.page.chromium import Look
from tests.integration.page.world import FAILED_ID, JOB_ID, RESULT_ID, RUNNING_ID, TASK_ID

VIEWS: Final = {
    "overview": ("#/", "table.apis :text-is('150')"),
    "requests": ("#/api/transcribe", f".rows .row:has-text('{FAILED_ID}')"),
    "no requests": ("#/api/thumbnails", "text='No requests here.'"),
    "failed": (f"#/api/transcribe/request/{FAILED_ID}", "dialog .timeline li:nth-child(3)"),
    "running": (f"#/api/transcribe/request/{RUNNING_ID}", "dialog [role='progressbar']"),
    "result": (f"#/api/transcribe/request/{RESULT_ID}", "dialog pre:has-text('good morning')"),
    "submit": ("#/api/transcribe/submit", "dialog :text-is('Valid JSON')"),
    "dead letters": ("#/api/transcribe/dead-letters", "dialog tbody tr:nth-child(3)"),
    "jobs": ("#/api/sum", f".rows .row:has-text('{JOB_ID}')"),
    "job": (f"#/api/sum/job/{JOB_ID}", "[role='gridcell'][aria-label='Item 37, failed']"),
    "item": (f"#/api/sum/job/{JOB_ID}/item/37", ".item-result :text-is('no such file: 37.wav')"),
    "job of a task": (f"#/api/nightly-report/job/{TASK_ID}", ".head .badge:text-is('running')"),
    "realtime": ("#/api/classify", ".figures dd:text-matches('^[0-9]+ ms$')"),
    "token": ("static/login.html", "label:has-text('Token of this page')"),
}
"""The address of each view, and what is seen when all of it is there."""


def show(look: Look, name: str) -> None:
    """Show a view, and return when all of it is there."""
    address, content = VIEWS[name]
    look.page.goto(f"{look.url}/{address}")
    expect(look.page.locator(content).first).to_be_visible()
    expect(look.page.locator("[aria-busy='true']")).to_have_count(0)
