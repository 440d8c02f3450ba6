"""Removes pieces of code that keep the promises, one by one. Each time one of the named tests must fail."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
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

_WAITING = "tests/gateway/test_waiting.py"

_IDEMPOTENCY = "tests/gateway/test_idempotency.py"

_METERING = "tests/gateway/test_metering.py"

_LISTING = "tests/gateway/test_request_listing.py"

_GATE = "tests/gateway/access/test_gate.py"

_API_ROUTES = "tests/gateway/test_api_routes.py"
_AROUND_THE_BEGIN = "tests/gateway/test_request_listing.py::test_ids_of_clients_around_the_begin_of_a_list_hide_nothing"
_START_IN_AN_OUTAGE = (
    "tests/handlers/async_api/test_pause.py::"
    "test_a_sidecar_that_starts_in_an_outage_receives_nothing_until_it_knows_whether_its_api_is_paused"
)
_JOB_PAGES = (
    "tests/gateway/test_job_routes.py::test_no_page_pauses_jobs_or_reads_a_list_of_them_unless_its_origin_is_configured"
)

_PUBLISHING = "tests/publishing/test_outbox.py"

_BODY_LIMIT = "tests/gateway/access/test_body_limit.py"

_DEAD_LETTERS = "tests/gateway/test_dead_letters.py"
_PRIORITIES = "tests/gateway/test_priorities.py"
_OWN_END = "tests/worker/test_own_end.py"
_PROVISION = "tests/provision/test_app.py"
_DIFFERENCES = "tests/provision/test_differences.py"
_STOPPED = (
    "tests/integration/test_batch.py::"
    "test_a_sidecar_that_is_stopped_before_the_end_may_end_with_143_and_the_last_one_with_0"
)

_MANIFESTS = "tests/manifests/test_fields.py"

MUTATIONS = [
    Mutation(
        name="the client submits without a key again when the answer was lost",
        module="client/requests.py",
        old="        call = self._retries.call if submission.has_key else self._retries.call_once\n",
        new="        call = self._retries.call\n",
        tests=("tests/client/test_client.py::test_without_a_key_a_lost_answer_is_not_asked_for_again",),
    ),
    Mutation(
        name="the client asks again sooner than the gateway wants it to",
        module="client/retrying.py",
        old="max(CALL_BACKOFF.pause_s(failures), error.retry_after_s or 0.0)",
        new="CALL_BACKOFF.pause_s(failures)",
        tests=("tests/client/test_retrying.py::test_the_time_that_the_gateway_asks_for_is_waited",),
    ),
    Mutation(
        name="payloads are read faster than their outcomes are taken",
        module="concurrency/as_completed.py",
        old="if has_more and reading is None and len(begun) < limit:",
        new="if has_more and reading is None:",
        tests=("tests/concurrency/test_as_completed.py::test_no_item_is_begun_for_a_caller_that_takes_no_results",),
    ),
    Mutation(
        name="the path of a realtime call leads to another API",
        module="client/realtime.py",
        old='    return any(unquote(part) in {".", ".."} for part in re.split(r"[/\\\\]", unquote(path)))\n',
        new='    return ".." in path.split("/")\n',
        tests=("tests/client/test_realtime.py::test_a_path_that_could_lead_to_another_api_is_refused",),
    ),
    Mutation(
        name="a step of an iteration without asyncio is cut off while it unwinds",
        module="client/loop_thread.py",
        old="        async with self._step:\n            await self._source.aclose()\n",
        new="        await self._source.aclose()\n",
        tests=("tests/client/test_sync.py::test_a_step_that_was_cancelled_ends_before_the_generator_is_closed",),
    ),
    Mutation(
        name="a TaskAPI is left out of the values of the chart without a word",
        module="manifests/conversion.py",
        old='            place.note("is left out: the chart has no TaskAPI; `dequeuer controller` runs its jobs as local processes")\n',
        new="            continue\n",
        tests=(f"{_MANIFESTS}::test_a_task_api_is_left_out_with_a_note_at_its_line",),
    ),
    Mutation(
        name="the first replicas of an API are left out of the values of the chart without a word",
        module="manifests/scaling.py",
        old='    if "init_replicas" in scaling.model_fields_set and scaling.init_replicas != least:\n',
        new="    if False:\n",
        tests=(_MANIFESTS,),
    ),
    Mutation(
        name="a text that YAML reads as something else has no quotes in the values of the chart",
        module="manifests/writing.py",
        old="    is_plain = _PLAIN.match(text) is not None and text.lower() not in _WORDS\n",
        new="    is_plain = _PLAIN.match(text) is not None\n",
        tests=("tests/manifests/test_writing.py",),
    ),
    Mutation(
        name="a process that was stopped until after its end waits for no release",
        module="worker/worker.py",
        old="        end_at = loop.time() + RELEASE_TIMEOUT_S\n",
        new="        end_at = min(loop.time(), grace_ends_at) + RELEASE_TIMEOUT_S\n",
        tests=("tests/worker/test_worker_stopped.py",),
    ),
    Mutation(
        name="a drain that gets a completion message leaves one receive of it, which may be lost",
        module="worker/settlement.py",
        old="        is_at_end = may_be_lost if self._must_arrive(lease.message) else is_last_receive\n",
        new="        is_at_end = is_last_receive\n",
        tests=(
            "tests/worker/test_settlement.py",
            "tests/simulation/jobs/test_jobs.py::test_a_completion_message_survives_a_receive_that_is_lost",
        ),
    ),
    Mutation(
        name="a completion message is released in a drain with one receive left, which may be lost",
        module="handlers/batch_api/completion.py",
        old="Requeue(reason=_STOPPING) if may_be_lost(message) else",
        new="Requeue(reason=_STOPPING) if is_last_receive(message) else",
        tests=("tests/handlers/batch_api/test_completion.py",),
    ),
    Mutation(
        name="an event that the bus has not taken counts as sent",
        module="publishing/outbox.py",
        old='        if response.get("FailedEntryCount") == 0:\n',
        new="        if True:\n",
        tests=(f"{_PUBLISHING}::test_an_event_that_the_bus_has_not_taken_is_not_sent",),
    ),
    Mutation(
        name="a dead letter that names no queue is left where it is",
        module="gateway/dead_letters.py",
        old='if _source_arn(one) in {"", queues.arn}]',
        new="if _source_arn(one) == queues.arn]",
        tests=(f"{_DEAD_LETTERS}::test_messages_that_name_no_queue_they_come_from_are_shown_and_moved",),
    ),
    Mutation(
        name="a pause that another client has ended began in 1970",
        module="gateway/pausing.py",
        old="return clock.wall() if paused_at is None else paused_at",
        new="return paused_at or 0.0",
        tests=(f"{_API_ROUTES}::test_a_pause_that_another_client_ends_at_once_was_not_begun_in_1970",),
    ),
    Mutation(
        name="a sidecar that does not know whether its API is paused says that it is",
        module="handlers/async_api/pause.py",
        old="        if self._is_paused:\n            return ",
        new="        if True:\n            return ",
        tests=("tests/handlers/async_api/test_pause.py",),
    ),
    Mutation(
        name="a call to the queue that never ends is not reported",
        module="sources/sqs/outbox.py",
        old="        async with asyncio.timeout(CALL_TIMEOUT_S):\n",
        new="        async with asyncio.timeout(None):\n",
        tests=("tests/gateway/test_queue.py::test_a_call_without_an_answer_is_no_success",),
    ),
    Mutation(
        name="a page of a proxy counts as the answer of SNS",
        module="publishing/sns.py",
        old='            parse(reply.body, "PublishResponse")\n',
        new="            pass\n",
        tests=("tests/publishing/test_slim.py::test_what_is_no_answer_of_sns_published_nothing",),
    ),
    Mutation(
        name="a topic that refuses the sidecar stops all receiving",
        module="core/refusals.py",
        old='("sqs", "send"), ("sqs", "publish"), ("sqs", "put_events")})',
        new='("sqs", "send")})',
        tests=("tests/core/test_refusals.py",),
    ),
    Mutation(
        name="the region of a topic is the one of the process",
        module="clients/slim.py",
        old='self._endpoint("sns", region, self._settings.sns_endpoint)',
        new='self._endpoint("sns", self._region, self._settings.sns_endpoint)',
        tests=("tests/publishing/test_real_servers.py::test_a_topic_gets_the_body_and_attributes_to_filter_by",),
    ),
    Mutation(
        name="a body that is not announced is as large as its caller wants",
        module="gateway/upload.py",
        old="        if limit is not None and size > limit.max_bytes:\n",
        new="        if False:\n",
        tests=(f"{_BODY_LIMIT}::test_a_body_that_turns_out_larger_leaves_nothing",),
    ),
    Mutation(
        name="a body that is announced as too large is asked for",
        module="gateway/access/gate.py",
        old="    return too_large(place.form, limit.text) if limit is not None and limit.is_passed_by(request) else None\n",
        new="    return None\n",
        tests=(f"{_BODY_LIMIT}::test_a_larger_body_that_is_announced_is_refused_before_it_is_read",),
    ),
    Mutation(
        name="clients make labels of the gateway's metrics",
        module="gateway/metering.py",
        old="        return place.api_name if place.api_name in self._api_names else _OTHER_API\n",
        new="        return place.api_name\n",
        tests=(f"{_METERING}::test_the_in_cluster_form_counts_apis_that_are_served_alone",),
    ),
    Mutation(
        name="what a realtime API refuses counts as refused by the gateway",
        module="gateway/realtime.py",
        old="        note_reason(request, PASSED_ON)\n",
        new="",
        tests=(f"{_METERING}::test_what_a_realtime_api_refuses_is_no_refusal_of_the_gateway",),
    ),
    Mutation(
        name="uploads that broke off are in progress for ever",
        module="gateway/service.py",
        old="        try:\n            yield\n        finally:\n            self.submitting -= 1\n",
        new="        yield\n        self.submitting -= 1\n",
        tests=(f"{_METERING}::test_what_goes_on_is_measured_and_a_client_that_leaves_has_no_status",),
    ),
    Mutation(
        name="an admin port that nobody chose stops a second gateway of a machine",
        module="gateway/admin.py",
        old="            return not self._is_chosen\n",
        new="            return False\n",
        tests=("tests/gateway/test_admin.py::test_a_port_that_nobody_chose_and_that_is_taken_stops_nothing",),
    ),
    Mutation(
        name="the admin server takes the gateway's own port",
        module="gateway/admin.py",
        old="        if self._is_own_port:\n",
        new="        if False:\n",
        tests=("tests/gateway/test_admin.py::test_the_port_of_the_gateway_is_left_to_it",),
    ),
    Mutation(
        name="a wait lasts although the store refuses the gateway",
        module="gateway/waiting.py",
        old="        return isinstance(state, StoreRefusesError) or not isinstance(state, BusyError)\n",
        new="        return not isinstance(state, BusyError)\n",
        tests=(f"{_WAITING}::test_a_store_that_refuses_the_gateway_is_reported_at_once",),
    ),
    Mutation(
        name="looks for waits whose time is over have no bound",
        module="gateway/watching.py",
        old="        async with self._looks:\n            return await look()\n",
        new="        return await look()\n",
        tests=(f"{_WAITING}::test_waits_that_never_had_their_turn_to_look_are_bounded_too",),
    ),
    Mutation(
        name="an outage at the first look ends a wait",
        module="gateway/waiting.py",
        old="            if self._known is None:\n                return error\n",
        new="",
        tests=(f"{_WAITING}::test_an_outage_at_the_first_look_ends_no_wait_either",),
    ),
    Mutation(
        name="a slow client keeps the state of a deleted request for others",
        module="gateway/watching.py",
        old="        if watch is None or watch.has_ended:",
        new="        if watch is None:",
        tests=(f"{_WAITING}::test_a_slow_client_keeps_no_state_of_a_deleted_request_for_others",),
    ),
    Mutation(
        name="a drain waits for the looks of all waits",
        module="gateway/watching.py",
        old="                if self._latest is not None and self._is_over():\n",
        new="                if False:\n",
        tests=(f"{_WAITING}::test_many_waits_end_soon_after_the_drain_begins",),
    ),
    Mutation(
        name="each client that waits reads why its request failed",
        module="gateway/waiting.py",
        old="        if self._known is None or self._known.found != found:\n",
        new="        if True:\n",
        tests=(f"{_WAITING}::test_a_thousand_that_wait_read_a_failure_once",),
    ),
    Mutation(
        name="looks for cancellations wait for old ones",
        module="handlers/async_api/cancellation.py",
        old="            self._start_tidying(found)\n",
        new="            await self._tidy([*found][:5])\n",
        tests=(f"{_CANCELLATION}::test_neither_looks_nor_the_begin_of_work_wait_for_old_cancellations",),
    ),
    Mutation(
        name="a redelivery does not see the mark of a cancelled request",
        module="handlers/async_api/handler.py",
        old="        cancelled = (request.request_id,) if request.is_cancelled else self._cancelled\n",
        new="        cancelled = self._cancelled\n",
        tests=(f"{_CANCELLATION}::test_a_redelivery_finds_the_mark_of_the_request_although_the_index_has_no_entry",),
    ),
    Mutation(
        name="a cancellation of a request that waits is taken out of the index",
        module="handlers/async_api/cancellation.py",
        old="                    if {keys.completed, keys.failed}.intersection(await self._store.list(keys.prefix)):\n",
        new="                    if True:\n",
        tests=(f"{_CANCELLATION}::test_requests_that_ended_unseen_are_taken_out_of_the_index_a_few_at_a_time",),
    ),
    Mutation(
        name="a submission that cannot wait hides its id",
        module="gateway/routes.py",
        old="        except GatewayError as error:\n            applied = {}\n",
        new="        except ZeroDivisionError as error:\n            applied = {}\n",
        tests=(f"{_WAITING}::test_a_submission_that_cannot_wait_gets_its_id",),
    ),
    Mutation(
        name="a request is begun although its cancellation was seen while its payload was read",
        module="handlers/async_api/call.py",
        old="        check_wanted(message, request.request_id, self._cancellations.cancelled if self._cancellations else ())\n",
        new="",
        tests=(f"{_CANCELLATION}::test_a_look_while_the_payload_is_read_begins_nothing",),
    ),
    Mutation(
        name="a new id replaces the one that a key has",
        module="gateway/idempotency.py",
        old="request_id=newest.request_id, sha256=newest.sha256, number",
        new="sha256=newest.sha256, number",
        tests=(f"{_IDEMPOTENCY}::test_killed_at_any_call_the_next_one_goes_on_with_the_same_id",),
    ),
    Mutation(
        name="a key is taken over while its request is being stored",
        module="gateway/idempotency.py",
        old='newest.state == "storing" and abs',
        new="False and abs",
        tests=(f"{_IDEMPOTENCY}::test_while_the_first_is_being_stored_the_second_waits",),
    ),
    Mutation(
        name="a key that a killed gateway holds is asked for every second",
        module="gateway/idempotency.py",
        old="retry_after_s=min(max(1, taken_s), left_s)",
        new="retry_after_s=1",
        tests=(f"{_IDEMPOTENCY}::test_a_key_in_use_says_when_to_come_again",),
    ),
    Mutation(
        name="another small payload gets the id of a key",
        module="gateway/idempotency.py",
        old="    if sha256 is not None and newest.sha256 not in {None, sha256}:\n",
        new="    if False:\n",
        tests=(f"{_IDEMPOTENCY}::test_killed_at_any_call_the_next_one_goes_on_with_the_same_id",),
    ),
    Mutation(
        name="another large payload gets the id of a key",
        module="gateway/idempotency.py",
        old="            if newest.sha256 != payload.text:\n",
        new="            if False:\n",
        tests=(f"{_IDEMPOTENCY}::test_another_payload_is_refused",),
    ),
    Mutation(
        name="a payload that a killed gateway stored is not compared",
        module="gateway/idempotency.py",
        old="            elif existed:\n",
        new="            elif False:\n",
        tests=(f"{_IDEMPOTENCY}::test_the_payload_that_a_killed_gateway_stored_is_the_one_that_counts",),
    ),
    Mutation(
        name="a slow gateway sends the message of a claim that was taken over",
        module="gateway/idempotency.py",
        old="            if newest is None or newest.by != self.claim.by:\n",
        new="            if False:\n",
        tests=(f"{_IDEMPOTENCY}::test_a_slow_gateway_whose_claim_was_taken_over_sends_nothing",),
    ),
    Mutation(
        name="the message of a submission with a key is taken for the only one",
        module="gateway/service.py",
        old="may_exist=may_exist, may_repeat=True)",
        new="may_exist=may_exist, may_repeat=may_exist)",
        tests=(f"{_IDEMPOTENCY}::test_the_same_key_and_payload_are_one_request",),
    ),
    Mutation(
        name="the header with the deadline reaches the container",
        module="gateway/routes.py",
        old="WEBHOOK_HEADER, *DEADLINE_HEADERS)",
        new="WEBHOOK_HEADER)",
        tests=(
            "tests/gateway/test_deadlines.py::test_a_deadline_is_an_attribute_of_the_message_and_no_header_of_the_container",
        ),
    ),
    Mutation(
        name="a deadline is accepted that is behind the end of the request's objects",
        module="gateway/deadlines.py",
        old="if 0 < self.kept_days < MAX_DAYS:",
        new="if False:",
        tests=("tests/gateway/test_deadlines.py::test_no_deadline_is_further_ahead_than_the_request_is_kept",),
    ),
    Mutation(
        name="what the enqueuer of a former owner wrote after the end of the job stays",
        module="controller/runner.py",
        old="        if not self._ownership.is_held:\n            with",
        new="        if False:\n            with",
        tests=("tests/controller/test_two_controllers.py::test_what_a_late_enqueuer_writes_after_the_end_is_deleted",),
    ),
    Mutation(
        name="a wait ends when a store that hangs answers",
        module="gateway/waiting.py",
        old="async with asyncio.timeout(LAST_LOOK_TIMEOUT_S):",
        new="async with asyncio.timeout(None):",
        tests=(f"{_WAITING}::test_waits_end_soon_after_their_time_while_the_store_hangs",),
    ),
    Mutation(
        name="a message without its payload is sent for one that was in another gateway's message",
        module="gateway/service.py",
        old='(_is_checked(new) or "payload" not in found.times)',
        new="_is_checked(new)",
        tests=("tests/gateway/test_service.py::test_a_retry_stores_what_the_first_gateway_had_put_into_its_message",),
    ),
    Mutation(
        name="a payload that was refused reaches the container",
        module="gateway/service.py",
        old='(_is_checked(new) or "payload" not in found.times)',
        new='"payload" not in found.times',
        tests=(f"{_IDEMPOTENCY}::test_a_payload_that_was_stored_and_refused_is_replaced_by_the_one_of_the_key",),
    ),
    Mutation(
        name="each client that waits looks for itself",
        module="gateway/watching.py",
        old="        watch = self._watches.get(key)\n",
        new="        watch = None\n",
        tests=(f"{_WAITING}::test_a_thousand_that_wait_for_one_request_cost_the_looks_of_one",),
    ),
    Mutation(
        name="the gateway looks on for clients that left",
        module="gateway/watching.py",
        old="                watch.stop()\n",
        new="                pass\n",
        tests=(f"{_WAITING}::test_nobody_looks_for_clients_that_left",),
    ),
    Mutation(
        name="looks at requests have no bound",
        module="gateway/watching.py",
        old="            async with self._looks:\n                if self._latest",
        new="            if True:\n                if self._latest",
        tests=(f"{_WAITING}::test_looks_at_many_requests_are_bounded",),
    ),
    Mutation(
        name="a request that has ended is cancelled",
        module="gateway/service.py",
        old="        if not found.has_ended:\n            keys, api",
        new="        if True:\n            keys, api",
        tests=("tests/gateway/test_cancellation.py::test_a_cancellation_of_a_request_that_has_ended_changes_nothing",),
    ),
    Mutation(
        name="the index shows a cancellation before it is asked for",
        module="gateway/service.py",
        old='                await self._requests.put(keys.cancel, b"", "text/plain")\n            await self._requests.put(api.cancellation(request_id), b"", "text/plain")\n',
        new='                pass\n            await self._requests.put(api.cancellation(request_id), b"", "text/plain")\n            await self._requests.put(keys.cancel, b"", "text/plain")\n',
        tests=("tests/gateway/test_cancellation.py::test_a_cancellation_is_asked_for_and_shown",),
    ),
    Mutation(
        name="a cancellation that came too late stays in the index",
        module="gateway/service.py",
        old="                await self._requests.delete(api.cancellation(request_id))\n",
        new="                pass\n",
        tests=(
            "tests/gateway/test_cancellation.py::test_a_request_that_ends_while_it_is_cancelled_leaves_nothing_in_the_index",
        ),
    ),
    Mutation(
        name="a cancelled request is begun",
        module="handlers/async_api/call.py",
        old="    if request_id in cancelled:\n",
        new="    if False:\n",
        tests=(f"{_CANCELLATION}::test_a_cancelled_request_that_waited_is_not_begun",),
    ),
    Mutation(
        name="a request is begun after its deadline",
        module="handlers/async_api/call.py",
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
        name="a route that nobody described is missing from the document",
        module="gateway/openapi/operations.py",
        old='    "GET /{api_name}/{request_id}": _REPORT,\n',
        new="",
        tests=("tests/gateway/openapi/test_document.py::test_each_route_is_in_the_document_and_nothing_else",),
    ),
    Mutation(
        name="a turn that is over is given to nobody",
        module="concurrency/turns.py",
        old="    finally:\n        turns.release()\n",
        new="    finally:\n        pass\n",
        tests=("tests/concurrency/test_turns.py::test_an_error_during_a_turn_is_passed_on_and_ends_the_turn",),
    ),
    Mutation(
        name="the document lacks a header that the gateway reads of a submission",
        module="gateway/openapi/parameters.py",
        old='    _parameter("header", WEBHOOK_HEADER, "Who is told when it has ended.", TEXT),\n',
        new="",
        tests=(
            "tests/gateway/openapi/test_parameters.py::test_the_headers_of_a_submission_are_those_that_are_read_of_it",
        ),
    ),
    Mutation(
        name="the document tells callers of APIs that their tokens do not name",
        module="gateway/openapi/serving.py",
        old="for name in self._api_names if may_see(request, name))",
        new="for name in self._api_names)",
        tests=("tests/gateway/openapi/test_document.py::test_callers_see_their_apis_only",),
    ),
    Mutation(
        name="the document takes the endpoint of an API",
        module="gateway/openapi/serving.py",
        old="        if path not in taken:\n",
        new="        if True:\n",
        tests=("tests/gateway/openapi/test_document.py::test_an_api_with_the_path_of_the_document_wins",),
    ),
    Mutation(
        name="a gateway that stops begins copies",
        module="gateway/copies.py",
        old="        self._is_closed = True\n",
        new="",
        tests=(
            "tests/gateway/test_splitter.py::test_a_request_that_the_gateway_finishes_while_it_stops_begins_no_copy",
        ),
    ),
    Mutation(
        name="names of shadows take the threads that names of APIs need",
        module="gateway/copies.py",
        old="run_in_executor(self._threads, resolve)",
        new="run_in_executor(None, resolve)",
        tests=("tests/gateway/test_splitter.py::test_a_name_of_the_shadow_that_is_not_resolved_delays_no_request",),
    ),
    Mutation(
        name="a shadow that reads slowly fills the memory of the gateway",
        module="gateway/copies.py",
        old="        if not self._budget.try_take(len(data)):\n",
        new="        if not self._budget.try_take(len(data)) and False:\n",
        tests=(
            "tests/gateway/test_splitter.py::test_a_shadow_that_reads_nothing_does_not_slow_the_request_and_its_bytes_are_given_back",
        ),
    ),
    Mutation(
        name="the bytes of copies that were cut are never given back",
        module="gateway/copies.py",
        old="        copy.release()\n",
        new="",
        tests=(
            "tests/gateway/test_splitter.py::test_a_shadow_that_reads_nothing_does_not_slow_the_request_and_its_bytes_are_given_back",
        ),
    ),
    Mutation(
        name="a shadow gets half a request that looks whole",
        module="gateway/copies.py",
        old="        if not self._is_whole:\n            self._cut(",
        new="        self.end()\n        if not self._is_whole:\n            self._cut(",
        tests=("tests/gateway/test_splitter.py::test_half_a_request_is_no_whole_copy",),
    ),
    Mutation(
        name="copies are sent without end",
        module="gateway/copies.py",
        old="        if self._is_closed or len(self._running) >= MAX_COPIES:\n",
        new="        if self._is_closed:\n",
        tests=("tests/gateway/test_splitter.py::test_copies_are_bounded_in_number_and_time",),
    ),
    Mutation(
        name="a copy that gets no response is waited for without end",
        module="gateway/copies.py",
        old="asyncio.timeout(TIMEOUT_S)",
        new="asyncio.timeout(None)",
        tests=("tests/gateway/test_splitter.py::test_copies_are_bounded_in_number_and_time",),
    ),
    Mutation(
        name="a response that is thrown away is read without end",
        module="gateway/copies.py",
        old="not body.is_done and left > 0:",
        new="not body.is_done:",
        tests=("tests/gateway/test_splitter.py::test_a_response_of_the_shadow_is_not_read_without_end",),
    ),
    Mutation(
        name="a client makes a container believe that its response is thrown away",
        module="gateway/realtime.py",
        old="PREFIX_FIELD.lower(), SHADOW_FIELD.lower()}",
        new="PREFIX_FIELD.lower()}",
        tests=(
            "tests/gateway/test_splitter.py::test_the_shadow_gets_the_same_request_and_its_response_is_thrown_away",
        ),
    ),
    Mutation(
        name="copies run on when the gateway has stopped",
        module="gateway/application.py",
        old="    app.on_shutdown.append(lambda _: copies.close())\n",
        new="",
        tests=("tests/gateway/test_splitter.py::test_copies_end_with_the_gateway",),
    ),
    Mutation(
        name="the APIs of a splitter get equal shares",
        module="gateway/splitter.py",
        old="random.choices(split.targets, [one.weight for one in split.targets])",
        new="random.choices(split.targets)",
        tests=("tests/gateway/test_splitter.py::test_the_weights_are_the_shares_of_the_requests",),
    ),
    Mutation(
        name="a splitter whose API is not in the file fails at its first request",
        module="gateway/endpoints.py",
        old="load_apis(path, has_all_targets=True)",
        new="load_apis(path)",
        tests=("tests/gateway/test_splitter.py::test_the_faults_of_a_splitter_are_told_with_their_lines",),
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
        tests=("tests/gateway/test_realtime_tunnels.py::test_a_client_that_reads_nothing_is_cut",),
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
        tests=("tests/gateway/test_realtime_tunnels.py::test_a_tunnel_whose_other_side_does_not_read_is_not_read",),
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
        module="http/resetting.py",
        old="        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)\n",
        new="        pass\n",
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
        old="message.receive_count + receives >= message.max_receives\n",
        new="message.receive_count + receives > message.max_receives\n",
        tests=("tests/handlers/batch_api/test_completion.py",),
    ),
    Mutation(
        name="messages with large attributes are prefetched like small ones",
        module="worker/prefetch_limit.py",
        old="len(lease.message.body) + lease.message.attributes_chars",
        new="len(lease.message.body)",
        tests=("tests/worker/test_prefetch_limit.py",),
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
        old="message.max_receives is None and message.receive_count < self._policy.max_attempts",
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
        old="        if message.max_receives is not None:\n            failed = await",
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
        old="            with self._making_visible():\n                await lease.source.copy(lease)\n",
        new="            await lease.source.copy(lease)\n",
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
        old="max(1.0, largest, MESSAGE_SIZE_DECAY * self._message_chars)",
        new="1.0",
        tests=("tests/worker/test_prefetch_limit.py", "tests/worker/test_receives.py"),
    ),
    Mutation(
        name="every receive is a long poll",
        module="worker/poller.py",
        old="0 if queue.under_way else self._poll_wait_s",
        new="self._poll_wait_s",
        tests=("tests/worker/test_receives.py",),
    ),
    Mutation(
        name="after an outage a single failure is followed by a long pause",
        module="worker/receives.py",
        old="        queue.failures = 0\n",
        new="",
        tests=("tests/worker/test_receives.py::test_after_an_outage_a_failure_is_the_first_one_again",),
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
        old="        self.may_receive.set(is_open=not others)\n",
        new="        pass\n",
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
        module="commands/replacing.py",
        old="        part.unlink(missing_ok=True)\n",
        new="",
        tests=("tests/jobs_command/test_results.py",),
    ),
    Mutation(
        name="text of a gateway acts on a terminal",
        module="commands/output.py",
        old="        self._print(visible(text))\n",
        new="        self._print(text)\n",
        tests=("tests/jobs_command/test_calling.py",),
    ),
    Mutation(
        name="a request that failed is no failure for the shell",
        module="requests_command/exit_statuses.py",
        old="return OK if found <= {OK} else COMPLETED_WITH_FAILURES",
        new="return OK",
        tests=("tests/requests_command/test_calling.py",),
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
    Mutation(
        name="a webhook is announced while another delivery decides",
        module="handlers/async_api/announcing.py",
        old="if keys.result in names and clock.wall() - found.modified_at < DECIDED_AFTER_S:",
        new="if False:",
        tests=("tests/handlers/async_api/test_announcing.py",),
    ),
    Mutation(
        name="a message is acknowledged without its webhook",
        module="handlers/async_api/announcing.py",
        old="            await self._send(self._outbox, encode_event(event), fence)\n",
        new="            encode_event(event)\n",
        tests=("tests/webhooks/test_crashes.py",),
    ),
    Mutation(
        name="a message is acknowledged without its completion event",
        module="handlers/async_api/announcing.py",
        old="            await self._send(self._events, webhook_body(event, None).decode(), fence)\n",
        new="            webhook_body(event, None)\n",
        tests=("tests/handlers/async_api/test_announcing.py",),
    ),
    Mutation(
        name="the webhook of a lost lease is sent",
        module="handlers/async_api/announcing.py",
        old="            fence.check()\n",
        new="",
        tests=("tests/handlers/async_api/test_announcing.py",),
    ),
    Mutation(
        name="the header with the receiver reaches the container",
        module="gateway/routes.py",
        old="QUEUE_URL_HEADER, PRIORITY_HEADER, WEBHOOK_HEADER, ",
        new="QUEUE_URL_HEADER, PRIORITY_HEADER, ",
        tests=("tests/gateway/test_webhooks.py",),
    ),
    Mutation(
        name="a name may lead anywhere",
        module="http/dialing.py",
        old="                    self._check_address(address[0])\n",
        new="                    _ = address\n",
        tests=("tests/webhooks/test_sending.py",),
    ),
    Mutation(
        name="IPv4 within IPv6 is not looked at",
        module="formats/receiver_rules.py",
        old="found = _inner(given)",
        new="found = given",
        tests=("tests/formats/test_receiver_rules.py",),
    ),
    Mutation(
        name="an address in a URL is not looked at",
        module="formats/receiver_rules.py",
        old="            self.check_address(str(literal))\n",
        new="            pass\n",
        tests=("tests/formats/test_receiver_rules.py",),
    ),
    Mutation(
        name="a receiver that is gone is asked again",
        module="webhooks/delivery.py",
        old="        if answer.status == GONE:\n",
        new="        if not answer.status:\n",
        tests=("tests/webhooks/test_delivery.py",),
    ),
    Mutation(
        name="a dead receiver takes all slots",
        module="webhooks/hosts.py",
        old="if self._running[host] >= self._limit_of(host):",
        new="if False:",
        tests=("tests/webhooks/test_delivery.py",),
    ),
    Mutation(
        name="a webhook is signed for another time",
        module="formats/webhook_signature.py",
        old='b"%b.%d.%b" % (webhook_id.encode(), timestamp, body)',
        new='b"%b.%d.%b" % (webhook_id.encode(), timestamp + 1, body)',
        tests=("tests/formats/test_webhook_signature.py",),
    ),
    Mutation(
        name="Retry-After of a receiver is not kept",
        module="webhooks/schedule.py",
        old="max(pause_s, retry_after_s or 0.0)",
        new="pause_s",
        tests=("tests/webhooks/test_schedule.py",),
    ),
    Mutation(
        name="tokens are compared until one fits",
        module="gateway/access/tokens.py",
        old="                if hmac.compare_digest(given, digest):\n                    found = caller\n",
        new="                if found is None and given == digest:\n                    found = caller\n",
        tests=("tests/gateway/access/test_tokens.py::test_every_hash_is_compared_whoever_calls",),
    ),
    Mutation(
        name="of two tokens in a request the first one counts",
        module="gateway/access/tokens.py",
        old="if len(fields) != 1 or len(fields[0])",
        new="if not fields or len(fields[0])",
        tests=("tests/gateway/access/test_tokens.py::test_anything_else_has_none",),
    ),
    Mutation(
        name="tokens of any length are hashed",
        module="gateway/access/tokens.py",
        old=" or len(fields[0]) > MAX_TOKEN_CHARS",
        new="",
        tests=("tests/gateway/access/test_tokens.py::test_a_long_token_is_not_even_hashed",),
    ),
    Mutation(
        name="a broken file of tokens is logged again and again",
        module="gateway/access/tokens.py",
        old="        if str(error) != self._fault:\n",
        new="        if str(error):\n",
        tests=("tests/gateway/access/test_tokens.py::test_a_broken_version_keeps_the_one_before_and_is_logged_once",),
    ),
    Mutation(
        name="a bug ends the reading of tokens for ever",
        module="gateway/access/tokens.py",
        old='                self._log.exception("tokens_error")\n',
        new="                raise\n",
        tests=("tests/gateway/access/test_tokens.py::test_the_file_is_read_again_and_again",),
    ),
    Mutation(
        name="a fault shows what was given for a hash",
        module="gateway/access/token_file.py",
        old='given = "" if key == "sha256" else',
        new='given = "" if key == "none" else',
        tests=("tests/gateway/access/test_token_file.py::test_a_token_in_the_place_of_its_hash_is_not_shown",),
    ),
    Mutation(
        name="one token may have two callers",
        module="gateway/access/token_file.py",
        old="                if owner != at:\n",
        new="                if owner is None:\n",
        tests=("tests/gateway/access/test_token_file.py::test_names_and_hashes_are_there_once",),
    ),
    Mutation(
        name="a token opens every API",
        module="gateway/access/caller.py",
        old="(ANY_API in self.apis or api_name in self.apis)",
        new="True",
        tests=("tests/gateway/access/test_gate.py::test_no_path_leads_to_an_api_that_the_token_does_not_allow",),
    ),
    Mutation(
        name="a token may do everything",
        module="gateway/access/caller.py",
        old="permission in self.may and ",
        new="",
        tests=("tests/gateway/access/test_gate.py::test_a_token_opens_what_its_entry_says",),
    ),
    Mutation(
        name="the API of a request is guessed from its path",
        module="gateway/access/places.py",
        old="        endpoint = self.endpoint_of(pattern)\n",
        new='        endpoint = self.endpoint_of(request.raw_path.partition("?")[0])\n',
        tests=("tests/gateway/access/test_gate.py::test_no_path_leads_to_an_api_that_the_token_does_not_allow",),
    ),
    Mutation(
        name="of two endpoints that begin alike the shorter one counts",
        module="gateway/access/places.py",
        old="len(one.path), reverse=True",
        new="len(one.path)",
        tests=("tests/gateway/access/test_gate.py::test_no_path_leads_to_an_api_that_the_token_does_not_allow",),
    ),
    Mutation(
        name="requests to realtime APIs need no token",
        module="gateway/application.py",
        old="    control_access(app, access, endpoints)\n",
        new="    control_access(app, access, NO_ENDPOINTS)\n",
        tests=("tests/gateway/access/test_gate.py::test_a_realtime_api_needs_a_token_that_may_submit",),
    ),
    Mutation(
        name="whoever guesses tokens is not slowed down",
        module="gateway/access/gate.py",
        old="            if too_soon is None and tokens is not None:\n",
        new="            if tokens is not None:\n",
        tests=("tests/gateway/access/test_gate.py::test_what_a_token_does_not_allow_counts_and_so_do_guesses",),
    ),
    Mutation(
        name="buckets of rates are kept without end",
        module="gateway/access/rate_limit.py",
        old="            self._buckets.popitem(last=False)\n",
        new="            pass\n",
        tests=("tests/gateway/access/test_rate_limit.py::test_buckets_are_bounded_and_the_oldest_go_first",),
    ),
    Mutation(
        name="the gateway's own token is stored",
        module="gateway/access/redaction.py",
        old="own = {_OWN} if has_tokens else set()",
        new="own = set()",
        tests=("tests/gateway/access/test_redaction.py::test_what_is_stored",),
    ),
    Mutation(
        name="a header with an underscore is not the redacted one",
        module="gateway/access/redaction.py",
        old='.replace("_", "-")',
        new="",
        tests=("tests/gateway/access/test_redaction.py::test_what_is_stored",),
    ),
    Mutation(
        name="headers are stored as they came",
        module="gateway/routes.py",
        old="self._redaction.without(stored_headers(request, without=_NOT_STORED))",
        new="stored_headers(request, without=_NOT_STORED)",
        tests=("tests/gateway/access/test_redaction.py::test_the_gateways_own_token_is_not_stored",),
    ),
    Mutation(
        name="realtime APIs get the gateway's own token",
        module="gateway/realtime.py",
        old="_DROPPED if keeps_token else _DROPPED | _TOKEN",
        new="_DROPPED",
        tests=("tests/gateway/access/test_redaction.py::test_a_realtime_api_gets_the_token_only_if_it_is_let_through",),
    ),
    Mutation(
        name="every origin is reflected",
        module="gateway/cors.py",
        old='given[0] if given[0] in origins else ""',
        new="given[0]",
        tests=("tests/gateway/access/test_cors.py::test_an_origin_that_is_not_named_is_never_reflected",),
    ),
    Mutation(
        name="any origin may use credentials",
        module="gateway/cors.py",
        old="            if origin != ANY_ORIGIN:\n",
        new="            if origin:\n",
        tests=("tests/gateway/access/test_cors.py::test_any_origin_means_no_credentials",),
    ),
    Mutation(
        name="refused requests are not in the audit log",
        module="gateway/access/audit.py",
        old="return status in _REFUSED or (",
        new="return status is None or (",
        tests=("tests/gateway/access/test_audit.py::test_each_change_and_each_refusal_is_one_line",),
    ),
    Mutation(
        name="a line of the audit log is as long as a client wants",
        module="gateway/access/audit.py",
        old='clip(place.api_name or "", MAX_ID_CHARS)',
        new='place.api_name or ""',
        tests=("tests/gateway/access/test_audit.py::test_what_a_client_writes_is_bounded_and_printable",),
    ),
    Mutation(
        name="a file with a token may add headers to a request",
        module="client/token.py",
        old="if _TOKEN.fullmatch(data) is None:",
        new="if _TOKEN.match(data) is None:",
        tests=("tests/client/test_token.py::test_what_is_no_token_is_not_shown",),
    ),
    Mutation(
        name="a list of requests reads every record of the API on its way",
        module="gateway/request_listing.py",
        old='(f"{self._prefix}_{_LAST}", "") if name.startswith("_") else ("", page.next_token)',
        new='("", page.next_token)',
        tests=(f"{_LISTING}::test_folders_of_records_cost_one_page_however_large_they_are",),
    ),
    Mutation(
        name="a page of requests costs any number of listings",
        module="gateway/request_listing.py",
        old="if not self._pages_left or is_late:",
        new="if is_late:",
        tests=(f"{_LISTING}::test_a_page_costs_a_bounded_number_of_listings_and_says_where_it_stopped",),
    ),
    Mutation(
        name="a list of requests does not end where it began",
        module="gateway/request_listing.py",
        old="if until and path >= until:",
        new="if False:",
        tests=(f"{_LISTING}::test_the_newest_come_first_then_those_of_other_ids_each_once",),
    ),
    Mutation(
        name="newer requests are listed behind older ones",
        module="formats/request_id.py",
        old='digits = f"{LAST_MS - int(at_s * 1000):012x}"',
        new='digits = f"{int(at_s * 1000):012x}"',
        tests=("tests/formats/test_request_id.py",),
    ),
    Mutation(
        name="a list needs a token of any API",
        module="gateway/access/places.py",
        old='        return _place(request, api_name, "")\n',
        new='        return _place(request, request.headers.get(API_NAME_HEADER, "text"), "")\n',
        tests=(f"{_GATE}::test_a_list_belongs_to_the_api_that_its_path_names",),
    ),
    Mutation(
        name="an id that a client chose hides the requests behind it",
        module="gateway/request_listing.py",
        old='if f"{self.last}/" >= self.begin:',
        new="if self.last >= self.begin:",
        tests=(_AROUND_THE_BEGIN,),
    ),
    Mutation(
        name="an id that a client chose makes a list endless",
        module="gateway/request_listing.py",
        old="self.begin if self._is_first else",
        new="self.begin if self.last == self.begin else",
        tests=(_AROUND_THE_BEGIN,),
    ),
    Mutation(
        name="any page reads a list of requests",
        module="gateway/api_routes.py",
        old="        withhold_from_pages(request)\n",
        new="",
        tests=(f"{_API_ROUTES}::test_no_page_reads_a_list_unless_its_origin_is_configured",),
    ),
    Mutation(
        name="a paused API receives messages",
        module="worker/poller.py",
        old="is_paused = self._pause is not None and not self._pause.is_open",
        new="is_paused = False",
        tests=("tests/worker/test_worker_pause.py::test_nothing_is_received_until_the_pause_is_over",),
    ),
    Mutation(
        name="nothing is received after a pause",
        module="worker/poller.py",
        old=(
            "            await pause.wait_open()\n"
            "            self._interrupt_idle_time()\n"
            "            self._changed.set()\n"
        ),
        new="            await pause.wait_open()\n            self._interrupt_idle_time()\n",
        tests=("tests/worker/test_worker_pause.py::test_nothing_is_received_until_the_pause_is_over",),
    ),
    Mutation(
        name="an outage of the store resumes a paused API",
        module="handlers/async_api/pause.py",
        old="        except StoreMissingError:\n",
        new="        except (StoreMissingError, StoreUnavailableError):\n",
        tests=("tests/handlers/async_api/test_pause.py::test_without_an_answer_it_stays_as_it_was",),
    ),
    Mutation(
        name="a sidecar that starts in an outage ignores a pause",
        module="handlers/async_api/pause.py",
        old="Condition(is_open=False)",
        new="Condition()",
        tests=(_START_IN_AN_OUTAGE,),
    ),
    Mutation(
        name="a pause that nobody sees is confirmed",
        module="gateway/pausing.py",
        old="        self._check_enabled()\n        await self._store.put(",
        new="        await self._store.put(",
        tests=(f"{_API_ROUTES}::test_where_no_sidecar_looks_nothing_is_paused",),
    ),
    Mutation(
        name="a message that comes back from a dead-letter queue runs an ended request again",
        module="handlers/async_api/handler.py",
        old="/ 1000 > MAX_UPLOAD_S\n",
        new="/ 1000 > 1e12\n",
        tests=("tests/handlers/async_api/test_inline.py::test_a_message_from_a_dead_letter_queue_changes_no_end",),
    ),
    Mutation(
        name="each first receive costs a look for an outcome",
        module="handlers/async_api/handler.py",
        old="/ 1000 > MAX_UPLOAD_S\n",
        new="/ 1000 > 0\n",
        tests=(
            "tests/handlers/async_api/test_inline.py::test_a_message_that_was_sent_with_its_submission_is_looked_up_for_nothing",
        ),
    ),
    Mutation(
        name="a redriven message has no mark",
        module="gateway/dead_letters.py",
        old=" for name, value in kept} | REPEATED",
        new=" for name, value in kept}",
        tests=(f"{_DEAD_LETTERS}::test_messages_go_back_with_their_attributes_and_a_mark",),
    ),
    Mutation(
        name="a redrive moves the messages of other APIs",
        module="gateway/dead_letters.py",
        old='return [one for one in messages if _source_arn(one) in {"", queues.arn}]',
        new="return list(messages)",
        tests=(f"{_DEAD_LETTERS}::test_messages_of_another_api_are_neither_shown_nor_moved",),
    ),
    Mutation(
        name="a FIFO queue drops the messages of a redrive",
        module="gateway/dead_letters.py",
        old='"MessageDeduplicationId": uuid.uuid4().hex}',
        new='"MessageDeduplicationId": str(message["Body"])}',
        tests=(f"{_DEAD_LETTERS}::test_a_fifo_queue_drops_none_of_them",),
    ),
    Mutation(
        name="a look keeps dead letters hidden",
        module="gateway/dead_letters.py",
        old="                await self._release(queues, receipts)\n",
        new="                pass\n",
        tests=(f"{_DEAD_LETTERS}::test_a_look_is_bounded",),
    ),
    Mutation(
        name="a look at the dead letters of a slow queue keeps all others waiting for minutes",
        module="gateway/dead_letters.py",
        old=" or clock.monotonic() >= ends_at:",
        new=":",
        tests=(f"{_DEAD_LETTERS}::test_a_slow_queue_keeps_others_waiting_for_a_bounded_time",),
    ),
    Mutation(
        name="a redrive goes on for any time",
        module="gateway/dead_letters.py",
        old="while moved < MAX_MOVED and clock.monotonic() < ends_at:",
        new="while moved < MAX_MOVED:",
        tests=(f"{_DEAD_LETTERS}::test_a_slow_queue_keeps_others_waiting_for_a_bounded_time",),
    ),
    Mutation(
        name="any number of dead letters are held at a time",
        module="gateway/dead_letters.py",
        old="self._turns = asyncio.Semaphore(1)",
        new="self._turns = asyncio.Semaphore(100)",
        tests=(f"{_DEAD_LETTERS}::test_one_at_a_time",),
    ),
    Mutation(
        name="any page pauses an API",
        module="gateway/api_routes.py",
        old="        refuse_pages(request)\n",
        new="",
        tests=(f"{_API_ROUTES}::test_no_page_changes_an_api_unless_its_origin_is_configured",),
    ),
    Mutation(
        name="any page pauses a job",
        module="gateway/job_routes.py",
        old="        refuse_pages(request)\n",
        new="",
        tests=(_JOB_PAGES,),
    ),
    Mutation(
        name="any page reads a list of jobs",
        module="gateway/job_routes.py",
        old="        withhold_from_pages(request)\n",
        new="",
        tests=(_JOB_PAGES,),
    ),
    Mutation(
        name="any page reads the names of all APIs",
        module="gateway/openapi/serving.py",
        old="        withhold_from_pages(request)\n",
        new="",
        tests=(
            "tests/gateway/openapi/test_document.py::test_no_page_reads_the_names_of_apis_unless_its_origin_is_configured",
        ),
    ),
    Mutation(
        name="a page changes an API once any origin is configured",
        module="gateway/cors.py",
        old="and not _allowed_origin(request, request.app.get(_ORIGINS, frozenset())):",
        new="and not request.app.get(_ORIGINS):",
        tests=(f"{_API_ROUTES}::test_no_page_changes_an_api_unless_its_origin_is_configured", _JOB_PAGES),
    ),
    Mutation(
        name="any page redrives dead letters",
        module="gateway/dead_letter_routes.py",
        old="        refuse_pages(request)\n",
        new="",
        tests=(f"{_API_ROUTES}::test_no_page_changes_an_api_unless_its_origin_is_configured",),
    ),
    Mutation(
        name="a dead letter is deleted before it is sent back",
        module="gateway/dead_letters.py",
        old="                    sent = _receipts(await self._send(queues, own))\n",
        new="                    await self._delete(queues, _receipts(own))\n"
        "                    sent = _receipts(await self._send(queues, own))\n",
        tests=(f"{_DEAD_LETTERS}::test_killed_at_any_call_a_redrive_loses_nothing_and_the_next_one_goes_on",),
    ),
    Mutation(
        name="a dead letter that is sent back to a standard queue is nobody's any more",
        module="gateway/dead_letters.py",
        old='        more = {"MessageGroupId": str(group)} if group else {}\n',
        new="        more: dict[str, str] = {}\n",
        tests=(f"{_DEAD_LETTERS}::test_in_a_standard_queue_they_stay_those_of_their_callers",),
    ),
    Mutation(
        name="the copy of a message in a standard queue is nobody's any more",
        module="sources/sqs/source.py",
        old="        more = {GROUP_ATTRIBUTE: lease.group} if lease.group else {}\n",
        new="        more: dict[str, str] = {}\n",
        tests=("tests/sources/sqs/test_source.py::test_a_copy_in_a_standard_queue_stays_that_of_its_caller",),
    ),
    Mutation(
        name="a standard queue is not asked whose its messages are",
        module="sources/sqs/source.py",
        old="        group = () if self._is_fifo else (GROUP_ATTRIBUTE,)\n",
        new="        group = ()\n",
        tests=("tests/sources/sqs/test_source.py::test_a_copy_in_a_standard_queue_stays_that_of_its_caller",),
    ),
    Mutation(
        name="the requests of a caller wait for each other in a FIFO queue",
        module="gateway/queue.py",
        old="            request |= {_GROUP: request_id,",
        new="            request |= {_GROUP: group or request_id,",
        tests=("tests/gateway/test_queue.py::test_in_a_fifo_queue_each_request_stays_its_own_group",),
    ),
    Mutation(
        name="any parameter that the queue refuses is taken for the message group",
        module="gateway/queue.py",
        old="            if is_grouped and _GROUP in str(error):\n",
        new="            if is_grouped:\n",
        tests=("tests/gateway/test_queue.py::test_a_server_without_groups_in_standard_queues_is_told_apart",),
    ),
    Mutation(
        name="the caller is the message group unasked",
        module="gateway/routes.py",
        old='            group=caller_name(request) if self._fair_queues else "",\n',
        new="            group=caller_name(request),\n",
        tests=("tests/gateway/test_fair_queues.py::test_without_the_option_or_a_caller_there_is_none",),
    ),
    Mutation(
        name="a submission goes to the API's own queue whatever its priority is",
        module="gateway/routes.py",
        old="            queue_url = self._priorities.queue_of(",
        new="            self._priorities.queue_of(",
        tests=(f"{_PRIORITIES}::test_a_submission_goes_to_the_queue_of_its_priority",),
    ),
    Mutation(
        name="a priority leads to the queue of another API",
        module="gateway/priorities.py",
        old="        url = self._urls.get(api_name, {}).get(priority)\n",
        new="        url = next((urls[priority] for urls in self._urls.values() if priority in urls), None)\n",
        tests=(f"{_PRIORITIES}::test_a_priority_that_an_api_does_not_have_is_refused_with_those_it_has",),
    ),
    Mutation(
        name="of two priorities of a submission one counts",
        module="gateway/priorities.py",
        old="    if len(given) > 1:\n",
        new="    if False:\n",
        tests=(f"{_PRIORITIES}::test_a_priority_that_an_api_does_not_have_is_refused_with_those_it_has",),
    ),
    Mutation(
        name="the container gets the priority of a request",
        module="gateway/routes.py",
        old="QUEUE_URL_HEADER, PRIORITY_HEADER, WEBHOOK_HEADER,",
        new="QUEUE_URL_HEADER, WEBHOOK_HEADER,",
        tests=(f"{_PRIORITIES}::test_a_submission_goes_to_the_queue_of_its_priority",),
    ),
    Mutation(
        name="an idempotency key sends a request to two queues",
        module="gateway/idempotency.py",
        old='        begin = f"{content_type}\\0{priority}\\n" if priority else f"{content_type}\\n"\n',
        new='        begin = f"{content_type}\\n"\n',
        tests=(f"{_PRIORITIES}::test_a_key_has_one_queue",),
    ),
    Mutation(
        name="dead letters of a priority are those of the API's own queue",
        module="gateway/api_routes.py",
        old="    return priorities.queue_of(api_name, priority, PRIORITY_PARAMETER)\n",
        new="    priorities.queue_of(api_name, priority, PRIORITY_PARAMETER)\n    return queue_of(api_name)\n",
        tests=(f"{_PRIORITIES}::test_the_dead_letters_of_each_queue_are_shown_and_sent_back_to_it",),
    ),
    Mutation(
        name="the document names the priorities of other APIs",
        module="gateway/openapi/document.py",
        old="        if place is None or not has_some:\n",
        new="        if place is None:\n",
        tests=(
            "tests/gateway/openapi/test_document.py::test_the_priorities_of_each_api_are_named_where_it_takes_them",
        ),
    ),
    Mutation(
        name="the gateway calls the queue of a priority in the region of the others",
        module="settings/loading.py",
        old="    urls_of_queues = all_queue_urls(queues, priority_queues)\n",
        new="    urls_of_queues = tuple(queues.values())\n",
        tests=("tests/settings/test_loading_gateway.py::test_priority_queues_of_another_region_require_a_region",),
    ),
    Mutation(
        name="queues are asked in turn whatever their weights are",
        module="worker/turns.py",
        old="        turn.served += messages / turn.weight\n",
        new="        turn.served += messages\n",
        tests=("tests/worker/test_shared_poller.py::test_busy_queues_are_served_by_their_weights",),
    ),
    Mutation(
        name="while the most important queue is being asked another one takes its turns",
        module="worker/turns.py",
        old="        if turn.served > contenders[0].served + MAX_AHEAD / turn.weight:\n            continue\n",
        new="",
        tests=("tests/worker/test_shared_poller.py",),
    ),
    Mutation(
        name="an empty queue is waited at while another one needs the slot",
        module="worker/turns.py",
        old="        if places <= 0 or (is_busy and not can_wait_long):\n",
        new="        if places <= 0:\n",
        tests=("tests/worker/test_shared_poller.py",),
    ),
    Mutation(
        name="a queue that was empty makes up for all that it did not need",
        module="worker/turns.py",
        old="            turn.served = max(turn.served, self._served)\n        turn.served",
        new="            pass\n        turn.served",
        tests=("tests/worker/test_shared_poller.py::test_an_idle_queue_saves_nothing_for_later",),
    ),
    Mutation(
        name="a queue that hangs keeps the slots of the others",
        module="worker/shared_poller.py",
        old="        self._receives.stop_reserving(receive)\n",
        new="",
        tests=("tests/worker/test_shared_poller.py::test_a_queue_that_hangs_keeps_no_slot_free_for_long",),
    ),
    Mutation(
        name="one queue that does not exist ends the work on the others",
        module="worker/shared_poller.py",
        old="            if all(one.is_gone for one in self._by_queue.values()):\n                raise\n",
        new="            raise\n",
        tests=("tests/worker/test_shared_poller.py::test_an_outage_of_one_queue_does_not_stop_the_others",),
    ),
    Mutation(
        name="a queue that is closed while it is asked has its messages worked on",
        module="worker/shared_poller.py",
        old="            if turn.readiness.is_open:\n",
        new="            if True:\n",
        tests=(
            "tests/worker/test_shared_poller.py::test_a_receive_under_way_when_its_queue_is_closed_brings_messages_that_are_released",
        ),
    ),
    Mutation(
        name="prefetched messages of a queue that is closed are worked on",
        module="worker/shared_poller.py",
        old='            self._prefetched.release_all("not_ready", of=turn.asked.source)\n',
        new="",
        tests=(
            "tests/worker/test_shared_poller.py::test_nothing_is_received_from_a_queue_that_is_closed_and_what_it_has_brought_is_released",
        ),
    ),
    Mutation(
        name="what one queue allows ends the refusal of another",
        module="core/refusals.py",
        old="event.queue if isinstance(event, SourceCalled) else _object_kind(event)",
        new='"" if isinstance(event, SourceCalled) else _object_kind(event)',
        tests=("tests/core/test_refusals.py",),
    ),
    Mutation(
        name="work waits until every one of several queues is available",
        module="sidecar/queues.py",
        old="            await self._wait_for_queues(any)\n",
        new="            await self._wait_for_queues(all)\n",
        tests=("tests/sidecar/test_queues.py",),
    ),
    Mutation(
        name="a worker that ends after a number of messages holds more than are left",
        module="worker/poller.py",
        old="            capacity = int(min(capacity, self._own_end.allowed - prefetched - receives.possible_incoming))\n",
        new="            capacity = int(min(capacity, self._own_end.allowed))\n",
        tests=(_OWN_END,),
    ),
    Mutation(
        name="what an overdue receive brings above the number of messages is begun",
        module="worker/attempts.py",
        old="            leases = self._release_surplus(leases, asked_at, self._own_end.allowed)\n",
        new="            pass\n",
        tests=(_OWN_END,),
    ),
    Mutation(
        name="a message that is to be tried again counts as one that has ended",
        module="worker/own_end.py",
        old='frozenset({"retried", "released", "requeued", "lease_lost", "error"})',
        new='frozenset({"released", "requeued", "lease_lost", "error"})',
        tests=(_OWN_END,),
    ),
    Mutation(
        name="a worker ends as idle while a poll is under way, which may hide a message",
        module="worker/poller.py",
        old="        is_busy = self._attempts or self._prefetched or self._receives\n",
        new="        is_busy = self._attempts or self._prefetched\n",
        tests=(_OWN_END,),
    ),
    Mutation(
        name="time in which the container is not ready is idle time",
        module="worker/poller.py",
        old=(
            "            await self._readiness.wait_closed()\n"
            "            self._interrupt_idle_time()\n"
            '            self._prefetched.release_all("not_ready")\n'
            "            await self._readiness.wait_open()\n"
            "            self._interrupt_idle_time()\n"
        ),
        new=(
            "            await self._readiness.wait_closed()\n"
            '            self._prefetched.release_all("not_ready")\n'
            "            await self._readiness.wait_open()\n"
        ),
        tests=(_OWN_END,),
    ),
    Mutation(
        name="a queue that cannot be asked counts as empty",
        module="worker/poller.py",
        old=(
            "        if leases is None:\n            self._interrupt_idle_time()\n            return False\n"
            "        if not leases:\n            self._found_nothing(receive)\n            return receive"
        ),
        new=(
            "        if leases is None:\n            self._found_nothing(receive)\n            return False\n"
            "        if not leases:\n            self._found_nothing(receive)\n            return receive"
        ),
        tests=(_OWN_END,),
    ),
    Mutation(
        name="a worker ends as idle although one of its queues was never asked",
        module="worker/shared_poller.py",
        old="        return all(turn.is_empty and turn.may_be_asked for turn in self._by_queue.values())\n",
        new="        return True\n",
        tests=(_OWN_END,),
    ),
    Mutation(
        name="a pod of a Job that is stopped ends the Job as complete",
        module="sidecar/app.py",
        old="if settings.fail_when_stopped and not is_work_over else EXIT_OK",
        new="if False else EXIT_OK",
        tests=(_STOPPED,),
    ),
    Mutation(
        name="a pod of a Job that has seen the end of its queue has failed",
        module="worker/worker.py",
        old="        self.has_ended_itself = True\n",
        new="        pass\n",
        tests=(_STOPPED,),
    ),
    Mutation(
        name="a pod of a Job that is stopped while it starts ends the Job as complete",
        module="__main__.py",
        old="        return STOPPED_STATUS\n",
        new="        pass\n",
        tests=(
            "tests/process/test_early_signals.py::test_the_sidecar_of_a_job_that_must_not_end_as_complete_ends_with_143",
        ),
    ),
    Mutation(
        name="a worker that ends when it is idle sends a poll each second",
        module="worker/own_end.py",
        old="        return max(1, math.ceil(since + self._idle_s - now))\n",
        new="        return 1\n",
        tests=(_OWN_END,),
    ),
    Mutation(
        name="whoever reaches the admin port can begin the drain of a sidecar",
        module="observability/admin.py",
        old="        if only_local and not _is_local(caller.remote):\n",
        new="        if False:\n",
        tests=("tests/observability/test_admin.py",),
    ),
    Mutation(
        name="a container that waits for the drain is told before there is one",
        module="observability/drain_actions.py",
        old="        if not self._is_over:\n",
        new="        if not self._is_over and self._drain.requested:\n",
        tests=("tests/observability/test_drain_actions.py",),
    ),
    Mutation(
        name="a bug in writing the deletion cost ends the process",
        module="kubernetes/deletion_cost.py",
        old="        except Exception as error:  # noqa: BLE001 - a bug here must not end the work\n",
        new="        except KeyError as error:\n",
        tests=("tests/kubernetes/test_deletion_cost.py",),
    ),
    Mutation(
        name="the deletion cost is written as often as it changes",
        module="kubernetes/deletion_cost.py",
        old="            if cost != self._written and loop.time() >= may_write_at:\n",
        new="            if cost != self._written:\n",
        tests=("tests/kubernetes/test_deletion_cost.py",),
    ),
    Mutation(
        name="a permission that is missing below one of two prefixes is told as allowed",
        module="check/permissions.py",
        old="        if _SEVERITY[finding.verdict.state] > _SEVERITY[known.verdict.state]:\n",
        new="        if _SEVERITY[finding.verdict.state] < _SEVERITY[known.verdict.state]:\n",
        tests=("tests/check/test_permissions.py",),
    ),
    Mutation(
        name="a check writes without being asked",
        module="check/bucket_permissions.py",
        old="    if action in _WRITES and not access.writes:\n",
        new="    if action in _WRITES and access is None:\n",
        tests=("tests/check/test_bucket_permissions.py",),
    ),
    Mutation(
        name="a check leaves a delete marker in a bucket with versions",
        module="check/bucket_permissions.py",
        old="    if not isinstance(versioning, Known) or versioning.value is not None:\n",
        new="    if not isinstance(versioning, Known):\n",
        tests=("tests/check/test_bucket_permissions.py",),
    ),
    Mutation(
        name="requests are moved to the dead-letter queue before they fail, and no check says so",
        module="check/queues.py",
        old="    if max_attempts and most <= max_attempts:\n",
        new="    if max_attempts and most < max_attempts:\n",
        tests=("tests/check/test_queues.py",),
    ),
    Mutation(
        name="a check that hangs goes on for ever",
        module="check/running.py",
        old="        async with asyncio.timeout(TOPIC_TIMEOUT_S):\n",
        new="        async with asyncio.timeout(100 * TOPIC_TIMEOUT_S):\n",
        tests=("tests/check/test_running.py",),
    ),
    Mutation(
        name="a dead-letter queue whose creation was cut short stays open to other queues",
        module="provision/queues.py",
        old="        if tags.get(SOURCE_TAG) == wanted.source:\n",
        new="        if tags.get(SOURCE_TAG) == own_arn:\n",
        tests=(_PROVISION,),
    ),
    Mutation(
        name="a dead-letter queue of others is closed to their queues",
        module="provision/queues.py",
        old="        if tags.get(SOURCE_TAG) == wanted.source:\n",
        new="        if tags.get(SOURCE_TAG) in (wanted.source, None):\n",
        tests=(_DIFFERENCES,),
    ),
    Mutation(
        name="an attribute that somebody has set is replaced unasked",
        module="provision/queues.py",
        old="[one for one in changes if one.completes or self._limits.may_change]",
        new="changes",
        tests=(_DIFFERENCES,),
    ),
    Mutation(
        name="a bucket whose creation was cut short gets no policy from the next run",
        module="provision/buckets.py",
        old="        if is_empty and (found is None or ",
        new="        if is_empty and (",
        tests=(_PROVISION,),
    ),
    Mutation(
        name="a setting of a bucket with objects is replaced unasked",
        module="provision/buckets.py",
        old="        if is_empty and (found is None or ",
        new="        if (found is None or ",
        tests=(_DIFFERENCES,),
    ),
    Mutation(
        name="the statements of others in the policy of a bucket are deleted",
        module="provision/buckets.py",
        old='"Statement": [*others, *_statements(asked)]}',
        new='"Statement": [*_statements(asked)]}',
        tests=(_DIFFERENCES,),
    ),
    Mutation(
        name="a dry run changes attributes",
        module="provision/queues.py",
        old="        if self._limits.is_dry:\n            return\n",
        new="",
        tests=(_DIFFERENCES,),
    ),
    Mutation(
        name="the KMS key of a bucket is replaced by the key of S3",
        module="provision/buckets.py",
        old='        return bool(found.get("SSEAlgorithm"))  # a key of one\'s own is stronger\n',
        new='        return found.get("SSEAlgorithm") == _SSE_S3\n',
        tests=(_DIFFERENCES,),
    ),
    Mutation(
        name="a policy of the text forms takes a bucket whose name begins alike for that of the API",
        module="provision/text_forms.py",
        old='(arn == start or arn.startswith(f"{start}/"))',
        new="arn.startswith(start)",
        tests=("tests/provision/test_text_forms.py",),
    ),
    Mutation(
        name="a dead-letter queue is created after the queue that names it",
        module="provision/app.py",
        old="            for queue in wanted.queues:\n",
        new="            for queue in reversed(wanted.queues):\n",
        tests=(_PROVISION,),
    ),
    Mutation(
        name="a policy grants the first of several queues alone",
        module="policies/filling.py",
        old="_present(queue[1], urls[queue[1]])]",
        new="_present(queue[1], urls[queue[1]])][:1]",
        tests=("tests/policies/test_filling.py",),
    ),
    Mutation(
        name="the deletion cost of a pod falls with the first request that ends",
        module="kubernetes/deletion_cost.py",
        old="            cost = cost_of(max(self._recent))\n",
        new="            cost = cost_of(self._recent[-1])\n",
        tests=("tests/kubernetes/test_deletion_cost.py",),
    ),
    Mutation(
        name="a command whose reader has gone ends with a traceback",
        module="process/standard_streams.py",
        old="    except BrokenPipeError:\n",
        new="    except KeyError:\n",
        tests=("tests/process/test_standard_streams.py",),
    ),
    Mutation(
        name="a name that is missing makes a policy of another resource",
        module="policies/filling.py",
        old="    if not value:\n        raise UnnamedError(",
        new="    if value is None:\n        raise UnnamedError(",
        tests=("tests/policies/test_filling.py",),
    ),
    Mutation(
        name="a prefix of results is a pattern for IAM",
        module="policies/filling.py",
        old='"".join(_WILDCARDS.get(char, char) for char in names.prefix)',
        new="names.prefix",
        tests=("tests/policies/test_filling.py",),
    ),
]


class Copy:
    """A copy of the project, and the process that runs tests in it.

    Args:
        folder: where it is made.

    Attributes:
        failed: tests that failed in it without a piece of the code.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.failed: set[str] = set()
        for name in ("dequeuer", "tests"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        shutil.copy(ROOT / "pyproject.toml", folder)
        # Checked by its hash, the bytecode of a module is never taken for that of its mutation.
        compiling = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "dequeuer"]
        subprocess.run(compiling, cwd=folder, check=True)
        kept_out = ("PYTEST", "PYTHONDONTWRITEBYTECODE")
        self._server = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("fork_server.py"), folder],
            env={name: value for name, value in os.environ.items() if not name.startswith(kept_out)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run_tests(self, *tests: str, timeout_s: int = 120) -> int:
        """Return pytest's exit status: 0 all passed, 1 a test failed; any other status is an error of pytest."""
        stdin, stdout = self._server.stdin, self._server.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({"tests": tests, "timeout_s": timeout_s}) + "\n")
        stdin.flush()
        return int(stdout.readline())

    def take_failed(self) -> set[str]:
        """Return the tests that failed in the last run."""
        file = self.folder / ".pytest_cache" / "v" / "cache" / "lastfailed"
        found = set(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else set()
        file.unlink(missing_ok=True)
        self.failed |= found
        return found

    def close(self) -> None:
        """End the process."""
        self._server.communicate()


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """A copy of the project, in which each test that failed without a piece must pass with it."""
    made = Copy(tmp_path_factory.mktemp("mutated"))
    yield made
    passed = made.run_tests(*sorted(made.failed), timeout_s=600) == 0
    made.close()
    assert passed


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_test_fails_without_the_piece(mutation: Mutation, copy: Copy) -> None:
    module = copy.folder / "dequeuer" / mutation.module
    text = module.read_text(encoding="utf-8")
    assert text.count(mutation.old) == 1, f"{mutation.module} has changed: update the mutation"
    module.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
    try:
        assert copy.run_tests(*mutation.tests) == 1
        assert copy.take_failed()
    finally:
        module.write_text(text, encoding="utf-8")
