"""What the worker runs beside its requests: the admin port, the checks, the service's own threads."""

from __future__ import annotations

from flask import Flask

from platform_kit.admin import AdminServer
from platform_kit.background import Background, start_background
from platform_kit.instance import Instance
from platform_kit.liveness import Activity
from platform_kit.logs import logger
from platform_kit.settings import InstanceSettings
from platform_kit.spans import start_spans, stop_spans

# A worker that was killed may hold its port a moment longer than its process id.
REBIND_SECONDS = 2.0

log = logger(__name__)


class Serving:
    """The parts of a serving instance; made before the worker counts as booted."""

    def __init__(self, app: Flask, *, master_pid: int) -> None:
        """Open the admin port; raise `PortTaken` if it is not free."""
        self._app = app
        self._instance = Instance.of(app)
        self._instance.usage.add_process(master_pid)
        self._admin = AdminServer(self._instance, rebind_seconds=REBIND_SECONDS)
        self._background: Background | None = None

    @property
    def activity(self) -> Activity:
        """What the worker tells of its requests."""
        return self._instance.activity

    @property
    def settings(self) -> InstanceSettings:
        """The settings that the app was made with."""
        return self._instance.settings

    def start(self) -> None:
        """Start the threads: from now on the instance may be ready."""
        start_spans(self._instance.service, self.settings)
        self._background = start_background(self._app)
        log.info("instance_started", port=self.settings.port, admin_port=self._admin.port)

    def drained(self, seconds: float) -> None:
        """Say how the drain ended."""
        cut_off = self.activity.load().in_flight
        write = log.error if cut_off else log.info
        write("instance_drained", seconds=round(seconds, 3), cut_off=cut_off)

    def stop(self) -> None:
        """Stop the threads and close the admin port."""
        if self._background:
            self._background.stop()
        stop_spans()
        self._admin.close()
