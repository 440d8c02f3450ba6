"""The commands that ask a gateway, against the gateway itself and against canned answers."""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from dequeuer.client.errors import GatewayAbsentError, GatewayLostError
from dequeuer.client.job_calls import JobCalls
from dequeuer.cortex_command import calling
from dequeuer.gateway.access.gate import ANYONE, Access
from dequeuer.gateway.application import make_app
from dequeuer.gateway.endpoints import Endpoint, Endpoints, load_endpoints
from tests.certificates import self_signed
from tests.client.stage import OF_A_TASK, Told, answer, canned, refusal, status_fields, tell
from tests.cortex_command.stage import call, content, process, start, write_environments
from tests.gateway.access.stage import entry, make_tokens
from tests.gateway.fakes import URL, FakeQueue, Store, make_gateway, serving
from tests.gateway.jobs import APIS, JobStage
from tests.jobs.stage import JOB, job_keys, job_spec, seed_job

EVIL = "\x1b[2J\x9b\u202e"
ACTING = set("\x1b\x9b\u202e")
FILE = """
- {name: text, kind: AsyncAPI, pod: {containers: [{name: a, image: i}]}}
- {name: one, kind: RealtimeAPI, pod: {containers: [{name: a, image: i}]}}
- {name: two, kind: RealtimeAPI, pod: {containers: [{name: a, image: i}]}}
- {name: split, kind: TrafficSplitter, apis: [{name: one, weight: 100}, {name: two, weight: 5, shadow: true}]}
"""

pytestmark = pytest.mark.usefixtures("no_pauses")


@pytest.fixture
def stage() -> JobStage:
    return JobStage()


@asynccontextmanager
async def served(stage: JobStage, endpoints: Endpoints | None = None, access: Access = ANYONE) -> AsyncIterator[str]:
    store = Store()
    jobs = [Endpoint(api_name=api.name, kind=api.kind, path=api.endpoint, job_api=api) for api in APIS]
    app = make_app(
        make_gateway(store, FakeQueue(store)),
        {"text": URL},
        endpoints=endpoints or Endpoints([Endpoint(api_name="text", kind="AsyncAPI", path="/text"), *jobs]),
        jobs=stage.jobs(),
        access=access,
    )
    async with serving(app) as http:
        yield str(http._base_url).rstrip("/")


async def test_the_python_package_gets_what_it_reads(stage: JobStage, tmp_path: Path) -> None:
    seed_job(stage.store, "running")
    async with served(stage) as url:
        write_environments(tmp_path, "dev", dev=url)
        apis = json.loads((await call(tmp_path, "get", "-o", "json", "--env", "dev")).out)
        assert [one["metadata"]["name"] for one in apis] == ["text", "sum", "mean", "train"]
        [api] = json.loads((await call(tmp_path, "get", "sum", "--env", "dev", "-o", "json")).out)
        assert (api["metadata"]["kind"], api["endpoint"]) == ("BatchAPI", f"{url}/sum")
        job = json.loads((await call(tmp_path, "get", "sum", JOB, "--env", "dev", "-o", "json")).out)
        assert list(job) == ["api_spec", "job_status", "endpoint"]
        assert job["job_status"]["status"] == "running"
        done = await call(tmp_path, "delete", "sum", JOB, "--env", "dev", "-o", "json")
        assert (done.status, done.out, done.err) == (0, f'{{"message":"stopped job {JOB}"}}\n', "")
        assert [key for _, key in stage.store.journal] == [job_keys().stop]
        for line in (["get", "nope"], ["get", "nope", JOB], ["delete", "nope", JOB]):
            done = await call(tmp_path, *line, "--env", "dev", "-o", "json")
            assert (done.status, done.out, done.err) == (1, "", "error: nope is not deployed\n")


async def test_a_job_of_a_task_is_found_by_its_api(stage: JobStage, tmp_path: Path) -> None:
    seed_job(stage.store, "running", spec=replace(job_spec(kind="TaskAPI"), api_name="train"))
    for key in [key for key in stage.store.objects if "/sum/" in key]:
        stage.store.objects[key.replace("/sum/", "/train/")] = stage.store.objects.pop(key)
    async with served(stage) as url:
        write_environments(tmp_path, "dev", dev=url)
        job = json.loads((await call(tmp_path, "get", "train", JOB, "-o", "json")).out)
        assert job["job_status"]["kind"] == "TaskAPI"
        shown = (await call(tmp_path, "get", "train", JOB)).lines
        assert shown[:2] == [f"job id: {JOB}", "status: running"]
        assert "batch stats" not in shown
        assert (await call(tmp_path, "delete", "train", JOB)).out == f"stopped job {JOB}\n"


