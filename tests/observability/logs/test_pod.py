"""The lines about the deletion cost of the pod."""

import structlog
from structlog.testing import capture_logs

from dequeuer.core.events import DeletionCostFailed, DeletionCostWritten
from dequeuer.observability.logs.event_log import EventLog
from dequeuer.observability.logs.pod import PodLines
from tests.observability.logs.captured import Clock


def test_one_line_when_writing_begins_to_fail_and_one_when_it_works_again() -> None:
    clock = Clock()
    with capture_logs() as lines:
        log = EventLog(PodLines(structlog.get_logger(), clock=clock))
        log(DeletionCostWritten(cost=1))
        for _ in range(3):
            log(DeletionCostFailed(reason="not allowed (403)" + 300 * "x"))
            clock.now += 60
        log(DeletionCostWritten(cost=4))
        log(DeletionCostWritten(cost=0))
    failing, written = lines
    assert (failing["event"], failing["log_level"]) == ("deletion_cost_failing", "warning")
    assert failing["reason"].startswith("not allowed (403)x")
    assert len(failing["reason"]) == 256
    assert written == {
        "event": "deletion_cost_written",
        "log_level": "info",
        "cost": 4,
        "after_s": 180.0,
        "failed_calls": 3,
    }
