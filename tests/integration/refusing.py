"""A cloud that denies single actions: an HTTP proxy before a real server of SQS and S3, with the semantics of IAM.

What is allowed is a policy, parsed from an IAM policy document or made of names of actions. Actions are those that
AWS documents for each call: CreateMultipartUpload, UploadPart and CompleteMultipartUpload need `s3:PutObject`, each
key of DeleteObjects is judged by itself, a missing object is 403 to who may not list, and so on.
"""

from __future__ import annotations

import fnmatch
import http.client
import json
import re
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.integration.cloud import Cloud, Queue

KEY_ARN = "arn:aws:kms:us-west-2:000000000000:key/k"
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
_OF_SETTINGS = {
    "lifecycle": "LifecycleConfiguration",
    "location": "BucketLocation",
    "publicAccessBlock": "BucketPublicAccessBlock",
    "ownershipControls": "BucketOwnershipControls",
    "encryption": "EncryptionConfiguration",
    "policy": "BucketPolicy",
}
"""By the query of a request, the end of the action that reads or writes a setting of a bucket."""
_KEY = re.compile(rb"<Key>([^<]+)</Key>")


@dataclass(frozen=True, slots=True)
class Policy:
    """Patterns of allowed actions and resources."""

    grants: tuple[tuple[str, str], ...]

    @classmethod
    def of_document(cls, document: Mapping[str, Any], **names: str) -> Policy:
        """Parse an IAM policy document; `<name>` in a resource is replaced by what `names` has for it."""
        grants = []
        for statement in document["Statement"]:
            assert statement["Effect"] == "Allow"
            for action in _listed(statement["Action"]):
                for resource in _listed(statement["Resource"]):
                    for name, value in names.items():
                        resource = resource.replace(f"<{name}>", value)  # noqa: PLW2901 - filled in, step by step
                    grants.append((action, resource))
        return cls(tuple(grants))

    @property
    def actions(self) -> Sequence[str]:
        """All actions of the policy."""
        return sorted({action for action, _ in self.grants})

    def without(self, *actions: str) -> Policy:
        """Return a policy without these actions."""
        return Policy(tuple(grant for grant in self.grants if grant[0] not in actions))

    def allows(self, action: str, resource: str) -> bool:
        """Return whether an action on a resource is allowed."""
        return any(
            fnmatch.fnmatchcase(action, granted) and fnmatch.fnmatchcase(resource, pattern)
            for granted, pattern in self.grants
        )