async def test_people_get_tables(stage: JobStage, tmp_path: Path) -> None:
    seed_job(stage.store, "completed_with_failures")
    (tmp_path / "cortex.yaml").write_text(FILE)
    async with served(stage) as url:
        write_environments(tmp_path, "dev", dev=url)
        lines = (await call(tmp_path, "get", "--env", "dev")).lines
        assert lines[0].split() == ["batch", "api", "running", "jobs", "latest", "job", "id"]
        assert lines[1].startswith(f"sum        0             {JOB} (submitted ")
        assert lines[2:] == ["mean       0             -", "", "task api  running jobs  latest job id", "train     0             -", "", "async api", "text"]  # fmt: skip
        lines = (await call(tmp_path, "get", "sum", "-v")).lines
        assert lines[0].split() == ["job", "id", "status", "total", "batches", "start", "time", "duration"]
        assert "completed with failures" in lines[1]
        assert lines[-1] == f"endpoint: {url}/sum"
        assert (await call(tmp_path, "get", "mean")).lines[0] == "no submitted batch jobs"
        lines = (await call(tmp_path, "get", "sum", JOB)).lines
        assert {"status: completed with failures", "batch stats", "job configuration"} <= set(lines)
        assert "worker stats are not available because this job is not currently running" in lines
    async with served(stage, load_endpoints(str(tmp_path / "cortex.yaml"), {"text": URL})) as url:
        write_environments(tmp_path, "dev", dev=url, other=url)
        assert (await call(tmp_path, "get", "split")).lines == [
            "using dev environment",
            "",
            "apis          weights",
            "one           100",
            "two (shadow)  5",
            "",
            f"endpoint: {url}/split",
        ]
        described = (await call(tmp_path, "describe", "text", "--env", "dev")).lines
        assert described[:5] == ["async api", "text", "", f"endpoint: {url}/text", ""]
        assert json.loads("\n".join(described[6:]))["kind"] == "AsyncAPI"


async def test_all_environments_are_asked_when_none_is_named(stage: JobStage, tmp_path: Path) -> None:
    async with served(stage) as url:
        write_environments(tmp_path, None, up=url, down="http://127.0.0.1:1")
        up, down = json.loads((await call(tmp_path, "get", "-o", "json")).out)
        assert (up["env_name"], len(up["apis"]), up["error"]) == ("up", 4, "")
        assert (down["env_name"], down["apis"]) == ("down", None)
        assert "nothing can be reached at http://127.0.0.1:1" in down["error"]
        done = await call(tmp_path, "get")
        assert done.status == 0
        assert done.lines[0].startswith("env  batch api")
        assert done.err.startswith("error: env down: nothing can be reached")


async def test_without_any_gateway_the_errors_are_told_and_json_has_them_in_its_answer(tmp_path: Path) -> None:
    write_environments(tmp_path, None, down="http://127.0.0.1:1", off="http://127.0.0.1:1")
    done = await call(tmp_path, "get")
    assert (done.status, done.out) == (1, "")
    assert [line.split(":")[:2] for line in done.err.splitlines()] == [["error", " env down"], ["error", " env off"]]
    done = await call(tmp_path, "get", "-o", "json")
    assert (done.status, done.err) == (0, "")
    listed = [(one["env_name"], one["apis"], bool(one["error"])) for one in json.loads(done.out)]
    assert listed == [("down", None, True), ("off", None, True)]


