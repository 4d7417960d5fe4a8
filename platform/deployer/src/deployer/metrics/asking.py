"""Questions that are asked at once, none of which is waited for beyond a moment.

A socket's time-out starts anew with every byte, so a server that drips holds its reader for ever,
and a question to the API server is tried again for a minute. So each is asked in a thread that
nobody has to wait for, and one that is still under way from an earlier time is not asked again:
whatever hangs, there is one thread a question.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)
T = TypeVar("T")


class Crew:
    """Asks for one source, which asks from one thread."""

    def __init__(self) -> None:
        self._threads: dict[Hashable, threading.Thread] = {}

    def ask(self, questions: Mapping[Key, Callable[[], T]], *, until: float) -> dict[Key, T]:
        """Return the answers that came by `until`, in `time.monotonic()`'s seconds.

        Raises what a question raised. What comes late is thrown away.
        """
        answers: dict[Key, T] = {}
        errors: list[Exception] = []

        def run(key: Key, question: Callable[[], T]) -> None:
            try:
                answers[key] = question()
            except Exception as error:  # noqa: BLE001  # raised below, in the thread that asked
                errors.append(error)

        started = []
        for key, question in questions.items():
            before = self._threads.get(key)
            if before is None or not before.is_alive():
                thread = threading.Thread(target=run, args=(key, question), daemon=True)
                self._threads[key] = thread
                thread.start()
                started.append(thread)
        for thread in started:
            thread.join(max(0.0, until - time.monotonic()))
        self._threads = {key: each for key, each in self._threads.items() if each.is_alive()}
        if errors:
            raise errors[0]
        return dict(answers)
