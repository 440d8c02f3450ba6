from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from hypothesis import assume, given
from hypothesis import strategies as st

from dequeuer.core.errors import ConfigurationError
from dequeuer.settings import load_gateway, load_sidecar
from dequeuer.settings.environment import is_service_link
from dequeuer.settings.programs import OPTIONS, flags, variables
from tests.settings.environments import ASYNC, BATCH, NOWHERE

NAMES = sorted(variables())
FLAGS = sorted(flags("sidecar") | flags("gateway"))


@dataclass(frozen=True)
class Mistake:
    """Something wrong, and how its fault begins."""

    start: str
    variable: tuple[str, str] | None = None
    arguments: tuple[str, ...] = ()


MISTAKES = [
    Mistake("DEQUEUER_API_KIND", ("DEQUEUER_API_KIND", "TaskAPI")),
    Mistake("DEQUEUER_API_NAME", ("DEQUEUER_API_NAME", "../x")),
    Mistake("DEQUEUER_QUEUE_URL", ("DEQUEUER_QUEUE_URL", "q")),
    Mistake("DEQUEUER_CLUSTER_UID", ("DEQUEUER_CLUSTER_UID", "a/b")),
    Mistake("DEQUEUER_BUCKET", ("DEQUEUER_BUCKET", "B")),
    Mistake("DEQUEUER_USER_PORT", ("DEQUEUER_USER_PORT", "0")),
    Mistake("DEQUEUER_ADMIN_PORT", ("DEQUEUER_ADMIN_PORT", "65536")),
    Mistake("DEQUEUER_ADMIN_HOST", ("DEQUEUER_ADMIN_HOST", "a b")),
    Mistake("--workers", arguments=("--workers", "-1")),
    Mistake("--statsd-address", arguments=("-statsd-address=host",)),
    Mistake("--probes-path", arguments=("--probes-path=",)),
    Mistake("--bogus", arguments=("--bogus=1",)),
    Mistake('"stray"', arguments=("stray",)),
    Mistake("DEQUEUER_REQUEST_TIMEOUT", ("DEQUEUER_REQUEST_TIMEOUT", "nan")),
    Mistake("DEQUEUER_MAX_ATTEMPTS", ("DEQUEUER_MAX_ATTEMPTS", "many")),
    Mistake("DEQUEUER_RETRY_STATUSES", ("DEQUEUER_RETRY_STATUSES", "200")),
    Mistake("DEQUEUER_VISIBILITY_TIMEOUT", ("DEQUEUER_VISIBILITY_TIMEOUT", "1")),
    Mistake("DEQUEUER_SHUTDOWN_GRACE", ("DEQUEUER_SHUTDOWN_GRACE", "1m")),
    Mistake("DEQUEUER_RESULT_RETENTION_DAYS", ("DEQUEUER_RESULT_RETENTION_DAYS", "-1")),
    Mistake("DEQUEUER_MAX_RESULT_BYTES", ("DEQUEUER_MAX_RESULT_BYTES", "6TiB")),
    Mistake("DEQUEUER_POLL_WAIT", ("DEQUEUER_POLL_WAIT", "0.5")),
    Mistake("DEQUEUER_IN_PROGRESS_AFTER", ("DEQUEUER_IN_PROGRESS_AFTER", "-1")),
    Mistake("DEQUEUER_CANCEL_CHECK_INTERVAL", ("DEQUEUER_CANCEL_CHECK_INTERVAL", "-1")),
    Mistake("DEQUEUER_PAUSE_CHECK_INTERVAL", ("DEQUEUER_PAUSE_CHECK_INTERVAL", "5s")),
    Mistake("DEQUEUER_PROGRESS", ("DEQUEUER_PROGRESS", "maybe")),
    Mistake("DEQUEUER_COMPLETION_DELAY", ("DEQUEUER_COMPLETION_DELAY", "3601")),
    Mistake("DEQUEUER_CLUSTER_CONFIG", ("DEQUEUER_CLUSTER_CONFIG", "/nonexistent/x.yaml")),
    Mistake("DEQUEUER_USR_PORT", ("DEQUEUER_USR_PORT", "8080")),
    Mistake("DEQUEUER_WORKER", ("DEQUEUER_WORKER", "")),
    Mistake("AWS_REGION", ("AWS_REGION", "Oregon")),
    Mistake("AWS_ENDPOINT_URL", ("AWS_ENDPOINT_URL", "localhost")),
    Mistake("CORTEX_LOG_LEVEL", ("CORTEX_LOG_LEVEL", "loud")),
    Mistake("DEQUEUER_LOG_FORMAT", ("DEQUEUER_LOG_FORMAT", "xml")),
]


