"""The gateway's HTTP routes for requests, in two forms. In the public form it makes the id of a request.

- Public form: `POST /<api name>`, `GET /<api name>/<id>`, and the same at the endpoint that cortex.yaml gives the API.
  An endpoint wins over a name. The queue comes from the settings. The gateway creates the id: a client that chose it
  could overwrite or guess the request of another client.
- Cortex's in-cluster form, behind its Istio gateway: `POST /`, `GET /<id>`, with the id, the API and the queue in
  headers that the mesh sets. When queues are configured, the header must match them: otherwise any client that can
  connect to the port could send to every queue that the gateway's role can use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial

import structlog
from aiohttp import web

from dequeuer.core import clock
from dequeuer.core.errors import clip
from dequeuer.formats.headers import MAX_BYTES, MAX_FIELDS, Fields, are_within_limits, dump_headers
from dequeuer.formats.request_id import make_request_id
from dequeuer.gateway.access.audit import note_id
from dequeuer.gateway.access.caller import caller_name
from dequeuer.gateway.access.places import API_NAME_HEADER, JOB_PATTERNS, api_instead_of_id
from dequeuer.gateway.access.redaction import Redaction
from dequeuer.gateway.api_routes import ApiRoutes
from dequeuer.gateway.deadlines import DEADLINE_HEADERS, Deadlines
from dequeuer.gateway.endpoints import Endpoints
from dequeuer.gateway.errors import GatewayError, HeadersTooLargeError, InvalidRequestError, UnknownApiError
from dequeuer.gateway.idempotency_key import IDEMPOTENCY_HEADER, read_key
from dequeuer.gateway.model import Submission, check_api_name, check_request_id
from dequeuer.gateway.priorities import PRIORITY_HEADER, Priorities, asked_priority
from dequeuer.gateway.request_events import send_events
from dequeuer.gateway.responses import json_response, report_response
from dequeuer.gateway.result_limit import asked_result_limit
from dequeuer.gateway.service import Gateway
from dequeuer.gateway.status_document import document
from dequeuer.gateway.upload import read_body, stored_content_type, stored_headers
from dequeuer.gateway.waiting import Waiting, asked_wait, preferred_wait
from dequeuer.gateway.webhooks import WEBHOOK_HEADER, Webhooks

REQUEST_ID_HEADER = "x-request-id"
QUEUE_URL_HEADER = "X-Cortex-Queue-URL"

_NOT_STORED = (API_NAME_HEADER, QUEUE_URL_HEADER, PRIORITY_HEADER, WEBHOOK_HEADER, *DEADLINE_HEADERS)
"""Headers that are for the gateway, and not for the container."""
_QUEUE_URL_PATTERN = re.compile(r"https?://[A-Za-z0-9.:\[\]-]{1,255}/[A-Za-z0-9/._-]{1,512}\Z")


class Routes:
    """The request handlers.

    Args:
        gateway: stores, enqueues and looks up requests.
        queues: queue URLs by API name.
        is_draining: whether load balancers must stop sending requests. It must not block.
        endpoints: the APIs of cortex.yaml.
        webhooks: who is told when a request has ended.
        redaction: of the headers that are stored.
        deadlines: which of them are accepted.
        priorities: the queues of APIs beside those of `queues`.
        fair_queues: whether the group of a message is its caller.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what the handlers need
        self,
        gateway: Gateway,
        queues: Mapping[str, str],
        is_draining: Callable[[], bool],
        endpoints: Endpoints,
        webhooks: Webhooks,
        redaction: Redaction,
        deadlines: Deadlines,
        *,
        priorities: Priorities,
        fair_queues: bool,
    ) -> None:
        self._webhooks = webhooks
        self._deadlines = deadlines
        self._priorities = priorities
        self._fair_queues = fair_queues
        self._gateway = gateway
        self._queues = queues
        self._endpoints = endpoints
        self._is_draining = is_draining
        self._waiting = Waiting(gateway, is_draining)
        self._redaction = redaction
        self.apis = ApiRoutes(gateway)
        self._log = structlog.get_logger()

    @property
    def waiting_clients(self) -> int:
        """How many clients wait for requests."""
        return self._waiting.clients

    async def submit(self, request: web.Request) -> web.StreamResponse:
        """`POST /<api name>`."""
        return await self.submit_to(request.match_info["api_name"], request)

    async def submit_to(self, api_name: str, request: web.Request) -> web.StreamResponse:
        """`POST /<endpoint>`."""
        queue_url = self.queue_of(check_api_name(api_name))
        return await self._submit(request, api_name, make_request_id(clock.wall()), queue_url, may_exist=False)

    async def report(self, request: web.Request) -> web.StreamResponse:
        """`GET /<api name>/<id>`."""
        return await self.report_of(request.match_info["api_name"], request)

    async def report_of(self, api_name: str, request: web.Request) -> web.StreamResponse:
        """`GET /<endpoint>/<id>[?wait=N][&max_result_bytes=N]`."""
        self.queue_of(check_api_name(api_name))
        return await self._report(request, api_name)

    async def cancel(self, request: web.Request) -> web.StreamResponse:
        """`DELETE /<api name>/<id>`."""
        return await self.cancel_of(request.match_info["api_name"], request)

    async def cancel_of(self, api_name: str, request: web.Request) -> web.StreamResponse:
        """`DELETE /<endpoint>/<id>`."""
        self.queue_of(check_api_name(api_name))
        return await self._cancel(request, api_name)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """`GET /<api name>/<id>/events`."""
        return await self.events_of(request.match_info["api_name"], request)

    async def events_of(self, api_name: str, request: web.Request) -> web.StreamResponse:
        """`GET /<endpoint>/<id>/events`."""
        self.queue_of(check_api_name(api_name))
        return await send_events(request, self._gateway, self._waiting, api_name, request.match_info["request_id"])

    async def refuse(self, api_name: str, _request: web.Request) -> web.StreamResponse:
        """Any request to the endpoint of an API that is not served here."""
        raise self._unknown_api(api_name)

    async def submit_in_cluster(self, request: web.Request) -> web.StreamResponse:
        """`POST /` with three headers."""
        request_id, api_name, queue_url = (
            _required(request, name) for name in (REQUEST_ID_HEADER, API_NAME_HEADER, QUEUE_URL_HEADER)
        )
        check_api_name(api_name)
        if _QUEUE_URL_PATTERN.match(queue_url) is None:
            message = (
                f'{QUEUE_URL_HEADER} "{clip(queue_url)}" is not the URL of a queue: https://<host>/<account>/<name>'
            )
            raise InvalidRequestError(message)
        if self._queues and self.queue_of(api_name) != queue_url:
            message = (
                f'{QUEUE_URL_HEADER} "{clip(queue_url)}" is not the queue of API {api_name} '
                "in DEQUEUER_QUEUES of the gateway"
            )
            raise InvalidRequestError(message)
        return await self._submit(request, api_name, request_id, queue_url, may_exist=True)

    async def report_in_cluster(self, request: web.Request) -> web.StreamResponse:
        """`GET /<id>` with a header, and the same queries; `GET /<api name>` without it."""
        api_name = api_instead_of_id(request)
        if api_name is not None and (api_name in self._queues or self._endpoints.kind_of(api_name) is not None):
            return await self.apis.list(partial(self.served, api_name), request)
        return await self._report(request, self._api_in_cluster(request))

    async def list_in_cluster(self, request: web.Request) -> web.StreamResponse:
        """`GET /` with a header."""
        return await self.apis.list(self._api_in_cluster, request)

    async def change_api(self, request: web.Request) -> web.StreamResponse:
        """`PUT /<api name>`."""
        return await self.apis.change(self.served_at, request)

    async def change_api_in_cluster(self, request: web.Request) -> web.StreamResponse:
        """`PUT /` with a header."""
        return await self.apis.change(self._api_in_cluster, request)

    async def cancel_in_cluster(self, request: web.Request) -> web.StreamResponse:
        """`DELETE /<id>` with a header."""
        return await self._cancel(request, self._api_in_cluster(request))

    def _api_in_cluster(self, request: web.Request) -> str:
        api_name = check_api_name(_required(request, API_NAME_HEADER))
        if self._queues:
            self.queue_of(api_name)
        return api_name

    async def healthz(self, _request: web.Request) -> web.StreamResponse:
        """`GET /healthz`: 503 during the shutdown delay, in which requests are still served."""
        if self._is_draining():
            return web.Response(body=b"draining", content_type="text/plain", status=503)
        return web.Response(body=b"ok", content_type="text/plain")

    def served_at(self, request: web.Request) -> str:
        """Return the API whose name is in the path. Raises `UnknownApiError`."""
        return self.served(request.match_info["api_name"], request)

    def served(self, api_name: str, _request: web.Request) -> str:
        """Return the API if this gateway serves it. Raises `UnknownApiError`."""
        self.queue_of(check_api_name(api_name))
        return api_name

    def queue_of(self, api_name: str) -> str:
        """Return the queue of an API. Raises `UnknownApiError`."""
        try:
            return self._queues[api_name]
        except KeyError:
            raise self._unknown_api(api_name) from None

    def _unknown_api(self, api_name: str) -> UnknownApiError:
        kind = self._endpoints.kind_of(api_name)
        if kind is not None and kind in JOB_PATTERNS:
            path = JOB_PATTERNS[kind].format(api_name=api_name)
            return UnknownApiError(f"API {api_name} is of kind {kind}: submit its jobs to {path}")
        forwarded_at = self._endpoints.forwarded_at(api_name)
        if forwarded_at is not None:
            exactly = "exactly " if kind == "TrafficSplitter" else ""
            return UnknownApiError(f"API {api_name} is of kind {kind}: send its requests to {exactly}{forwarded_at}")
        if kind is not None:
            return UnknownApiError(
                f"API {api_name} is of kind {kind}, and this gateway does not serve it: "
                "send the request to where that API itself is served"
            )
        return UnknownApiError(
            f"API {api_name} is not served here: name it and its queue in DEQUEUER_QUEUES of the gateway"
        )

    async def _submit(
        self, request: web.Request, api_name: str, request_id: str, queue_url: str, *, may_exist: bool
    ) -> web.StreamResponse:
        priority = asked_priority(request)
        if priority is not None:
            queue_url = self._priorities.queue_of(api_name, priority, PRIORITY_HEADER)
        headers = self._redaction.without(stored_headers(request, without=_NOT_STORED))
        submission = Submission(
            api_name=api_name,
            request_id=request_id,
            queue_url=queue_url,
            headers=dump_headers(_check_header_limits(headers)),
            attributes={**self._webhooks.attributes_of(request, api_name), **self._deadlines.attributes_of(request)},
            priority=priority or "",
            group=caller_name(request) if self._fair_queues else "",
            content_type=stored_content_type(request),
            size=request.content_length,
            body=read_body(request),
        )
        key = read_key(request.headers.getall(IDEMPOTENCY_HEADER, []), caller_name(request))
        if key is None:
            receipt = await self._gateway.submit(submission, may_exist=may_exist)
        else:
            receipt = await self._gateway.submit_once(submission, key, may_exist=may_exist)
        request_id = receipt.request_id
        note_id(request, request_id)
        self._log.info(
            "request_submitted" if receipt.existing_status is None else "request_resubmitted",
            request_id=request_id,
            api_name=api_name,
            bytes=receipt.size,
            **({} if priority is None else {"priority": priority}),
        )
        seconds = preferred_wait(request)
        if seconds is None:
            return json_response({"id": request_id})
        return await self._waited(request, api_name, request_id, seconds)

    async def _waited(self, request: web.Request, api_name: str, request_id: str, seconds: int) -> web.StreamResponse:
        """Answer a submission whose client prefers to wait. It is stored: no error of the wait may hide its id."""
        applied = {"Preference-Applied": f"wait={seconds}"}
        fields: dict[str, object] = {"id": request_id}
        try:
            report = await self._waiting.until_ended(api_name, request_id, seconds)
            if report.found.has_ended:
                opened = await self._gateway.open_result(api_name, request_id, report)
                return await report_response(request, request_id, opened, applied)
            fields = document(request_id, report)
        except GatewayError as error:
            applied = {}
            self._log.warning("wait_given_up", request_id=request_id, api_name=api_name, error=clip(str(error)))
        response = json_response(fields, status=202)
        response.headers.update({**applied, "Location": f"{request.rel_url.raw_path.rstrip('/')}/{request_id}"})
        response.headers["Retry-After"] = "1"
        return response

    async def _report(self, request: web.Request, api_name: str) -> web.StreamResponse:
        request_id = check_request_id(request.match_info["request_id"])
        seconds, max_result_bytes = asked_wait(request), asked_result_limit(request)
        if seconds:
            known = await self._waiting.until_ended(api_name, request_id, seconds)
            report = await self._gateway.open_result(api_name, request_id, known, max_result_bytes)
        else:
            report = await self._gateway.look_up(api_name, request_id, max_result_bytes)
        return await report_response(request, request_id, report)

    async def _cancel(self, request: web.Request, api_name: str) -> web.StreamResponse:
        request_id = check_request_id(request.match_info["request_id"])
        max_result_bytes = asked_result_limit(request)
        report = await self._gateway.cancel(api_name, request_id, max_result_bytes)
        self._log.info("request_cancelled", request_id=request_id, api_name=api_name, status=report.found.status)
        return await report_response(request, request_id, report)


def _check_header_limits(headers: Fields) -> Fields:
    if not are_within_limits(headers):
        message = (
            f"there are more than {MAX_FIELDS} headers, or more than {MAX_BYTES} bytes of them: "
            "send fewer, or put the data into the payload"
        )
        raise HeadersTooLargeError(message)
    return headers


def _required(request: web.Request, name: str) -> str:
    value = request.headers.get(name, "")
    if not value:
        message = f"missing {name} key in request header"
        raise InvalidRequestError(message)
    return value
