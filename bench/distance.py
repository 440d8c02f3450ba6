"""Throughput with the queue, then also the store, some milliseconds away, compared with all servers near."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bench.canned.state import Shape
from bench.context import RunContext, print_progress
from bench.cpu import LIMIT_S, window
from bench.sidecar import Setup, wait_done
from bench.spread import Spread, spread

WORKERS: Final = 100
ROUNDS: Final = 2
"""At least. Each round has all three runs, so that a change of the machine's load affects all of them."""
SQS_S: Final = 0.02
GET_S: Final = 0.02
PUT_S: Final = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """Messages per second with `WORKERS` workers and a container that responds at once.

    Attributes:
        near_per_s: queue and store are near: the CPU is the limit.
        queue_per_s: each response of the queue is `SQS_S` later.
        all_per_s: also each response of the store is `GET_S` or `PUT_S` later.
        queue_share: `queue_per_s` / `near_per_s` of each round.
        all_share: `all_per_s` / the throughput that CPU and workers allow, of each round.
    """

    near_per_s: Spread
    queue_per_s: Spread
    all_per_s: Spread
    queue_share: Spread
    all_share: Spread


def measure(context: RunContext) -> Distance:
    """Measure all rounds. A message occupies its worker for one GET, so `WORKERS / GET_S` also bounds throughput."""
    span = context.amounts.hot
    near = Shape(messages=span.total)
    queue = Shape(messages=span.total, sqs_delay_s=SQS_S)
    everything = Shape(messages=span.total, sqs_delay_s=SQS_S, get_delay_s=GET_S, put_delay_s=PUT_S)
    rounds: list[tuple[float, float, float]] = []
    for number in range(max(ROUNDS, context.runs)):
        print_progress(f"distance: round {number + 1} of {max(ROUNDS, context.runs)}")
        rounds.append((_per_s(context, near), _per_s(context, queue), _per_s(context, everything)))
    return Distance(
        near_per_s=spread([at_hand for at_hand, _, _ in rounds]),
        queue_per_s=spread([queue_far for _, queue_far, _ in rounds]),
        all_per_s=spread([all_far for _, _, all_far in rounds]),
        queue_share=spread([queue_far / at_hand for at_hand, queue_far, _ in rounds]),
        all_share=spread([all_far / min(at_hand, WORKERS / GET_S) for at_hand, _, all_far in rounds]),
    )


def _per_s(context: RunContext, shape: Shape) -> float:
    # Only the canned servers can delay their responses.
    with context.sidecar(context.own, Setup(shape=shape, workers=WORKERS, tls=False)) as sidecar:
        context.own.watch(sidecar.process.pid, context.amounts.hot.marks)
        wait_done(context.own, sidecar, shape.messages, LIMIT_S)
        sidecar.check()
        return window(context.own.observed()).per_s
