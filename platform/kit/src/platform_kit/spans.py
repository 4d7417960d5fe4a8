"""Spans for OpenTelemetry, where the environment names a collector.

`OTEL_EXPORTER_OTLP_ENDPOINT`, or the one for traces alone, switches it on; without it nothing is imported, and a
request looks at one variable. The worker starts it after the fork and ends it after the drain. Telemetry is never a
reason to fail: who asks for it without the extra `platform-kit[traces]` gets a warning and no spans.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from platform_kit.logs import identity, logger

if TYPE_CHECKING:
    from platform_kit.otlp import Recorder
    from platform_kit.settings import InstanceSettings

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")

log = logger(__name__)

# The process's one: a call is made from wherever, also outside of a request.
_recorder: Recorder | None = None


def recorder() -> Recorder | None:
    """Return who records spans, None where nobody does."""
    return _recorder


def record_by(recorder: Recorder | None) -> None:
    """Record the spans of this process by it from now on; None ends that."""
    global _recorder  # noqa: PLW0603 - see above
    _recorder = recorder


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Say whether spans are to be exported, by OpenTelemetry's own variables."""
    is_off = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    is_off |= environment.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none"
    return not is_off and any(environment.get(name, "").strip() for name in ENDPOINTS)


def start_spans(service: str, settings: InstanceSettings) -> None:
    """Record and export spans from now on, if the environment says where to."""
    if not is_wanted(os.environ):
        return
    try:
        from platform_kit.otlp import exporting  # noqa: PLC0415 - 20 MB that few pay for
    except ImportError as error:
        log.warning(
            "spans_not_exported", cause=str(error), hint="pip install 'platform-kit[traces]'"
        )
        return
    record_by(exporting(identity(service, settings)))


def stop_spans() -> None:
    """Send what is left, within a bound."""
    if (recorder := _recorder) is not None:
        record_by(None)
        recorder.close()
