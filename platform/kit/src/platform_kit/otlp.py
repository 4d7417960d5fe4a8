"""How spans are made and exported: OpenTelemetry's SDK, batches over OTLP/HTTP.

A request or a call only puts its span into a bounded queue. A thread of its own sends them, so a collector that is slow,
away or talks nonsense costs spans and nothing else; the log says so, once a minute at most. Who decides what is
sampled, how many wait and for how long are OpenTelemetry's own variables (`OTEL_TRACES_SAMPLER`, `OTEL_BSP_*`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.semconv.attributes import error_attributes as error
from opentelemetry.semconv.attributes import http_attributes as http
from opentelemetry.semconv.attributes import server_attributes as server
from opentelemetry.semconv.attributes import url_attributes as url
from opentelemetry.semconv.attributes import user_agent_attributes as user_agent
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    format_span_id,
    format_trace_id,
    set_span_in_context,
)

from platform_kit.liveness import Clock
from platform_kit.logs import logger
from platform_kit.trace import Trace, received

# After the drain the master waits two seconds more before it kills (`platform_kit.serve`).
FLUSH_SECONDS = 1.0
# A collector that is away for a night is no reason to write a line for every batch.
COMPLAINT_SECONDS = 60.0
# The methods of RFC 9110 and PATCH. Others are anybody's: they must not become names of spans.
METHODS = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
)

log = logger(__name__)


class Recorded:
    """A span under way, and the place in the trace that it is."""

    __slots__ = ("_span", "trace")

    def __init__(self, span: Span, state: str) -> None:
        context = span.get_span_context()
        self._span = span
        self.trace = Trace(
            format_trace_id(context.trace_id),
            format_span_id(context.span_id),
            sampled=context.trace_flags.sampled,
            state=state,
        )

    def served(self, method: str, route: str, *, status: int) -> None:
        """Note how the app answered. A refusal is no error of who refuses."""
        if not self._span.is_recording():
            return
        if route != "unmatched":
            self._span.update_name(f"{_known(method)} {route}")
            self._span.set_attribute(http.HTTP_ROUTE, route)
        self._answered(status, fails_from=500)

    def answered(self, status: int) -> None:
        """Note what came back from another service."""
        self._answered(status, fails_from=400)

    def failed(self, cause: str) -> None:
        """Note that there was no answer, and why: an exception's name, not its text."""
        self._span.set_attribute(error.ERROR_TYPE, cause)
        self._span.set_status(StatusCode.ERROR)

    def end(self) -> None:
        """Hand the span over to the exporter's queue."""
        self._span.end()

    def _answered(self, status: int, *, fails_from: int) -> None:
        self._span.set_attribute(http.HTTP_RESPONSE_STATUS_CODE, status)
        if status >= fails_from:
            self.failed(str(status))


class Recorder:
    """Makes the spans of a process."""

    def __init__(self, who: Mapping[str, str], processor: SpanProcessor) -> None:
        """Make them for the instance that `who` names; `processor` gets each when it ends."""
        resource = Resource.create(
            {
                "service.name": who["service"],
                "service.version": who["version"],
                "platform.slot": who["slot"],
            }
        )
        # It is closed after the drain, which the SDK's own hook at the interpreter's exit cannot bound.
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("platform_kit")

    def serve(self, request: Trace, environ: Mapping[str, Any]) -> Recorded:
        """Begin the span of a request that was received."""
        method = str(environ["REQUEST_METHOD"])
        attributes = {
            **_method(method),
            url.URL_SCHEME: str(environ.get("wsgi.url_scheme", "http")),
            url.URL_PATH: str(environ.get("PATH_INFO", "")),
        }
        if agent := environ.get("HTTP_USER_AGENT"):
            attributes[user_agent.USER_AGENT_ORIGINAL] = str(agent)
        return self._begin(request, _known(method), SpanKind.SERVER, attributes)

    @contextmanager
    def call(
        self, method: str, address: str, headers: Mapping[str, str], *, dependency: str
    ) -> Iterator[Recorded]:
        """Record a call that is made with these headers, whose `traceparent` is its parent's."""
        parent = received(headers.get("traceparent", ""), headers.get("tracestate", ""))
        place = urlsplit(address)
        attributes: dict[str, str | int] = {
            **_method(method),
            url.URL_FULL: address,
            server.SERVER_ADDRESS: place.hostname or "",
            server.SERVER_PORT: place.port or (443 if place.scheme == "https" else 80),
            "peer.service": dependency,
        }
        recorded = self._begin(parent, _known(method), SpanKind.CLIENT, attributes)
        try:
            yield recorded
        except Exception as failure:
            recorded.failed(type(failure).__qualname__)
            raise
        finally:
            recorded.end()

    def close(self) -> None:
        """Send what is left; give it up after `FLUSH_SECONDS`."""
        # The SDK would wait for a collector that hangs as long as its time-out is, 10 s.
        closing = threading.Thread(target=self._provider.shutdown, name="spans", daemon=True)
        closing.start()
        closing.join(FLUSH_SECONDS)
        if closing.is_alive():
            log.warning("spans_given_up", seconds=FLUSH_SECONDS)

    def _begin(
        self, place: Trace, name: str, kind: SpanKind, attributes: Mapping[str, str | int]
    ) -> Recorded:
        parent = _context_of(place, is_remote=kind is SpanKind.SERVER)
        context = set_span_in_context(NonRecordingSpan(parent)) if parent else None
        span = self._tracer.start_span(name, context, kind, dict(attributes))
        return Recorded(span, place.state)


class Complaints(logging.Handler):
    """What the SDK says to the log: in the kit's lines, and not for every batch anew."""

    def __init__(self, *, clock: Clock = time.monotonic) -> None:
        super().__init__(logging.WARNING)
        self._clock = clock
        self._silent_until = float("-inf")
        self._unsaid = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write the complaint, or count it."""
        if self._clock() < self._silent_until:
            self._unsaid += 1
            return
        log.warning("spans_not_exported", cause=record.getMessage(), unsaid=self._unsaid)
        self._silent_until = self._clock() + COMPLAINT_SECONDS
        self._unsaid = 0


def exporting(who: Mapping[str, str]) -> Recorder:
    """Return a recorder that exports to where the environment says. Starts a thread."""
    sdk = logging.getLogger("opentelemetry")
    sdk.handlers, sdk.propagate = [Complaints()], False
    recorder = Recorder(who, BatchSpanProcessor(OTLPSpanExporter()))
    log.info("spans_exported")
    return recorder


def _context_of(place: Trace, *, is_remote: bool) -> SpanContext | None:
    if place.parent_id is None:
        return None
    flags = TraceFlags(TraceFlags.SAMPLED if place.sampled else TraceFlags.DEFAULT)
    return SpanContext(int(place.trace_id, 16), int(place.parent_id, 16), is_remote, flags)


def _known(method: str) -> str:
    return method if method in METHODS else "HTTP"


def _method(method: str) -> dict[str, str]:
    if method in METHODS:
        return {http.HTTP_REQUEST_METHOD: method}
    return {http.HTTP_REQUEST_METHOD: "_OTHER", http.HTTP_REQUEST_METHOD_ORIGINAL: method}