@given(st.lists(st.sampled_from(MISTAKES), unique=True), st.randoms(use_true_random=False))
def test_any_combination_of_faults_is_reported_at_once(mistakes: list[Mistake], order: object) -> None:
    environ = ASYNC | dict(mistake.variable for mistake in mistakes if mistake.variable)
    argv = [argument for mistake in mistakes for argument in mistake.arguments]
    faults: Sequence[str] = ()
    try:
        load_sidecar(argv, environ, cluster_config=NOWHERE)
    except ConfigurationError as error:
        faults = error.faults
    told = sorted(fault.split(": ")[0].split(" (")[0] for fault in faults)
    assert told == sorted(mistake.start for mistake in mistakes)


TEXTS = st.text(max_size=40) | st.sampled_from(
    ["1", "async", "BatchAPI", "https://a/q", "tcp://a", "name", "/dev/null"]
)
ENVIRONS = st.dictionaries(st.sampled_from(NAMES) | st.text().map("DEQUEUER_".__add__) | st.text(), TEXTS)
ARGUMENTS = TEXTS | st.sampled_from([f"--{flag}" for flag in FLAGS]) | st.sampled_from(["-h", "--", "--version"])


@given(st.lists(ARGUMENTS), ENVIRONS)
def test_no_input_raises_anything_else(argv: list[str], environ: dict[str, str]) -> None:
    for base in ({}, ASYNC, BATCH):
        for load in (load_sidecar, load_gateway):
            with contextlib.suppress(ConfigurationError):
                load(argv, base | environ)


@given(st.lists(ARGUMENTS), ENVIRONS)
def test_every_fault_is_one_line_of_bounded_length(argv: list[str], environ: dict[str, str]) -> None:
    faults: Sequence[str] = ()
    try:
        load_sidecar(argv, environ, cluster_config=NOWHERE)
    except ConfigurationError as error:
        faults = error.faults
    assert [fault for fault in faults if not fault.isprintable() or len(fault) > 2000] == []


SIDECAR = sorted(OPTIONS["sidecar"].keys() - {"cluster_config"})


@given(st.sampled_from(SIDECAR), st.text(min_size=1, max_size=40))
def test_no_value_is_ignored(path: str, text: str) -> None:
    """A value changes the settings, or is the default's, or is a fault."""
    assume(text.strip())
    option = OPTIONS["sidecar"][path]
    name = option.env[0]
    assume(not is_service_link(name, text))
    base = {key: value for key, value in ASYNC.items() if key != name}
    told = ""
    try:
        settings = load_sidecar([], base | {name: text}, cluster_config=NOWHERE)
    except ConfigurationError as error:
        told = str(error)
    if told:
        assert name in told
    else:
        assert attrgetter(path)(settings) == option.parser.read(text.strip())


VALUES = {"workers": "7", "user-port": "7", "api-name": "other", "probes-path": "/x", "job-id": "j", "admin-port": "7"}


@given(st.sampled_from(sorted(VALUES)), st.sampled_from(["-{}={}", "--{}={}", "-{} {}", "--{} {}"]))
def test_flag_and_variable_mean_the_same_and_the_flag_wins(flag: str, form: str) -> None:
    [option] = (option for option in OPTIONS["sidecar"].values() if option.flag == flag)
    argv = form.format(flag, VALUES[flag]).split(" ")
    by_variable = load_sidecar([], BATCH | {option.env[0]: VALUES[flag]}, cluster_config=NOWHERE)
    assert load_sidecar(argv, BATCH, cluster_config=NOWHERE) == by_variable
    assert load_sidecar(argv, BATCH | {option.env[0]: "not / good"}, cluster_config=NOWHERE) == by_variable
