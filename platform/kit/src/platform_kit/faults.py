"""Faults on purpose, for demonstrations and tests: errors and latency, only where the environment allows them."""

from __future__ import annotations

import random
import time

from flask import Flask, request

from platform_kit.problems import Problem
from platform_kit.settings import InstanceSettings


class Faults:
    """Decides which requests fail or wait. Time counts from the first request this process got."""

    def __init__(self, settings: InstanceSettings) -> None:
        settings.refuse_faults()
        self._settings = settings
        self._first_at: float | None = None
        # Seeded by the system: two instances must not fail in step.
        self._random = random.Random()  # noqa: S311 - a die, not a secret

    def inject(self, path: str) -> None:
        """Wait, or raise the `fault_injected` problem, as the settings say for this path."""
        now = time.monotonic()
        if self._first_at is None:
            self._first_at = now
        settings = self._settings
        if not path.startswith(settings.fault_path):
            return
        if now - self._first_at < settings.fault_after_seconds:
            return
        if settings.fault_latency_seconds:
            time.sleep(settings.fault_latency_seconds)
        if self._random.random() < settings.fault_error_share:
            raise Problem(500, "fault_injected", "This error was asked for by PLATFORM_FAULT_*.")


def inject_faults(app: Flask, settings: InstanceSettings) -> None:
    """Let the settings' faults happen to the app's requests; no cost where there are none."""
    faults = Faults(settings)
    if settings.fault_error_share or settings.fault_latency_seconds:
        app.before_request(lambda: faults.inject(request.path))
