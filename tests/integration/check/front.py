"""A cloud whose set-up can be wrong in ways that the local servers do not know: STS, owners, clocks, settings of buckets."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from tests.integration.cloud import Cloud
from tests.integration.refusing import Call, RefusingCloud

ACCOUNT = "000000000000"
"""Of the queues of the local server."""
_OF_BUCKET = {
    "versioning": "s3:GetBucketVersioning",
    "encryption": "s3:GetEncryptionConfiguration",
    "object-lock": "s3:GetBucketObjectLockConfiguration",
    "publicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "location": "s3:GetBucketLocation",
}


class FrontCloud(RefusingCloud):
    """The proxy.

    Attributes:
        account: of the caller, as STS says.
        owner: of the bucket.
        skew_s: its clock minus this one.
        simulates: whether the role may have its policies simulated.
        simulated: the actions that were.
    """

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.account = ACCOUNT
        self.owner = ACCOUNT
        self.skew_s = 0.0
        self.simulates = False
        self.simulated: list[str] = []
        self.received = 0
        self.changes: list[str] = []
        """Requests that would change something."""

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer for STS, compare owners; anything else as the other proxy."""
        self._count(handler)
        if handler.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
            form = parse_qs(handler.rfile.read(int(handler.headers["Content-Length"])).decode())
            if form["Action"] == ["GetCallerIdentity"]:
                _answer(handler, 200, self._identity())
            else:
                self._simulate(handler, form)
        elif handler.headers.get("x-amz-expected-bucket-owner", self.owner) != self.owner:
            _answer(handler, 403, "<Error><Code>AccessDenied</Code></Error>")
        else:
            super().serve(handler)

    def _count(self, handler: BaseHTTPRequestHandler) -> None:
        action = (handler.headers.get("X-Amz-Target") or "").partition(".")[2]
        if action == "ReceiveMessage":
            self.received += 1
        is_change = handler.command in ("PUT", "DELETE") or (handler.command == "POST" and "?" in handler.path)
        if is_change or action in ("SendMessage", "SendMessageBatch", "CreateQueue", "PurgeQueue", "DeleteQueue"):
            self.changes.append(f"{handler.command} {handler.path} {action}".strip())

    def _simulate(self, handler: BaseHTTPRequestHandler, form: Mapping[str, Sequence[str]]) -> None:
        assert form["PolicySourceArn"] == [f"arn:aws:iam::{self.account}:role/api"]
        [action], [resource] = form["ActionNames.member.1"], form["ResourceArns.member.1"]
        self.simulated.append(action)
        if not self.simulates:
            _answer(handler, 403, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>")
            return
        is_allowed = self.policy.allows(action, resource) and action not in self.denied
        decision = "allowed" if is_allowed else "implicitDeny"
        member = f"<member><EvalActionName>{action}</EvalActionName><EvalDecision>{decision}</EvalDecision></member>"
        result = f"<SimulatePrincipalPolicyResult><EvaluationResults>{member}</EvaluationResults>"
        end = "</SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
        _answer(handler, 200, f"<SimulatePrincipalPolicyResponse>{result}{end}")

    def _identity(self) -> str:
        caller = f"<Arn>arn:aws:sts::{self.account}:assumed-role/api/pod</Arn><Account>{self.account}</Account>"
        result = f"<GetCallerIdentityResult>{caller}</GetCallerIdentityResult>"
        return f"<GetCallerIdentityResponse>{result}</GetCallerIdentityResponse>"

    def _read_s3(self, handler: BaseHTTPRequestHandler) -> Call:
        parts = urlsplit(handler.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        for name, action in _OF_BUCKET.items():
            if name in query:
                return Call(service="s3", needs=((action, f"arn:aws:s3:::{parts.path.strip('/')}"),))
        return super()._read_s3(handler)

    def _pass_on(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
        status, headers, answer = super()._pass_on(handler, body)
        headers = {name: value for name, value in headers.items() if name.lower() != "date"}
        return status, {**headers, "date": formatdate(time.time() + self.skew_s, usegmt=True)}, answer


def _answer(handler: BaseHTTPRequestHandler, status: int, text: str) -> None:
    handler.send_response_only(status)
    handler.send_header("Content-Length", str(len(text)))
    handler.end_headers()
    handler.wfile.write(text.encode())
