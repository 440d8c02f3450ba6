"""What `--chaos` does, and when: from a seed, so that a run can be repeated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Literal, TypeAlias, get_args

ChaosKind: TypeAlias = Literal["kills", "throttling", "errors", "slow-s3"]
"""kills: processes get SIGKILL; throttling, errors: SQS and S3 refuse calls, as they do for too many of them and for
faults of their own; slow-s3: calls to S3 take long."""
Service: TypeAlias = Literal["SQS", "S3"]

CHAOS_KINDS: Final[tuple[ChaosKind, ...]] = get_args(ChaosKind)
KILL_PAUSES_S: Final = (3.0, 9.0)
"""Between two kills: shortest and longest."""
EPISODE_PAUSES_S: Final = (8.0, 20.0)
EPISODE_LENGTHS_S: Final = (2.0, 5.0)
REFUSED_SHARES: Final = (0.3, 0.8)
S3_DELAYS_S: Final = (0.5, 3.0)
JOB_SHARE: Final = 1 / 3
"""Of the kills: processes of jobs, while there are some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosPlan:
    """What was asked for.

    Attributes:
        kinds: without repetition.
        seed: of all random decisions.
    """

    kinds: tuple[ChaosKind, ...]
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One kill.

    Attributes:
        pause_s: time before it.
        is_of_job: a process of a job is killed, if there is one.
        place: from 0 to 1, of what is killed among those that there are.
    """

    pause_s: float
    is_of_job: bool
    place: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A time in which calls to a service fare badly.

    Attributes:
        kind: how.
        service: which.
        pause_s: time before it.
        lasts_s: its length.
        share: of the calls that are refused; 0 with "slow-s3".
        delay_s: before each call; 0 with the other kinds.
    """

    kind: ChaosKind
    service: Service
    pause_s: float
    lasts_s: float
    share: float
    delay_s: float

    @property
    def text(self) -> str:
        """What happens, for people."""
        if self.kind == "slow-s3":
            return f"S3 takes {self.delay_s:.1f} s longer, for {self.lasts_s:.1f} s"
        why = "throttles" if self.kind == "throttling" else "fails"
        return f"{self.service} {why} {self.share:.0%} of the calls, for {self.lasts_s:.1f} s"


def kills(seed: int) -> Iterator[Kill]:
    """Yield kills without end. They do not depend on which other kinds were asked for."""
    chance = Random(f"kills {seed}")  # noqa: S311 - no secret
    while True:
        yield Kill(pause_s=chance.uniform(*KILL_PAUSES_S), is_of_job=chance.random() < JOB_SHARE, place=chance.random())


def episodes(kind: ChaosKind, seed: int) -> Iterator[Episode]:
    """Yield episodes of a kind without end, one after the other."""
    chance = Random(f"{kind} {seed}")  # noqa: S311 - no secret
    while True:
        yield Episode(
            kind=kind,
            service="S3" if kind == "slow-s3" else chance.choice(("SQS", "S3")),
            pause_s=chance.uniform(*EPISODE_PAUSES_S),
            lasts_s=chance.uniform(*EPISODE_LENGTHS_S),
            share=0.0 if kind == "slow-s3" else chance.uniform(*REFUSED_SHARES),
            delay_s=chance.uniform(*S3_DELAYS_S) if kind == "slow-s3" else 0.0,
        )


def parse_kinds(text: str) -> tuple[ChaosKind, ...]:
    """Return the kinds of a list with commas, in the order of `CHAOS_KINDS`. Raises `ValueError` with what is wrong."""
    given = [name.strip() for name in text.split(",")]
    unknown: Sequence[str] = [name for name in given if name not in CHAOS_KINDS]
    if unknown:
        raise ValueError(f'"{unknown[0]}" is no kind of chaos; allowed: {", ".join(CHAOS_KINDS)}, with commas between')
    return tuple(kind for kind in CHAOS_KINDS if kind in given)