async def test_a_token_goes_to_its_own_gateway_alone(stage: JobStage, tmp_path: Path) -> None:
    own, general = tmp_path / "own", tmp_path / "general"
    own.write_text("token-of-one\n")
    general.write_text("token-of-all\n")
    access = Access(
        tokens=make_tokens(entry("token-of-all", ["text"], ["read"]), entry("token-of-one", ["sum"], ["read"]))
    )
    async with served(stage, access=access) as url:
        path = write_environments(tmp_path, "a", a=url, b=url, c=url)
        path.write_text(path.read_text().replace("name: b\n", f"name: b\n  token_file: {own}\n"))
        assert content(tmp_path)["environments"][1]["token_file"] == str(own)
        environ = {"DEQUEUER_TOKEN_FILE": str(general)}
        listed = json.loads((await call(tmp_path, "get", "-o", "json", environ=environ)).out)
        names = [[api["metadata"]["name"] for api in one["apis"] or ()] for one in listed]
        assert names == [["text"], ["sum"], []]
        assert "token" in listed[2]["error"]
        named = json.loads((await call(tmp_path, "get", "-o", "json", "--env", "c", environ=environ)).out)
        assert [one["metadata"]["name"] for one in named] == ["text"]
        done = await call(tmp_path, "get", "mean", "--env", "b", "-o", "json")
        assert (done.status, done.out) == (1, "")
        assert "token-of" not in done.err.replace("token of token-of-one", "")
        general.unlink()
        done = await call(tmp_path, "get", "--env", "a", environ=environ)
        assert done.status == 1
        assert "cannot be read" in done.err


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (["get", "../a"], '"../a" is not the name of an API'),
        (["get", "../a", JOB], '"../a" is not the name of an API that has jobs'),
        (["get", "a", "../b"], '"../b" is not the id of a job'),
        (["delete", "a", "B_c"], '"B_c" is not the id of a job'),
        (["get", "a", "b", "-e", "x"], "there is no environment named x"),
    ],
)
async def test_what_cannot_be_part_of_a_path_is_not_sent(tmp_path: Path, line: list[str], text: str) -> None:
    async with canned() as gateway:
        write_environments(tmp_path, "dev", dev=gateway.url)
        done = await call(tmp_path, *line)
    assert (done.status, done.out, gateway.requests) == (1, "", [])
    assert done.err.startswith(f"error: {text}")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (answer([1]), "error: the gateway does not answer with APIs"),
        (answer([{"metadata": 1}]), "error: the gateway does not answer with APIs"),
        (answer({"a": 1}), "error: the gateway does not answer with APIs"),
        (answer([]), "error: the gateway answers without the API"),
        (answer(b"<html>"), "does not answer with JSON"),
        (refusal(f"no{EVIL}"), "error: no"),
    ],
)
async def test_an_answer_that_is_none_is_an_error(tmp_path: Path, given: bytes, text: str) -> None:
    async with canned(given) as gateway:
        write_environments(tmp_path, "dev", dev=gateway.url)
        done = await call(tmp_path, "get", "sum")
    assert (done.status, done.out) == (1, "")
    assert text in done.err
    assert not ACTING & set(done.err)


async def test_nothing_of_a_server_acts_on_the_terminal(tmp_path: Path) -> None:
    job = status_fields(EVIL, api_name=EVIL, worker_counts={EVIL: 1}, config={EVIL: EVIL}, error={"message": EVIL})
    api = {"metadata": {"name": EVIL, "kind": EVIL}, "endpoint": EVIL, "spec": {EVIL: EVIL, "apis": [{"name": EVIL}]}}
    batch = {"metadata": {"name": EVIL, "kind": "BatchAPI"}, "batch_job_statuses": [job, {"job_id": 1}, EVIL]}
    answers = [answer([api, batch])] * 3 + [answer({"job_status": job, "endpoint": EVIL})]
    async with canned(*answers) as gateway:
        write_environments(tmp_path, "dev", dev=gateway.url)
        for line in (["get"], ["get", "a", "-v"], ["describe", "a"], ["get", "a", JOB]):
            done = await call(tmp_path, *line, terminal=True)
            assert (done.status, done.err) == (0, "")
            assert not ACTING & set(done.out)


async def test_watching_asks_again_through_an_outage_and_ends_at_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling, "WATCH_INTERVAL_S", 0.0)
    away = answer({"kind": "error", "message": "busy"}, 503)
    async with canned(answer([]), away, answer([]), refusal("no more")) as gateway:
        write_environments(tmp_path, "dev", dev=gateway.url)
        done = await call(tmp_path, "get", "-w", "--env", "dev")
    assert done.lines == ["no apis are deployed"] * 2
    assert (done.status, done.err) == (1, "error: busy\nerror: no more\n")


@pytest.mark.looptime
async def test_a_gateway_that_is_away_is_asked_about_a_job_again_for_ten_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def away(_jobs: JobCalls, _job_id: str) -> dict[str, Any]:
        nonlocal asked
        asked += 1
        await asyncio.sleep(1.0)
        raise GatewayLostError("lost")

    monkeypatch.setattr(JobCalls, "stop", away)
    monkeypatch.setattr(JobCalls, "report", away)
    write_environments(tmp_path, "dev", dev="http://127.0.0.1:1")
    for line in (["delete", "sum", JOB], ["get", "sum", JOB]):
        asked = 0
        done = await call(tmp_path, *line)
        # 10 s from the begin of the first one to that of the last one.
        assert (done.status, done.err, asked) == (1, "error: lost\n", 11)


@pytest.mark.looptime
async def test_a_gateway_that_is_restarted_while_it_is_asked_for_the_kind_of_an_api_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tell(monkeypatch, OF_A_TASK, GatewayAbsentError("nothing listens"), Told({"message": "stopped"}))
    write_environments(tmp_path, "dev", dev="http://127.0.0.1:1")
    assert (await call(tmp_path, "delete", "train", JOB)).lines == ["stopped"]
    assert asked == ["DELETE /batch/train", *["DELETE /tasks/train"] * 2]


