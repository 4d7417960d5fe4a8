"""The state of one running instance, shared by its app, its worker and its admin port."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import cast

from flask import Flask

from platform_kit.liveness import Activity
from platform_kit.metrics import Metrics
from platform_kit.readiness import Readiness
from platform_kit.settings import InstanceSettings
from platform_kit.usage import Usage

_KEY = "platform_kit"

Job = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Instance:
    """Everything about this process that is not the service's own."""

    service: str
    settings: InstanceSettings
    activity: Activity
    usage: Usage
    metrics: Metrics
    readiness: Readiness
    jobs: Sequence[Job]

    def attach(self, app: Flask) -> None:
        """Make the instance known to the app."""
        app.extensions[_KEY] = self

    @classmethod
    def of(cls, app: Flask) -> Instance:
        """Return the instance of an app that `create_app` made."""
        return cast("Instance", app.extensions[_KEY])
