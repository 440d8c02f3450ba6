"""Throughput with the queue, then also the store, some milliseconds away, beside that of the same sidecar at hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bench.canned.state import Shape
from bench.cpu import LIMIT_S, window
from bench.sidecar import Setup, wait_done
from bench.spread import Spread, spread
from bench.stand import Stand, say

WORKERS: Final = 100
ROUNDS: Final = 2
"""At least: each has its own three runs, so that drift of the machine hits all alike."""
SQS_S: Final = 0.02
GET_S: Final = 0.02
PUT_S: Final = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """Messages a second with `WORKERS` workers and a container that answers at once.

    Attributes:
        near_per_s: queue and store at hand: what the CPU allows.
        queue_per_s: each answer of the queue `SQS_S` later.
        all_per_s: those of the store `GET_S` and `PUT_S` later, too.
        queue_share: of what is allowed, that is reached with the queue far away; round by round.
        all_share: likewise, with all of them far away.
    """

    near_per_s: Spread
    queue_per_s: Spread
    all_per_s: Spread
    queue_share: Spread
    all_share: Spread


def measure(stand: Stand) -> Distance:
    """Measure round by round. A message occupies its worker for a GET: Little's law bounds the second share, too."""
    span = stand.amounts.hot
    near = Shape(messages=span.total)
    queue = Shape(messages=span.total, sqs_delay_s=SQS_S)
    everything = Shape(messages=span.total, sqs_delay_s=SQS_S, get_delay_s=GET_S, put_delay_s=PUT_S)
    rounds: list[tuple[float, float, float]] = []
    for number in range(max(ROUNDS, stand.runs)):
        say(f"distance: round {number + 1} of {max(ROUNDS, stand.runs)}")
        rounds.append((_per_s(stand, near), _per_s(stand, queue), _per_s(stand, everything)))
    return Distance(
        near_per_s=spread([at_hand for at_hand, _, _ in rounds]),
        queue_per_s=spread([queue_far for _, queue_far, _ in rounds]),
        all_per_s=spread([all_far for _, _, all_far in rounds]),
        queue_share=spread([queue_far / at_hand for at_hand, queue_far, _ in rounds]),
        all_share=spread([all_far / min(at_hand, WORKERS / GET_S) for at_hand, _, all_far in rounds]),
    )


def _per_s(stand: Stand, shape: Shape) -> float:
    # Only the canned servers can be far away.
    with stand.sidecar(stand.own, Setup(shape=shape, workers=WORKERS, tls=False)) as sidecar:
        stand.own.watch(sidecar.process.pid, stand.amounts.hot.marks)
        wait_done(stand.own, sidecar, shape.messages, LIMIT_S)
        sidecar.check()
        return window(stand.own.told()).per_s
