"""The gateway's HTTP routes, in two forms.

- For people and programs: `POST /<api name>`, `GET /<api name>/<id>`. The queue comes from the settings. The
  id is always a new one: a client that could choose it could overwrite, or guess, the request of another.
- Cortex's in-cluster form, behind its Istio gateway: `POST /`, `GET /<id>`, with the id, the API and the
  queue in headers that the mesh sets. Where queues are configured they bind this form, too: whoever reaches
  the port could otherwise send to any queue that the gateway's role may use.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping

import structlog
from aiohttp import web

from dequeuer.core.errors import clip
from dequeuer.formats.headers import MAX_BYTES, MAX_FIELDS, Fields, are_within_limits, dump_headers
from dequeuer.gateway.answers import answer_errors, json_answer, report_answer
from dequeuer.gateway.cors import allow_origins
from dequeuer.gateway.errors import HeadersTooLargeError, InvalidRequestError, UnknownApiError
from dequeuer.gateway.model import Submission, check_api_name
from dequeuer.gateway.service import Gateway
from dequeuer.gateway.upload import body_of, content_type_of, no_early_continue, stored_headers
from dequeuer.http.server import server_log

REQUEST_ID = "x-request-id"
API_NAME = "X-Cortex-API-Name"
QUEUE_URL = "X-Cortex-Queue-URL"

SHUTDOWN_GRACE_S = 30.0
"""How long running requests may go on after the end was asked for."""
CANCEL_S = 2.5
"""For requests that are cancelled then, to delete what they wrote."""
_FIELD_BYTES = 32 * 1024
"""For one header. AWS load balancers pass on 16 KiB; aiohttp's own limit is half of that."""
_QUEUE_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]-]{1,255}/[A-Za-z0-9/._-]{1,512}\Z")


class Front:
    """The handlers.

    Args:
        gateway: does the work.
        queues: URLs by the names of the APIs served.
        is_draining: whether load balancers are to stop sending; returns at once.
    """

    def __init__(self, gateway: Gateway, queues: Mapping[str, str], is_draining: Callable[[], bool]) -> None:
        self._gateway = gateway
        self._queues = queues
        self._is_draining = is_draining
        self._log = structlog.get_logger()

    async def submit(self, request: web.Request) -> web.StreamResponse:
        """`POST /<api name>`."""
        api_name = check_api_name(request.match_info["api_name"])
        return await self._submit(request, api_name, str(uuid.uuid4()), self._queue_of(api_name), may_exist=False)

    async def report(self, request: web.Request) -> web.StreamResponse:
        """`GET /<api name>/<id>`."""
        api_name = check_api_name(request.match_info["api_name"])
        self._queue_of(api_name)
        return await self._report(request, api_name)

    async def submit_in_cluster(self, request: web.Request) -> web.StreamResponse:
        """`POST /` with three headers."""
        request_id, api_name, queue_url = (_required(request, name) for name in (REQUEST_ID, API_NAME, QUEUE_URL))
        check_api_name(api_name)
        if _QUEUE_URL.match(queue_url) is None:
            message = f'{QUEUE_URL} "{clip(queue_url)}" is not the URL of a queue: https://<host>/<account>/<name>'
            raise InvalidRequestError(message)
        if self._queues and self._queue_of(api_name) != queue_url:
            message = (
                f'{QUEUE_URL} "{clip(queue_url)}" is not the queue of API {api_name} in DEQUEUER_QUEUES of the gateway'
            )
            raise InvalidRequestError(message)
        return await self._submit(request, api_name, request_id, queue_url, may_exist=True)

    async def report_in_cluster(self, request: web.Request) -> web.StreamResponse:
        """`GET /<id>` with a header."""
        api_name = check_api_name(_required(request, API_NAME))
        if self._queues:
            self._queue_of(api_name)
        return await self._report(request, api_name)

    async def healthz(self, _request: web.Request) -> web.StreamResponse:
        """`GET /healthz`: 503 once the end was asked for, while requests are still served."""
        if self._is_draining():
            return web.Response(body=b"draining", content_type="text/plain", status=503)
        return web.Response(body=b"ok", content_type="text/plain")

    def _queue_of(self, api_name: str) -> str:
        try:
            return self._queues[api_name]
        except KeyError:
            message = f"API {api_name} is not served here: name it and its queue in DEQUEUER_QUEUES of the gateway"
            raise UnknownApiError(message) from None

    async def _submit(
        self, request: web.Request, api_name: str, request_id: str, queue_url: str, *, may_exist: bool
    ) -> web.StreamResponse:
        submission = Submission(
            api_name=api_name,
            request_id=request_id,
            queue_url=queue_url,
            headers=dump_headers(_storable(stored_headers(request, without=(API_NAME, QUEUE_URL)))),
            content_type=content_type_of(request),
            size=request.content_length,
            body=body_of(request),
        )
        receipt = await self._gateway.submit(submission, may_exist=may_exist)
        self._log.info(
            "request_submitted" if receipt.known_as is None else "request_resubmitted",
            request_id=request_id,
            api_name=api_name,
            bytes=receipt.size,
        )
        return json_answer({"id": request_id})

    async def _report(self, request: web.Request, api_name: str) -> web.StreamResponse:
        request_id = request.match_info["request_id"]
        return await report_answer(request, request_id, await self._gateway.look_up(api_name, request_id))


def make_app(
    gateway: Gateway, queues: Mapping[str, str], is_draining: Callable[[], bool] = lambda: False
) -> web.Application:
    """Return the application with all routes."""
    front = Front(gateway, queues, is_draining)
    app = web.Application(middlewares=[answer_errors])
    allow_origins(app)
    app.router.add_get("/healthz", front.healthz)
    app.router.add_post("/", front.submit_in_cluster, expect_handler=no_early_continue)
    app.router.add_get("/{request_id}", front.report_in_cluster)
    app.router.add_post("/{api_name}", front.submit, expect_handler=no_early_continue)
    app.router.add_post("/{api_name}/", front.submit, expect_handler=no_early_continue)
    app.router.add_get("/{api_name}/{request_id}", front.report)
    return app


def make_runner(app: web.Application) -> web.AppRunner:
    """Return a runner that leaves bodies as they are, and waits for running requests when it is cleaned up."""
    return web.AppRunner(
        app,
        access_log=None,
        logger=server_log("dequeuer.gateway.http"),
        auto_decompress=False,  # the container gets the payload byte for byte
        max_field_size=_FIELD_BYTES,
        shutdown_timeout=CANCEL_S,
    )


def _storable(headers: Fields) -> Fields:
    if not are_within_limits(headers):
        message = f"the headers are more than {MAX_FIELDS}, or larger than {MAX_BYTES} bytes: send less, or in the body"
        raise HeadersTooLargeError(message)
    return headers


def _required(request: web.Request, name: str) -> str:
    value = request.headers.get(name, "")
    if not value:
        message = f"missing {name} key in request header"
        raise InvalidRequestError(message)
    return value
