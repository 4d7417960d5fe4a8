"""Spans of real instances at a real receiver, and instances whose receiver is none."""

import http.client
import time

import pytest

pytestmark = pytest.mark.integration

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
SERVER, CLIENT = 2, 3  # opentelemetry.proto.trace.v1.Span.SpanKind
REQUESTS = 100
# Generous: what hangs would take the SDK 10 s a batch, and 30 s to give up.
AT_MOST_SECONDS = 10.0


def told(url, **more):
    """The environment that switches it on. A batch is not due before the drain."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": 60_000, **more}


def statuses(port, path, count=1):
    """Ask over one connection; return what came."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    found = []
    for _ in range(count):
        connection.request("GET", path, headers={"traceparent": f"00-{TRACE}-{CALLER}-01"})
        answer = connection.getresponse()
        answer.read()
        found.append(answer.status)
    connection.close()
    return found


def test_a_call_between_two_instances_is_one_trace(start, collector):
    """Request, call, request: each below the one before. What waits at the drain is sent."""
    received = collector()
    second = start(**told(received.url), PLATFORM_SLOT="green")
    onward = f"http://127.0.0.1:{second.port}/api/v1/"
    first = start(**told(received.url), PROBE_NEXT=onward)

    assert statuses(first.port, "/api/v1/onward") == [200]
    assert received.spans == []
    assert (first.stop(), second.stop()) == (0, 0)

    spans = {(span.name, span.kind): span for span in received.spans}
    assert set(spans) == {
        ("GET /api/v1/onward", SERVER),
        ("GET", CLIENT),
        ("GET /api/v1/work", SERVER),
    }
    asked = spans["GET /api/v1/onward", SERVER]
    call = spans["GET", CLIENT]
    answered = spans["GET /api/v1/work", SERVER]
    assert {span.trace_id for span in received.spans} == {TRACE}
    assert (asked.parent_id, call.parent_id) == (CALLER, asked.span_id)
    assert answered.parent_id == call.span_id
    assert (asked.resource["platform.slot"], answered.resource["platform.slot"]) == (
        "blue",
        "green",
    )
    assert asked.resource["service.name"] == "probe"
    assert asked.resource["service.version"] == "1.1.0"
    for instance, span in ((first, asked), (second, answered)):
        line = instance.event("request_finished")
        assert (line["trace_id"], line["span_id"]) == (span.trace_id, span.span_id)


@pytest.mark.parametrize("faults", [{"hangs": True}, {"garbage": b"\x00\xff nonsense"}, None])
def test_a_bad_collector_costs_spans_and_nothing_else(start, collector, faults):
    """It hangs, answers garbage, or is away. The queue is full all along, and the drain is bounded."""
    url = "http://127.0.0.1:9" if faults is None else collector(**faults).url
    small = {"OTEL_BSP_MAX_QUEUE_SIZE": 8, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": 4}
    instance = start(**told(url, **small))

    began = time.monotonic()
    assert statuses(instance.port, "/api/v1/work?seconds=0", REQUESTS) == [200] * REQUESTS
    assert instance.stop() == 0
    assert time.monotonic() - began < AT_MOST_SECONDS

    complaints = [line for line in instance.events() if line["event"] == "spans_not_exported"]
    assert len(complaints) == 1
    assert instance.event("instance_drained")["cut_off"] == 0
