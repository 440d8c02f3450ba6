"""Removes pieces of code that keep the promises, one by one. Each time one of the named tests must fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """Replaces `old`, which must occur exactly once in `module`, by `new`. Then one of `tests` must fail."""

    name: str
    module: str
    old: str
    new: str
    tests: tuple[str, ...]


_RESULTS = "tests/handlers/batch_api/test_results.py"

_CANCELLATION = "tests/handlers/async_api/test_cancellation.py"

MUTATIONS = [
    Mutation(
        name="a cancelled request is begun",
        module="handlers/async_api/handler.py",
        old="        if request.request_id in self._cancellations.cancelled:\n",
        new="        if False:\n",
        tests=(f"{_CANCELLATION}::test_a_cancelled_request_that_waited_is_not_begun",),
    ),
    Mutation(
        name="a request is begun after its deadline",
        module="handlers/async_api/handler.py",
        old="if deadline is not None and clock.wall() >= deadline:",
        new="if False:",
        tests=(f"{_CANCELLATION}::test_a_request_past_its_deadline_is_not_begun",),
    ),
    Mutation(
        name="a running request is not cut when it is cancelled",
        module="handlers/async_api/call.py",
        old="                cut.cancel(now)\n",
        new="                pass\n",
        tests=(f"{_CANCELLATION}::test_a_running_request_is_cut_at_the_next_look",),
    ),
    Mutation(
        name="a result is cut while it is written",
        module="handlers/async_api/result.py",
        old="    complete()\n",
        new="    pass\n",
        tests=(f"{_CANCELLATION}::test_a_large_response_that_is_complete_is_not_cut_while_it_is_written",),
    ),
    Mutation(
        name="an idle process looks for cancellations",
        module="handlers/async_api/cancellation.py",
        old="        if self._running:\n",
        new="        if True:\n",
        tests=(f"{_CANCELLATION}::test_an_idle_process_lists_nothing",),
    ),
    Mutation(
        name="each request that begins lists the cancellations",
        module="handlers/async_api/cancellation.py",
        old="now - self._looked_at <= MAX_FRESH_S:\n            return\n",
        new="now - self._looked_at <= MAX_FRESH_S:\n            pass\n",
        tests=(f"{_CANCELLATION}::test_a_hundred_that_begin_within_a_second_share_one_listing",),
    ),
    Mutation(
        name="a cancellation stays in the index after the end of its request",
        module="handlers/async_api/handler.py",
        old="            await delete_best_effort(self._deletions, (key,))\n",
        new="            pass\n",
        tests=(f"{_CANCELLATION}::test_a_cancelled_request_that_waited_is_not_begun",),
    ),
    Mutation(
        name="a record of an attempt is written after the lease",
        module="handlers/async_api/attempt_records.py",
        old='encode_attempt(attempt), "application/json", check=fence.check)',
        new='encode_attempt(attempt), "application/json")',
        tests=("tests/handlers/async_api/test_attempt_records.py::test_nothing_is_recorded_after_the_lease",),
    ),
    Mutation(
        name="progress is written after the end of its attempt",
        module="handlers/async_api/progress.py",
        old="            self._writing.cancel()\n",
        new="            pass\n",
        tests=("tests/handlers/async_api/test_progress.py::test_nothing_is_written_after_the_attempt",),
    ),
    Mutation(
        name="progress is written as often as it is reported",
        module="handlers/async_api/progress.py",
        old="                await asyncio.sleep(MIN_INTERVAL_S)\n",
        new="",
        tests=("tests/handlers/async_api/test_progress.py::test_a_report_is_stored_at_once_and_of_many_the_last_one",),
    ),
    Mutation(
        name="progress is written after the lease is lost",
        module="handlers/async_api/request_store.py",
        old="await self._store.put(self._keys.progress, content, JSON_TYPE, check=self._fence.check)",
        new="await self._store.put(self._keys.progress, content, JSON_TYPE)",
        tests=("tests/handlers/async_api/test_progress.py::test_nothing_is_written_after_the_lease",),
    ),
    Mutation(
        name="a client chooses where a container reports",
        module="handlers/async_api/call.py",
        old="                headers = [field for field in headers if field[0].lower() != PROGRESS_URL_HEADER.lower()]\n",
        new="",
        tests=("tests/handlers/async_api/test_handler.py::test_a_client_cannot_choose_where_the_container_reports",),
    ),
    Mutation(
        name="a client that fills a tunnel of the proxy is read without end",
        module="proxy/container_connection.py",
        old="            self._tunnel.container_writable(not is_full)\n",
        new="            pass\n",
        tests=("tests/proxy/test_tunnel.py::test_a_container_that_does_not_read_stops_the_client",),
    ),
    Mutation(
        name="what a container never reads is kept for a client that left its tunnel",
        module="proxy/container_connection.py",
        old="                self._loop.call_later(LINGER_S, transport.abort)\n",
        new="                pass\n",
        tests=("tests/proxy/test_tunnel.py::test_a_container_that_does_not_read_stops_the_client",),
    ),
    Mutation(
        name="a client that left its tunnel unseen keeps it",
        module="proxy/client_connection.py",
        old="        if exchange is not None or self._tunnel is not None:\n",
        new="        if exchange is not None:\n",
        tests=("tests/proxy/test_tunnel.py::test_a_container_that_does_not_read_stops_the_client",),
    ),
    Mutation(
        name="half a response of a realtime API looks whole at the gateway",
        module="gateway/realtime.py",
        old="                if self._body_error is not None or not isinstance(body, UntilCloseBody):\n",
        new="                if self._body_error is not None:\n",
        tests=("tests/gateway/test_realtime.py::test_half_a_response_does_not_look_whole",),
    ),
    Mutation(
        name="a realtime API that was cut off because of the client has responded",
        module="gateway/realtime.py",
        old="                if self._body_error is not None or not isinstance(body, UntilCloseBody):\n",
        new="                if not isinstance(body, UntilCloseBody):\n",
        tests=("tests/gateway/test_realtime.py::test_half_a_response_to_half_a_request_does_not_look_whole",),
    ),
    Mutation(
        name="a realtime API works on for a client that has left the gateway",
        module="gateway/realtime.py",
        old="                with self._limit.when_lost(request, lost):\n",
        new="                with self._limit.when_lost(request, lambda: None):\n",
        tests=("tests/gateway/test_realtime.py::test_the_api_is_told_when_the_client_leaves",),
    ),
    Mutation(
        name="a gateway that stops lets clients send another request on their connections",
        module="gateway/realtime.py",
        old="        keep = may_keep and not self._limit.is_draining  #",
        new="        keep = may_keep  #",
        tests=("tests/gateway/test_realtime.py::test_a_gateway_that_stops_closes_the_connections_of_clients",),
    ),
    Mutation(
        name="a client that reads nothing holds a tunnel for ever",
        module="gateway/tunnel.py",
        old="            raise error\n",
        new="            pass\n",
        tests=("tests/gateway/test_realtime.py::test_a_client_that_reads_nothing_is_cut",),
    ),
    Mutation(
        name="the gateway forwards what the proxy would refuse",
        module="gateway/realtime.py",
        old="            head = read_request_head(_as_sent(request))\n",
        new="            head = read_request_head(_as_sent(request).replace(b'_', b'-'))\n",
        tests=("tests/gateway/test_realtime.py::test_an_ambiguous_request_does_not_reach_the_api",),
    ),
    Mutation(
        name="a client that fills a tunnel is read without end",
        module="gateway/tunnel.py",
        old="            self._protocol.pause_reading()\n",
        new="            pass\n",
        tests=("tests/gateway/test_realtime.py::test_a_tunnel_whose_other_side_does_not_read_is_not_read",),
    ),
    Mutation(
        name="a POST is sent again although it may have been executed",
        module="proxy/exchange.py",
        old='frozenset({b"GET", b"HEAD", b"OPTIONS"})',
        new='frozenset({b"GET", b"HEAD", b"OPTIONS", b"POST"})',
        tests=("tests/proxy/test_exchange.py::test_a_post_is_never_sent_again",),
    ),
    Mutation(
        name="a request is sent again although its response has begun",
        module="proxy/exchange.py",
        old="            and not connection.response_began\n",
        new="",
        tests=("tests/proxy/test_exchange.py::test_a_get_whose_response_has_begun_is_not_sent_again",),
    ),
    Mutation(
        name="a request that the container had for a while is sent again",
        module="proxy/exchange.py",
        old="            and clock.monotonic() - (self.record.admitted_at or self.record.began_at) < RESEND_WITHIN_S\n",
        new="",
        tests=("tests/proxy/test_exchange.py::test_a_get_that_the_container_had_for_a_while_is_not_sent_again",),
    ),
    Mutation(
        name="a POST is sent on a connection that the container has closed",
        module="proxy/container_pool.py",
        old="                and not (must_be_open and connection.has_closed_unseen())\n",
        new="",
        tests=("tests/proxy/test_container_pool.py",),
    ),
    Mutation(
        name="half a response looks whole",
        module="proxy/client_connection.py",
        old="                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)\n",
        new="                pass\n",
        tests=("tests/proxy/test_exchange.py::test_a_response_that_breaks_is_cut",),
    ),
    Mutation(
        name="a body that the container left unread becomes its next request",
        module="proxy/container_connection.py",
        old="        may_have_unread_body = self._has_body and not 200 <= head.status < 300\n",
        new="        may_have_unread_body = False\n",
        tests=(
            "tests/proxy/test_exchange.py::test_a_connection_whose_request_was_refused_with_a_body_is_not_used_again",
        ),
    ),
    Mutation(
        name="a client that left keeps its place",
        module="proxy/exchange.py",
        old="            self._parts.admission.leave(self, result)\n",
        new="            self._parts.admission.expire()\n",
        tests=("tests/proxy/test_exchange.py::test_a_client_that_leaves_frees_what_it_held",),
    ),
    Mutation(
        name="an upload in the queue is read without end",
        module="proxy/exchange.py",
        old="            if self._pending_bytes > MAX_WAITING_BODY_BYTES and not end:\n",
        new="            if not self._pending:\n",
        tests=("tests/proxy/test_exchange.py::test_a_client_that_uploads_in_the_queue_is_not_read_without_end",),
    ),
    Mutation(
        name="a slow client does not slow the container down",
        module="proxy/exchange.py",
        old="                self._connection.pause_reading()\n",
        new="                self._connection.resume_reading()\n",
        tests=("tests/proxy/test_backpressure.py::test_a_client_that_does_not_read_stops_the_container",),
    ),
    Mutation(
        name="a client that asks and does not read is answered without end",
        module="proxy/client_connection.py",
        old="        self._is_blocked = True\n",
        new="        self._is_blocked = False\n",
        tests=(
            "tests/proxy/test_backpressure.py::test_a_client_that_asks_and_does_not_read_is_not_answered_without_end",
        ),
    ),
    Mutation(
        name="requests sent ahead are read without end",
        module="proxy/client_connection.py",
        old="        if len(self._ahead) > MAX_AHEAD_BYTES:\n            self.pause_reading()\n",
        new="        return\n",
        tests=("tests/proxy/test_backpressure.py::test_requests_sent_ahead_are_not_read_without_end",),
    ),
    Mutation(
        name="requests wait in another order",
        module="proxy/admission.py",
        old="                waiter = next(iter(self._waiting))\n",
        new="                waiter = next(reversed(self._waiting))\n",
        tests=("tests/proxy/test_admission.py",),
    ),
    Mutation(
        name="requests are admitted before the container is ready",
        module="proxy/admission.py",
        old="            while self._is_ready and self._waiting and",
        new="            while self._waiting and",
        tests=("tests/proxy/test_admission.py",),
    ),
    Mutation(
        name="two lengths of a request",
        module="http/request_head.py",
        old="        raise _bad_fields(data) from None\n",
        new="        pass\n",
        tests=("tests/http/test_request_head.py",),
    ),
    Mutation(
        name="a field that servers of WSGI read as the length",
        module="http/request_head.py",
        old='        if b"_" in lower and lower.replace(b"-", b"_") in _MISLEADING:\n',
        new='        if lower in _FRAMING and b"_" in lower:\n',
        tests=("tests/http/test_request_head.py",),
    ),
    Mutation(
        name="Connection takes Host away",
        module="http/request_head.py",
        old="        if not _FRAMING.isdisjoint(head.connection_options):\n",
        new="        if not head.connection_options:\n",
        tests=("tests/http/test_request_head.py",),
    ),
    Mutation(
        name="framing of chunks without end",
        module="http/framing.py",
        old="        if self._excess > MAX_CHUNK_EXCESS_BYTES or",
        new="        if",
        tests=("tests/http/test_framing.py",),
    ),
    Mutation(
        name="trailers change what the head said",
        module="http/forwarding.py",
        old='        if name.lower().replace(b"_", b"-") not in _NOT_IN_TRAILERS\n',
        new="        if name\n",
        tests=("tests/http/test_forwarding.py",),
    ),
    Mutation(
        name="fields of one connection are passed on",
        module="http/forwarding.py",
        old='            if lower not in dropped and (lower not in named or lower == b"content-type")\n',
        new="            if lower not in dropped\n",
        tests=("tests/http/test_forwarding.py",),
    ),
    Mutation(
        name="a WebSocket is told that the server goes away inside a frame",
        module="proxy/tunnel.py",
        old="        if self._frames.is_between_frames:\n",
        new="        if self._frames is not None:\n",
        tests=("tests/proxy/test_tunnel.py",),
    ),
    Mutation(
        name="idle connections are closed at once when the listeners are",
        module="proxy/listener.py",
        old="        loop.call_later(min(LAST_REQUEST_S, grace_s / 2), self._close_idle)\n",
        new="        self._close_idle()\n",
        tests=(
            "tests/proxy/test_listener.py::test_a_request_on_an_idle_connection_is_served_after_the_listeners_are_closed",
        ),
    ),
    Mutation(
        name="a release after an acknowledgement without a response",
        module="worker/attempts.py",
        old="        if held.was_settlement_attempted:\n",
        new="        if held.is_over():\n",
        tests=("tests/worker/test_worker_drain.py",),
    ),
    Mutation(
        name="a message that has not failed is released at its last receive",
        module="worker/settlement.py",
        old="                if not await self._is_sent_again(lease):\n",
        new="                if lease is not None:\n",
        tests=("tests/worker/test_settlement.py",),
    ),
    Mutation(
        name="a completion message that is drained at its last receive is released",
        module="core/message.py",
        old="    return max_receives is not None and message.receive_count >= max_receives\n",
        new="    return max_receives is not None and message.receive_count > max_receives\n",
        tests=("tests/handlers/batch_api/test_completion.py",),
    ),
    Mutation(
        name="a later message of a group overtakes one that was released",
        module="sources/sqs/source.py",
        old="1 if self._keeps_groups else min",
        new="min",
        tests=(
            "tests/simulation/test_any_queue.py",
            "tests/sources/sqs/test_source.py",
        ),
    ),
    Mutation(
        name="a message at its last receive loses its place in its group",
        module="sources/sqs/source.py",
        old="        if self._keeps_groups:\n",
        new="        if False:\n",
        tests=("tests/sources/sqs/test_source.py",),
    ),
    Mutation(
        name="the value of an attribute adds a header to a request",
        module="handlers/queue_api/headers.py",
        old=" and _VALUE.fullmatch(value)\n",
        new="\n",
        tests=("tests/handlers/queue_api/test_headers.py",),
    ),
    Mutation(
        name="the name of an attribute adds a header to a request",
        module="handlers/queue_api/headers.py",
        old=" and _NAME.fullmatch(name) and",
        new=" and",
        tests=("tests/handlers/queue_api/test_headers.py",),
    ),
    Mutation(
        name="attributes fill the head of a request",
        module="handlers/queue_api/headers.py",
        old="        room -= size\n",
        new="",
        tests=("tests/handlers/queue_api/test_headers.py",),
    ),
    Mutation(
        name="a pointer makes the sidecar read any bucket that its role may read",
        module="handlers/queue_api/payloads.py",
        old="        if pointer.bucket not in self._stores:\n",
        new="        if False:\n",
        tests=("tests/handlers/queue_api/test_handler.py",),
    ),
    Mutation(
        name="the key of a pointer leads out of its bucket",
        module="handlers/queue_api/pointer.py",
        old='{".", ".."}.isdisjoint',
        new="set().isdisjoint",
        tests=("tests/handlers/queue_api/test_pointer.py",),
    ),
    Mutation(
        name="a message chooses which path is called",
        module="handlers/queue_api/handler.py",
        old="path_of(attributes, form.path) if form.takes_paths else form.path",
        new="path_of(attributes, form.path)",
        tests=("tests/handlers/queue_api/test_handler.py",),
    ),
    Mutation(
        name="a message of any queue is done before its result is stored",
        module="handlers/queue_api/handler.py",
        old="        await work.result.finish()\n",
        new="",
        tests=("tests/simulation/test_any_queue.py",),
    ),
    Mutation(
        name="a message of any queue whose result is stored is run again",
        module="handlers/queue_api/handler.py",
        old="message.receive_count > 1 and await",
        new="False and await",
        tests=("tests/simulation/test_any_queue.py",),
    ),
    Mutation(
        name="a result of any queue is written after the lease",
        module="handlers/queue_api/results.py",
        old="self._store.create(self._key, body, self._type, check=self._fence.check)",
        new="self._store.create(self._key, body, self._type)",
        tests=("tests/handlers/queue_api/test_handler.py",),
    ),
    Mutation(
        name="one failure deletes a message of a queue without a redrive policy",
        module="handlers/queue_api/handler.py",
        old="self._max_receives() is None and message.receive_count < self._policy.max_attempts",
        new="False",
        tests=("tests/simulation/test_any_queue.py",),
    ),
    Mutation(
        name="the payload of a message that has failed is deleted",
        module="handlers/queue_api/handler.py",
        old='        return b"".join([chunk async for chunk in payload.chunks]), None\n',
        new='        body = b"".join([chunk async for chunk in payload.chunks])\n        await self._payloads.delete(work.pointer)\n        return body, None\n',
        tests=("tests/handlers/queue_api/test_handler.py",),
    ),
    Mutation(
        name="a queue is empty although not everything was sent",
        module="controller/memory.py",
        old="        if messages != 0 or not is_sent:\n",
        new="        if messages != 0:\n",
        tests=("tests/controller/test_memory.py",),
    ),
    Mutation(
        name="a container that is drained may use any amount of memory",
        module="controller/launchers/local/pod.py",
        old="            self.child.kill()  # here",
        new="            pass  # here",
        tests=("tests/controller/launchers/local/test_pod.py",),
    ),
    Mutation(
        name="other people's processes lose their cgroup",
        module="process/cgroups.py",
        old=".split() != [str(os.getpid())]:",
        new=".split() == []:",
        tests=("tests/process/test_cgroups.py",),
    ),
    Mutation(
        name="a batch acknowledged before its results are stored",
        module="handlers/batch_api/handler.py",
        old="            await results.finish(answer)\n",
        new="            asyncio.get_running_loop().create_task(results.finish(answer))\n",
        tests=(_RESULTS,),
    ),
    Mutation(
        name="results of a batch are overwritten",
        module="handlers/batch_api/results.py",
        old="await self._job.store.create(key, body, LINES_TYPE, check=self._fence.check)",
        new="not await self._job.store.put(key, body, LINES_TYPE, check=self._fence.check)",
        tests=(_RESULTS,),
    ),
    Mutation(
        name="results are written after the lease",
        module="handlers/batch_api/results.py",
        old="await self._job.store.create(key, body, LINES_TYPE, check=self._fence.check)",
        new="await self._job.store.create(key, body, LINES_TYPE)",
        tests=(_RESULTS,),
    ),
    Mutation(
        name="a second delivery decides by its own answer",
        module="handlers/batch_api/results.py",
        old="answer.failures if is_ours else None",
        new="answer.failures",
        tests=(_RESULTS,),
    ),
    Mutation(
        name="a delivery that does not know which items failed leaves that open",
        module="handlers/batch_api/results.py",
        old="        if final or failures is None:\n",
        new="        if final:\n",
        tests=(_RESULTS,),
    ),
    Mutation(
        name="items are sent again before it is decided which of them failed",
        module="handlers/batch_api/results.py",
        old="            rest = [at for at in rest if items[at] not in decided]\n",
        new="",
        tests=(_RESULTS,),
    ),
    Mutation(
        name="a batch that failed for good has its errors only",
        module="handlers/batch_api/results.py",
        old='        if await self._create(self._results, b"") and await self._create(',
        new="        if await self._create(",
        tests=(_RESULTS,),
    ),
    Mutation(
        name="a redelivery of what is stored calls the container",
        module="handlers/batch_api/handler.py",
        old="            if (message.receive_count > 1 or message.may_repeat) and await results.has_ended():\n",
        new="            if False:\n",
        tests=(_RESULTS,),
    ),
    Mutation(
        name="a batch that failed for good leaves no record",
        module="handlers/batch_api/failures.py",
        old="        return await self._record(message, outcome, fence)\n",
        new="        return outcome\n",
        tests=(_RESULTS,),
    ),
    Mutation(
        name="items that cannot be sent again leave no record",
        module="handlers/batch_api/failures.py",
        old="        if self._max_receives is not None:\n            failed = await",
        new="        if False:\n            failed = await",
        tests=(_RESULTS,),
    ),
    Mutation(
        name="the headers of a request that ended by a bug stay",
        module="handlers/async_api/final_failure.py",
        old="after_ack=partial(delete_best_effort, self.store, input_keys), ",
        new="",
        tests=("tests/handlers/test_bugs.py",),
    ),
    Mutation(
        name="a lease is not fenced after the last renewal of its 12 hours",
        module="worker/lease.py",
        old="        if due_at > held.stop_at:\n",
        new="        if False:\n",
        tests=("tests/worker/test_lease.py",),
    ),
    Mutation(
        name="items that were tried again and failed are counted as a batch",
        module="handlers/batch_api/failures.py",
        old="ItemsFailed(items=failed) if is_retry else BatchFailed()",
        new="BatchFailed()",
        tests=("tests/sidecar/test_batch_objects.py",),
    ),
    Mutation(
        name="a batch that is delivered again after its failure is counted twice",
        module="handlers/batch_api/records.py",
        old="return await retry_until_available(_UNAVAILABLE, self._create_once,",
        new="return True | await retry_until_available(_UNAVAILABLE, self._create_once,",
        tests=("tests/sidecar/test_batch_objects.py",),
    ),
    Mutation(
        name="the end of a job is overwritten",
        module="controller/ending.py",
        old="        return await self._objects.create(self._keys.end, dump_end(end))\n",
        new="        await self._objects.put(self._keys.end, dump_end(end))\n        return True\n",
        tests=("tests/controller/test_ending.py",),
    ),
    Mutation(
        name="processes run on after the end of their job",
        module="controller/ending.py",
        old="        await self._launcher.stop(self._keys, tuple(found))\n",
        new="",
        tests=("tests/controller/test_early_ends.py",),
    ),
    Mutation(
        name="enqueued without the completion message",
        module="controller/observation.py",
        old="        is_sent = _name(keys.payload) not in names\n",
        new="        is_sent = True\n",
        tests=("tests/controller/test_life.py",),
    ),
    Mutation(
        name="a slow enqueuer ends the job",
        module="controller/decisions.py",
        old="    if seen.total_batches is not None and seen.depth is not None and seen.depth.total == 0:\n",
        new="    if seen.depth is not None and seen.depth.total == 0:\n",
        tests=("tests/controller/test_decisions.py",),
    ),
    Mutation(
        name="workers are counted before they are drained",
        module="controller/decisions.py",
        old="        return _stop(seen.running()) or done\n",
        new="        return done\n",
        tests=("tests/controller/test_decisions.py",),
    ),
    Mutation(
        name="a job of which nobody recorded some items is called a success",
        module="controller/output.py",
        old="await self._settle(end, in_view_of(end, sums, spec))",
        new="end",
        tests=("tests/controller/test_output.py",),
    ),
    Mutation(
        name="the manifest is written before what is missing is stored",
        module="controller/output.py",
        old="            settled = await self._settle(end, in_view_of(end, sums, spec))\n            return settled",
        new="            settled = in_view_of(end, sums, spec)\n            return settled",
        tests=("tests/controller/test_output.py",),
    ),
    Mutation(
        name="a job with output has a final status before its manifest is there",
        module="jobs/status_reading.py",
        old="if spec.output_s3_path is None:",
        new="if True:",
        tests=("tests/jobs/test_status.py",),
    ),
    Mutation(
        name="a sign of life that is under way creates the owner again after the end",
        module="controller/ownership.py",
        old="async with asyncio.timeout(max(0.0, self._valid_until - asked_at)), self._beating:",
        new="async with asyncio.timeout(max(0.0, self._valid_until - asked_at)):",
        tests=("tests/controller/test_ownership.py",),
    ),
    Mutation(
        name="an owner that comes back does not look whether it was followed",
        module="controller/ownership.py",
        old="            if await self._newest_epoch() == seen.epoch:\n",
        new="            if seen.epoch:\n",
        tests=("tests/controller/test_ownership.py",),
    ),
    Mutation(
        name="a claim that may not be deleted keeps all jobs waiting",
        module="controller/controller.py",
        old="            with suppress(*PASS_ERRORS):",
        new="            with suppress():",
        tests=(
            "tests/controller/test_two_controllers.py::test_a_claim_that_cannot_be_deleted_keeps_no_other_job_waiting",
        ),
    ),
    Mutation(
        name="a container whose memory cannot be looked at goes on without its limit",
        module="process/memory.py",
        old="                        waiting.set_exception(error)",
        new="                        pass",
        tests=("tests/process/test_memory.py",),
    ),
    Mutation(
        name="a message that is sent again during a drain comes to a poll that nobody reads",
        module="worker/settlement.py",
        old="            with self._making_visible():\n                await self._source.copy(lease)\n",
        new="            await self._source.copy(lease)\n",
        tests=("tests/worker/test_settlement.py",),
    ),
    Mutation(
        name="a job that ended while jobs were listed is claimed again",
        module="controller/controller.py",
        old="running = were_running | self._running.keys()",
        new="running = self._running.keys()",
        tests=("tests/controller/test_controller.py",),
    ),
    Mutation(
        name="results that are cut off look whole",
        module="gateway/job_results.py",
        old="        if request.transport is not None:\n            request.transport.abort()",
        new="        await response.write_eof()",
        tests=("tests/gateway/test_job_results.py",),
    ),
    Mutation(
        name="results are sent to clients that cannot tell a cut",
        module="gateway/job_results.py",
        old="if request.version < HttpVersion11:",
        new="if False:",
        tests=("tests/gateway/test_job_results.py",),
    ),
    Mutation(
        name="lines of a batch are not merged by item",
        module="jobs/result_lines.py",
        old="heapq.heapreplace(heap, (lines.index, order, lines))",
        new="heapq.heapreplace(heap, (0, order, lines))",
        tests=("tests/jobs/test_results.py",),
    ),
    Mutation(
        name="what dev leaves behind when it is killed runs on",
        module="dev/watchdog.py",
        old="    _until_gone(marker, KILL_TIMEOUT_S, signal.SIGKILL)\n",
        new="",
        tests=("tests/dev/test_run_folder.py",),
    ),
    Mutation(
        name="a container that ends is not started again",
        module="dev/restarted_process.py",
        old="            await self._pause(pause_s)\n",
        new="            return\n",
        tests=("tests/dev/test_restarted_process.py",),
    ),
    Mutation(
        name="the user's commands get the user's account",
        module="dev/environment.py",
        old="if not _is_aws(name) and not name.startswith(_OWN)}",
        new="if not name.startswith(_OWN)}",
        tests=("tests/dev/test_environment.py",),
    ),
    Mutation(
        name="an owner does not look whether it was followed",
        module="controller/ownership.py",
        old="            if newest > self.epoch:\n                break\n",
        new="",
        tests=("tests/controller/test_ownership.py",),
    ),
    Mutation(
        name="an owner acts although it could not show a sign of life",
        module="controller/ownership.py",
        old="        return self.epoch > 0 and self._clock() < self._valid_until\n",
        new="        return self.epoch > 0\n",
        tests=("tests/controller/test_ownership.py",),
    ),
    Mutation(
        name="containers are stopped before their sidecar",
        module="controller/launchers/local/pod.py",
        old="            for part in reversed(self._parts):\n",
        new="            for part in self._parts:\n",
        tests=("tests/controller/launchers/local/test_pod.py",),
    ),
    Mutation(
        name="batches sent before the checkpoint that names their files",
        module="enqueuer/run.py",
        old="                await self._put_checkpoint(window.before)\n",
        new="",
        tests=("tests/enqueuer/test_run.py",),
    ),
    Mutation(
        name="a restart lists files anew",
        module="enqueuer/files.py",
        old="        for last in checkpoint.window:\n",
        new="        for last in ():\n",
        tests=("tests/enqueuer/test_run.py",),
    ),
    Mutation(
        name="a restart looks for files after the last ones",
        module="enqueuer/files.py",
        old="        if checkpoint.is_last:\n            return\n",
        new="",
        tests=("tests/enqueuer/test_run.py",),
    ),
    Mutation(
        name="submission deleted before the completion message",
        module="enqueuer/run.py",
        old="        await self._sender.send([self._completion()])\n        await self._delete()\n",
        new="        await self._delete()\n        await self._sender.send([self._completion()])\n",
        tests=("tests/enqueuer/test_run.py",),
    ),
    Mutation(
        name="entries that failed are lost",
        module="sources/sqs/sending.py",
        old="        return [message for at, message in enumerate(messages) if str(at) not in sent]\n",
        new="        return []\n",
        tests=("tests/sources/sqs/test_sending.py",),
    ),
    Mutation(
        name="a changed file is read on",
        module="sinks/s3/ranges.py",
        old='    fields = (("if-match", listed.e_tag), ("range", asked)) if listed.e_tag else (("range", asked),)\n',
        new='    fields = (("range", asked),)\n',
        tests=("tests/sinks/test_listing_and_ranges.py",),
    ),
    Mutation(
        name="a number ends with its chunk",
        module="formats/json_values.py",
        old="        if stop == len(chunk):\n            return None\n        self.close",
        new="        self.close",
        tests=("tests/formats/test_json_values.py",),
    ),
    Mutation(
        name="status before result",
        module="handlers/async_api/call.py",
        old="                    result = await self._results.write(response, request, cut.response_complete)\n",
        new="                    await request.mark_completed()\n                    result = await self._results.write(response, request)\n",
        tests=("tests/handlers/async_api/test_handler.py",),
    ),
    Mutation(
        name="status after the acknowledgement",
        module="handlers/async_api/ending.py",
        old='        await self._request.mark_completed()\n        return Done(state="completed", after_ack=self._request.delete_input)',
        new='        return Done(state="completed", after_ack=self._request.mark_completed)',
        tests=("tests/handlers/async_api/test_handler.py",),
    ),
    Mutation(
        name="input deleted before the acknowledgement",
        module="handlers/async_api/ending.py",
        old='        await self._request.mark_completed()\n        return Done(state="completed", after_ack=self._request.delete_input)',
        new='        await self._request.mark_completed()\n        await self._request.delete_input()\n        return Done(state="completed")',
        tests=("tests/handlers/async_api/test_handler.py",),
    ),
    Mutation(
        name="no fence",
        module="worker/lease.py",
        old=(
            "            self._mark_lost(NOT_RENEWED)\n"
            "        if self.lost_reason is not None:\n            raise LeaseLostError(self.lost_reason)\n"
        ),
        new="            self._mark_lost(NOT_RENEWED)\n",
        tests=("tests/worker/test_lease.py",),
    ),
    Mutation(
        name="a lost lease does not stop the work",
        module="worker/lease.py",
        old="            self._task.cancel()\n",
        new="            pass\n",
        tests=("tests/worker/test_lease.py",),
    ),
    Mutation(
        name="no shield around settling",
        module="worker/settlement.py",
        old="await asyncio.shield(settling)",
        new="await settling",
        tests=("tests/worker/test_worker_drain.py",),
    ),
    Mutation(
        name="no renewal",
        module="worker/lease.py",
        old="                await held.lease.extend(granted_s)\n",
        new="                pass\n",
        tests=("tests/worker/test_lease.py",),
    ),
    Mutation(
        name="a renewal is sent beside an acknowledgement",
        module="worker/lease.py",
        old="        self._renewer.pause(self)\n",
        new="",
        tests=("tests/worker/test_worker_leases.py",),
    ),
    Mutation(
        name="a change is sent after its lease",
        module="sources/sqs/batcher.py",
        old="        batch = self._sendable(batch)\n",
        new="",
        tests=("tests/sources/sqs/test_batcher.py",),
    ),
    Mutation(
        name="a cancelled change is sent",
        module="sources/sqs/batcher.py",
        old="if not waiting.future.done()]",
        new="if waiting.until > now]",
        tests=("tests/sources/sqs/test_batcher.py",),
    ),
    Mutation(
        name="a request does not end with the lease",
        module="sources/sqs/source.py",
        old="min(until, asyncio.get_running_loop().time() + limit_s)",
        new="asyncio.get_running_loop().time() + limit_s",
        tests=("tests/sources/sqs/test_source.py",),
    ),
    Mutation(
        name="a released message that the own poll receives again is not released again",
        module="worker/worker.py",
        old="            left_s = min(close_polls_at, self._settler.last_release_at + READ_POLLS_AFTER_RELEASE_S) - loop.time()\n",
        new="            left_s = 0.0\n",
        tests=("tests/worker/test_worker_drain.py",),
    ),
    Mutation(
        name="the end of the drain waits for a queue that does not respond",
        module="worker/prefetch.py",
        old="set(self._releases), timeout=max(0.0, until - self._renewer.loop.time()))",
        new="set(self._releases))",
        tests=("tests/worker/test_worker_drain.py",),
    ),
    Mutation(
        name="a release waits for clean-up",
        module="worker/attempts.py",
        old="            if held.settlement is None and not held.was_settlement_attempted\n",
        new="            if False\n",
        tests=("tests/worker/test_worker_drain.py",),
    ),
    Mutation(
        name="messages whose outcome is not stored use no capacity while they are settled",
        module="worker/attempts.py",
        old=" and outcome.state in _STORED_STATES",
        new="",
        tests=("tests/worker/test_worker.py",),
    ),
    Mutation(
        name="the number of acknowledgements under way is not limited",
        module="worker/attempts.py",
        old="max(0, self._acknowledging - MAX_UNCOUNTED_SETTLING)",
        new="0",
        tests=("tests/worker/test_worker.py",),
    ),
    Mutation(
        name="messages that running receives may return do not count",
        module="worker/poller.py",
        old="self._slots.free - receives.possible_incoming, len(self._prefetched)",
        new="self._slots.free, len(self._prefetched)",
        tests=("tests/worker/test_receives.py",),
    ),
    Mutation(
        name="no more messages are prefetched while receives take long",
        module="worker/prefetch_limit.py",
        old="MAX_BATCH_SIZE + self._slots.expected_messages(self._receive_s)",
        new="0",
        tests=("tests/worker/test_prefetch_limit.py", "tests/worker/test_receives.py"),
    ),
    Mutation(
        name="large messages are prefetched like small ones",
        module="worker/prefetch_limit.py",
        old="max(1.0, largest, BODY_SIZE_DECAY * self._body_chars)",
        new="1.0",
        tests=("tests/worker/test_prefetch_limit.py", "tests/worker/test_receives.py"),
    ),
    Mutation(
        name="every receive is a long poll",
        module="worker/receives.py",
        old="is_long_poll=not len(self)",
        new="is_long_poll=True",
        tests=("tests/worker/test_receives.py",),
    ),
    Mutation(
        name="more receives run at the same time while the queue returns few messages",
        module="worker/receives.py",
        old="        if received >= receive.limit:\n",
        new="        if received:\n",
        tests=("tests/worker/test_receives.py",),
    ),
    Mutation(
        name="no release on SIGTERM",
        module="worker/settlement.py",
        old="                await self._release(lease, 0)\n",
        new="                pass\n",
        tests=("tests/worker/test_worker_drain.py",),
    ),
    Mutation(
        name="a drain keeps the prefetched messages",
        module="worker/worker.py",
        old='        self._prefetched.release_all("drain")\n',
        new="",
        tests=("tests/worker/test_worker_prefetch.py",),
    ),
    Mutation(
        name="prefetched messages that expire are not released",
        module="worker/prefetch.py",
        old='            self._release_messages(expired, "waited")\n',
        new="            pass\n",
        tests=("tests/worker/test_worker_prefetch.py",),
    ),
    Mutation(
        name="prefetched messages go to a container that is not ready",
        module="worker/poller.py",
        old='            self._prefetched.release_all("not_ready")\n',
        new="",
        tests=("tests/worker/test_worker_prefetch.py",),
    ),
    Mutation(
        name="the limit rises without more throughput",
        module="concurrency/adaptive_limit.py",
        old="        if ratio > threshold:\n",
        new="        if ratio > 0:\n",
        tests=("tests/concurrency/test_adaptive_limit.py",),
    ),
    Mutation(
        name="refusals do not lower the limit",
        module="concurrency/adaptive_limit.py",
        old="                self._reduce(now)\n",
        new="                pass\n",
        # Only this test: the others of the file would run for minutes with this mutation, with a limit of 100 instead of 8.
        tests=("tests/concurrency/test_adaptive_limit.py::test_a_burst_of_refusals_counts_once",),
    ),
    Mutation(
        name="failed entries of a batch of deletions count as deleted",
        module="sources/sqs/source.py",
        old="                verdicts[entry] = error\n",
        new="                verdicts[entry] = None\n",
        tests=("tests/sources/sqs/test_source.py",),
    ),
    Mutation(
        name="the lifecycle rules of others are overwritten",
        module="sinks/s3_sdk/lifecycle.py",
        old='[rule for rule in rules if rule.get("ID") != RULE_ID] + [ours]',
        new="[ours]",
        tests=("tests/sinks/s3_sdk/test_lifecycle.py",),
    ),
    Mutation(
        name="a redelivery of finished work calls the container again",
        module="handlers/async_api/handler.py",
        old="if (message.receive_count > 1 or",
        new="if (message.receive_count < 0 or",
        tests=("tests/handlers/async_api/test_handler.py",),
    ),
    Mutation(
        name="a status is written after the lease",
        module="handlers/async_api/request_store.py",
        old="await self._call(self._store.put, key, body, content_type, check=self._fence.check)",
        new="await self._call(self._store.put, key, body, content_type)",
        tests=("tests/handlers/async_api/test_handler.py",),
    ),
    Mutation(
        name="a store does not look at the fence of a write",
        module="sinks/s3/writing.py",
        old="        check()\n",
        new="",
        tests=("tests/sinks/test_store.py",),
    ),
    Mutation(
        name="a settlement begins after the lease",
        module="worker/lease.py",
        old="        self.check()\n        self._renewer.pause(self)\n",
        new="        self._renewer.pause(self)\n",
        tests=("tests/worker/test_lease.py",),
    ),
    Mutation(
        name="a second result overwrites the first",
        module="handlers/async_api/request_store.py",
        old="is_written = await self._store.create(self._keys.result, body, JSON_TYPE, check=self._fence.check)",
        new="is_written = await self._store.put(self._keys.result, body, JSON_TYPE) is None",
        tests=("tests/handlers/async_api/test_handler.py",),
    ),
    Mutation(
        name="a response whose write is refused is dropped",
        module="handlers/async_api/call.py",
        old="                    request.response_received()\n",
        new="",
        tests=("tests/handlers/async_api/test_handler.py", "tests/simulation/test_refusals.py"),
    ),
    Mutation(
        name="messages are received while their results are refused",
        module="core/refusals.py",
        old="            self.may_receive.set(is_open=not blocking)\n",
        new="            pass\n",
        tests=("tests/simulation/test_refusals.py",),
    ),
    Mutation(
        name="no call detects that a refusal is over",
        module="core/refusals.py",
        old="                await harmless_call(refusal.key)\n",
        new="                pass\n",
        tests=("tests/core/test_refusals.py",),
    ),
    Mutation(
        name="a bug has no last attempt",
        module="handlers/bugs.py",
        old="            if message.receive_count < self._max_attempts:\n",
        new="            if message.receive_count > 0:\n",
        tests=("tests/handlers/test_bugs.py",),
    ),
    Mutation(
        name="start-up does not check write access",
        module="sinks/access.py",
        old='        await retry_until_available(StoreUnavailableError, store.check_write, f"{below}{CHECK}")\n',
        new="        pass\n",
        tests=("tests/sinks/test_access.py",),
    ),
    Mutation(
        name="a failure does not check a second time for a result",
        module="handlers/async_api/ending.py",
        old="if await self._request.has_result():",
        new="if False:",
        tests=("tests/handlers/async_api/test_ending.py",),
    ),
    Mutation(
        name="secrets of a container are quoted in faults",
        module="apis/checking.py",
        old="_type_name(value) if _UNQUOTED & set(location) else document.given(location)",
        new="document.given(location)",
        tests=("tests/apis/test_faults.py",),
    ),
    Mutation(
        name="aliases are written out without a limit",
        module="apis/values.py",
        old="        if read[1] > MAX_VALUES:\n",
        new="        if False:\n",
        tests=("tests/apis/test_document.py",),
    ),
    Mutation(
        name="a key of cortex.yaml may be there twice",
        module="apis/values.py",
        old="                self.faults.append(self._at(key_node, (*location, key), text))\n",
        new="                pass\n",
        tests=("tests/apis/test_document.py",),
    ),
    Mutation(
        name="an AsyncAPI without a queue is served",
        module="gateway/endpoints.py",
        old='        if api.kind == "AsyncAPI" and api.api_name not in queues:\n',
        new="        if False:\n",
        tests=("tests/gateway/test_endpoints.py",),
    ),
    Mutation(
        name="a job in the index before its payload",
        module="gateway/job_service.py",
        old="                    if payload is not None:\n",
        new=(
            "                    await retry_briefly(StoreUnavailableError, self._jobs.put_in_index, keys)\n"
            "                    if payload is not None:\n"
        ),
        tests=("tests/gateway/test_job_service.py", "tests/gateway/test_job_submission.py"),
    ),
    Mutation(
        name="a job of the same id overwritten",
        module="jobs/job_store.py",
        old="        return await self._sink.create(keys.spec, dump_spec(spec), JSON)\n",
        new="        await self._sink.put(keys.spec, dump_spec(spec), JSON)\n        return True\n",
        tests=("tests/gateway/test_job_service.py",),
    ),
    Mutation(
        name="a job that was not accepted left in the index",
        module="jobs/job_store.py",
        old="        await self._sink.delete([keys.in_progress])\n",
        new="",
        tests=("tests/gateway/test_job_service.py",),
    ),
    Mutation(
        name="an id from outside in a key",
        module="jobs/layout.py",
        old="        if not is_job_id(self.job_id):\n",
        new="        if False:\n",
        tests=("tests/jobs/test_layout.py",),
    ),
    Mutation(
        name="an answer without a length is taken for a whole one",
        module="client/answers.py",
        old='        if "Content-Length" not in headers and ',
        new="        if False and ",
        tests=("tests/client/test_answers.py",),
    ),
    Mutation(
        name="half of the results stay beside their file",
        module="jobs_command/results.py",
        old="        part.unlink(missing_ok=True)\n",
        new="",
        tests=("tests/jobs_command/test_results.py",),
    ),
    Mutation(
        name="text of a gateway acts on a terminal",
        module="jobs_command/output.py",
        old="        self._print(visible(text))\n",
        new="        self._print(text)\n",
        tests=("tests/jobs_command/test_calling.py",),
    ),
    Mutation(
        name="text of a log acts on a terminal",
        module="jobs_command/logs.py",
        old="encode() if out.is_terminal else line",
        new="encode() if False else line",
        tests=("tests/jobs_command/test_logs.py",),
    ),
    Mutation(
        name="a submission whose answer was lost is sent again",
        module="client/jobs.py",
        old='answer = await self._open("POST", "", {}, idle_timeout_s=SUBMIT_IDLE_TIMEOUT_S, body=submission)\n',
        new="answer = await CALL_RETRIES.call((GatewayBusyError, GatewayLostError), self._gateway.open, "
        '"POST", f"/batch/{self._api_name}", {}, idle_timeout_s=9, body=submission)\n',
        tests=("tests/client/test_jobs.py",),
    ),
    Mutation(
        name="a dry run that was cut off is valid",
        module="client/jobs.py",
        old="        if rest != _VALID:\n",
        new="        if False:\n",
        tests=("tests/client/test_jobs.py",),
    ),
    Mutation(
        name="a redirect is followed with the submission",
        module="client/gateway.py",
        old="allow_redirects=False",
        new="allow_redirects=True",
        tests=("tests/client/test_answers.py",),
    ),
    Mutation(
        name="a log that is replaced while it is followed loses lines",
        module="files/log_reader.py",
        old="                return file, files[at + 1 :]\n",
        new="                return files[-1], []\n",
        tests=("tests/files/test_log_reader.py",),
    ),
]


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which all named tests pass."""
    folder = tmp_path_factory.mktemp("mutated")
    for name in ("dequeuer", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    # All named tests run once here, which takes as long as several mutations.
    every = sorted({test for mutation in MUTATIONS for test in mutation.tests})
    assert run_tests(folder, *every, timeout_s=600) == 0
    return folder


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_test_fails_without_the_piece(mutation: Mutation, copy: Path) -> None:
    module = copy / "dequeuer" / mutation.module
    text = module.read_text(encoding="utf-8")
    assert text.count(mutation.old) == 1, f"{mutation.module} has changed: update the mutation"
    module.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
    try:
        assert run_tests(copy, *mutation.tests) == 1
    finally:
        module.write_text(text, encoding="utf-8")


def run_tests(folder: Path, *tests: str, timeout_s: float = 120) -> int:
    """Return pytest's exit status: 0 all passed, 1 a test failed; any other status is an error of pytest."""
    # Tracebacks of Python itself: on Python 3.11 pytest's own can end in an internal error (a SystemError of `ast`).
    options = ["-q", "-x", "--tb=native", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command = [sys.executable, "-B", "-m", "pytest", *options, *tests]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    run = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=timeout_s
    )
    return run.returncode
