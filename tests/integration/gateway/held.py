"""A container whose responses a test holds back."""

from __future__ import annotations

import threading

from tests.integration.container import Container, Reply, Request
from tests.integration.waiting import DEADLINE_S


class Held:
    """A container that answers when the test lets it."""

    def __init__(self, container: Container) -> None:
        self.may_answer = threading.Event()
        self.began = threading.Event()
        container.reply = self._reply

    def _reply(self, _request: Request) -> Reply:
        self.began.set()
        self.may_answer.wait(DEADLINE_S)
        return Reply()