async def test_a_server_without_a_trusted_certificate_is_asked_only_if_that_is_meant(tmp_path: Path) -> None:
    file = self_signed(tmp_path / "server.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    seen: list[str] = []

    async def respond(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.json_response([])

    app = web.Application()
    app.router.add_get("/get", respond)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        write_environments(tmp_path, "dev", dev=f"127.0.0.1:{runner.addresses[0][1]}")
        done = await call(tmp_path, "get", "--env", "dev")
        assert (done.status, seen) == (1, [])
        assert "is not trusted" in done.err
        assert "SSL_CERT_FILE names another CA, DEQUEUER_TLS_VERIFY=false trusts any server" in done.err
        for environ in ({"DEQUEUER_TLS_VERIFY": "false"}, {"SSL_CERT_FILE": str(file)}):
            done = await process(tmp_path, "get", "--env", "dev", "-o", "json", environ=environ)
            assert (done.status, done.out, done.err) == (0, "[]\n", "")
    finally:
        await runner.cleanup()


async def test_the_calls_of_the_python_package_one_after_the_other(stage: JobStage, tmp_path: Path) -> None:
    """What cortex 0.42.1 executes for new_client, client, list_apis, get_api, get_job, stop_job and env_delete."""
    seed_job(stage.store, "running")
    async with served(stage) as url:
        done = await process(tmp_path, "env", "configure", "e", "--operator-endpoint", url)
        assert (done.status, done.err) == (0, "")
        listed = await process(tmp_path, "env", "list", "--output", "json")
        environments = [{"name": "e", "operator_endpoint": url}]
        assert json.loads(listed.out.strip()) == {"default_environment": "e", "environments": environments}
        apis = json.loads((await process(tmp_path, "get", "-o", "json", "--env", "e")).out)
        assert len(apis) == 4
        assert json.loads((await process(tmp_path, "get", "sum", "--env", "e", "-o", "json")).out)[0]["endpoint"]
        job = await process(tmp_path, "get", "sum", JOB, "--env", "e", "-o", "json")
        assert json.loads(job.out)["job_status"]["job_id"] == JOB
        assert json.loads((await process(tmp_path, "delete", "sum", JOB, "--env", "e", "-o", "json")).out)["message"]
        for line in (
            ["deploy", "cortex.yaml", "--env", "e", "-o", "json", "-y", "--force"],
            ["refresh", "sum", "--env", "e", "-o", "json", "--force"],
            ["delete", "sum", "--env", "e", "--force", "-o", "json", "--keep-cache"],
        ):
            refused = await process(tmp_path, *line)
            assert (refused.status, refused.out) == (1, "")
            assert refused.err.startswith("error: this command ")
        assert (await process(tmp_path, "env", "delete", "e")).status == 0
        assert content(tmp_path)["environments"] == []


async def test_an_address_at_which_no_gateway_answers_is_not_kept(tmp_path: Path) -> None:
    async with canned(answer(b"<html>")) as gateway:
        done = await process(tmp_path, "env", "configure", "e", "--operator-endpoint", gateway.url)
    assert done.status == 1
    assert done.err.startswith(f"error: no gateway answers at {gateway.url}: ")
    assert not (tmp_path / "cli.yaml").exists()


async def test_a_token_is_not_sent_to_another_address_of_its_environment(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("dq_secret")
    async with canned(answer({})) as first, canned(answer({})) as second:
        configure = ("env", "configure", "e", "--operator-endpoint")
        await process(tmp_path, *configure, first.url, "--token-file", str(tmp_path / "token"))
        again = await process(tmp_path, *configure, f"{first.url}/")
        assert (again.status, again.err) == (0, "")
        [kept] = content(tmp_path)["environments"]
        assert kept["token_file"] == str(tmp_path / "token")
        moved = await process(tmp_path, *configure, second.url)
    assert (moved.status, "is not sent to this one" in moved.err) == (0, True)
    assert content(tmp_path)["environments"] == [{"name": "e", "operator_endpoint": second.url}]


async def test_ctrl_c_ends_a_watch(tmp_path: Path) -> None:
    async with canned(answer([])) as gateway:
        write_environments(tmp_path, "dev", dev=gateway.url)
        watching = await start(tmp_path, "get", "-w", "--env", "dev")
        assert watching.stdout is not None
        assert await watching.stdout.readline() == b"no apis are deployed\n"
        watching.send_signal(signal.SIGINT)
        await watching.communicate()
    assert watching.returncode == 130
