"""Writes the response of one request to its client: framed anew, one write for each read of the container."""

from __future__ import annotations

from dequeuer.http.forwarding import last_chunk, response_head
from dequeuer.http.framing import Trailers
from dequeuer.http.request_head import RequestHead
from dequeuer.http.response_head import ResponseHead
from dequeuer.proxy.parts import Client


class ResponseWriter:
    """One response.

    Args:
        client: gets it.
        request: what is answered.
    """

    __slots__ = ("_client", "_has_continued", "_is_chunked", "_out", "_request", "has_begun", "keep")

    def __init__(self, client: Client, request: RequestHead) -> None:
        self._client = client
        self._request = request
        self._has_continued = self._is_chunked = False
        self._out = b""
        self.has_begun = False
        """Whether the client has the head, or is about to get it: another response would become a part of this one."""
        self.keep = False
        """Whether the client's connection may carry another request after it."""

    def write_interim(self, head: ResponseHead) -> None:
        """Write a response of 1xx. HTTP/1.0 has none."""
        if not self._request.is_http10:
            self._has_continued = self._has_continued or head.status == 100
            self._client.write(response_head(head, chunked=False, connection=b""))

    def begin(self, head: ResponseHead, *, has_body: bool, request_is_whole: bool) -> None:
        """Begin with the head."""
        request = self._request
        self.has_begun = True
        has_length = not has_body or head.body_length is not None
        self._is_chunked = not has_length and not request.is_http10
        # A client that waits for "100 Continue" may never send the body, or send it as soon as it has this response.
        waits_for_continue = request.expects_continue and not self._has_continued and not request_is_whole
        self.keep = (
            request.keep_alive
            and self._client.may_persist
            and not waits_for_continue
            and (has_length or self._is_chunked)
        )
        connection = b""
        if not self.keep:
            connection = b"close"
        elif request.is_http10:
            connection = b"keep-alive"
        self._out = response_head(head, chunked=self._is_chunked, connection=connection)

    def add(self, piece: bytes) -> None:
        """Add a part of the body."""
        data = b"%x\r\n%b\r\n" % (len(piece), piece) if self._is_chunked else piece
        self._out = self._out + data if self._out else data

    def end(self, trailers: Trailers) -> None:
        """End the body, and send what is left."""
        if self._is_chunked:
            self._out += last_chunk(trailers)
        self.flush()

    def flush(self) -> None:
        """Send what was added since the last time: each write is a system call."""
        out, self._out = self._out, b""
        if out:
            self._client.write(out)

    def switch(self, head: ResponseHead) -> None:
        """Write the head of a response of 101, after which the connection is a tunnel."""
        self.has_begun = True
        self._client.write(response_head(head, chunked=False, connection=b"Upgrade"))