EVERYTHING = Policy((("*", "*"),))


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: each action that it needs, with its resource."""

    service: str
    needs: tuple[tuple[str, str], ...]


class RefusingCloud:
    """The proxy, in threads. Anonymous: it does not tell one caller from another.

    Attributes:
        policy: what is allowed now.
        denied: actions that are refused whatever the policy says.
        keyed: services (`s3`, `sqs`) whose bucket or queues are encrypted with a KMS key of one's own.
        refused: how often each action was refused.
        lacks: names of header fields, in small letters, that S3 does not know: 501 `NotImplemented`.
    """

    def __init__(self, cloud: Cloud, policy: Policy = EVERYTHING, *, keyed: Collection[str] = ()) -> None:
        self.policy = policy
        self.denied: set[str] = set()
        self.keyed = frozenset(keyed)
        self.refused: Counter[str] = Counter()
        self.lacks: set[str] = set()
        self._cloud = cloud
        self._upstream = urlsplit(cloud.url).netloc
        refusing = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                refusing.serve(self)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815 - the names that the server looks for

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, *_: object) -> None:
                """Ignore errors: a killed sidecar closes its connections."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def settings(self, queue: Queue) -> dict[str, str]:
        """Return the settings with which a sidecar uses the proxy."""
        return {"AWS_ENDPOINT_URL": self.url, "DEQUEUER_QUEUE_URL": self.queue_url(queue)}

    def queue_url(self, queue: Queue) -> str:
        """Return the URL of a queue, at the proxy."""
        return queue.url.replace(self._cloud.url, self.url)

    def _missing(self, needs: Iterable[tuple[str, str]]) -> str | None:
        for action, resource in needs:
            if action in self.denied or not self.policy.allows(action, resource):
                self.refused[action] += 1
                return action
        return None

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """Refuse a request, or pass it on."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        call = self._read(handler, body)
        action = self._missing(call.needs)
        if action is not None:
            _refuse(handler, call.service, action)
            return
        if call.service == "s3" and self.lacks & {name.lower() for name in handler.headers}:
            text = b"<Error><Code>NotImplemented</Code></Error>"
            _answer(handler, 501, {"Content-Type": "application/xml"}, text)
            return
        query = parse_qs(urlsplit(handler.path).query, keep_blank_values=True)
        if call.service == "s3" and "delete" in query and self._refuse_keys(handler, body):
            return
        status, headers, answer = self._pass_on(handler, body)
        if status == 404 and call.service == "s3" and b"NoSuchKey" in answer:
            bucket = call.needs[0][1].partition("/")[0]
            if self._missing([("s3:ListBucket", bucket)]):
                _refuse(handler, "s3", "s3:ListBucket")
                return
        _answer(handler, status, headers, answer)

    def _read(self, handler: BaseHTTPRequestHandler, body: bytes) -> Call:
        if target := handler.headers.get("X-Amz-Target"):
            action = target.partition(".")[2].removesuffix("Batch")
            given = json.loads(body)
            queue = str(given.get("QueueUrl") or given.get("QueueName", "")).rpartition("/")[2]
            actions = [action, "TagQueue"] if action == "CreateQueue" and given.get("tags") else [action]
            needs = [(f"sqs:{one}", f"arn:aws:sqs:us-west-2:000000000000:{queue}") for one in actions]
            of_key = {"ReceiveMessage": ["kms:Decrypt"], "SendMessage": ["kms:GenerateDataKey", "kms:Decrypt"]}
            keys = of_key.get(action, [])
            return Call(service="sqs", needs=(*needs, *((name, KEY_ARN) for name in keys if "sqs" in self.keyed)))
        return self._read_s3(handler)

    def _read_s3(self, handler: BaseHTTPRequestHandler) -> Call:
        parts = urlsplit(handler.path)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        query, method = parse_qs(parts.query, keep_blank_values=True), handler.command
        keys: list[str] = []
        if settings := _OF_SETTINGS.keys() & query.keys():
            action = f"s3:{'Get' if method == 'GET' else 'Put'}{_OF_SETTINGS[min(settings)]}"
        elif not key and "delete" in query:
            return Call(service="s3", needs=())
        elif not key:
            action = "s3:CreateBucket" if method == "PUT" else "s3:ListBucket"
        elif method == "DELETE":
            action = "s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject"
        elif method in ("PUT", "POST"):
            action = "s3:PutObject"
            keys = ["kms:Decrypt" if "uploadId" in query else "kms:GenerateDataKey"]
        else:
            action, keys = "s3:GetObject", ["kms:Decrypt"]
        resource = f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else "")
        return Call(service="s3", needs=((action, resource), *((name, KEY_ARN) for name in keys if "s3" in self.keyed)))

    def _refuse_keys(self, handler: BaseHTTPRequestHandler, body: bytes) -> bool:
        bucket = urlsplit(handler.path).path.strip("/")
        found = [key.decode() for key in _KEY.findall(body)]
        if not self._missing([("s3:DeleteObject", f"arn:aws:s3:::{bucket}/{key}") for key in found]):
            return False
        errors = "".join(f"<Error><Key>{key}</Key><Code>AccessDenied</Code></Error>" for key in found)
        _answer(handler, 200, {"Content-Type": "application/xml"}, f"<DeleteResult>{errors}</DeleteResult>".encode())
        return True

    def _pass_on(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self._upstream, timeout=60)
        try:
            sent = {name.lower(): value for name, value in handler.headers.items()}
            sent = {name: value for name, value in sent.items() if name not in _HOP_BY_HOP} | {"host": self._upstream}
            upstream = body.replace(self.url.encode(), self._cloud.url.encode()) if "x-amz-target" in sent else body
            connection.request(handler.command, handler.path, body=upstream, headers=sent)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()


def _refuse(handler: BaseHTTPRequestHandler, service: str, action: str) -> None:
    if service == "s3":
        text = f"<Error><Code>AccessDenied</Code><Message>not authorized to perform: {action}</Message></Error>"
        _answer(handler, 403, {"Content-Type": "application/xml"}, text.encode())
        return
    name = "KmsAccessDenied" if action.startswith("kms:") else "AccessDenied"
    older = "KMS.AccessDeniedException" if action.startswith("kms:") else "AccessDenied"
    body = json.dumps({"__type": f"com.amazonaws.sqs#{name}", "message": f"not authorized to perform: {action}"})
    headers = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-query-error": f"{older};Sender"}
    _answer(handler, 400 if name != "AccessDenied" else 403, headers, body.encode())


def _answer(handler: BaseHTTPRequestHandler, status: int, headers: Mapping[str, str], body: bytes) -> None:
    length = next((value for name, value in headers.items() if name.lower() == "content-length"), None)
    handler.send_response_only(status)
    for name, value in headers.items():
        if name.lower() not in _HOP_BY_HOP:
            handler.send_header(name, value)
    if status not in (204, 304):
        # A response to HEAD has the Content-Length of the body that it omits.
        handler.send_header("Content-Length", length if handler.command == "HEAD" and length else str(len(body)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)
