"""What becomes a span, by OpenTelemetry's conventions for HTTP."""

import pytest
from flask import Blueprint
from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id

from platform_kit import Problem, ServiceUnreachable
from platform_kit.clients import HttpClient
from platform_kit.trace import current_trace

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


@pytest.fixture
def client(make_app):
    routes = Blueprint("spans", __name__)

    @routes.get("/things/<int:number>")
    def read(number):
        if number > 400:
            raise Problem(number, "asked_for", "As asked for.")
        place = current_trace()
        return {"trace": place.trace_id, "span": place.span_id, "headers": place.headers()}

    return make_app(routes).test_client()


def ask(client, path="/api/v1/things/1", flags="01", **options):
    options.setdefault("method", "GET")
    return client.open(
        path,
        headers={"traceparent": f"00-{TRACE}-{PARENT}-{flags}", "tracestate": "a=1"},
        **options,
    )


def test_a_request_is_a_span_below_its_callers(client, recorded):
    """The one that the log names, and that calls made for it name as their parent."""
    seen = ask(client).json

    (span,) = recorded.get_finished_spans()
    assert (format_trace_id(span.context.trace_id), seen["trace"]) == (TRACE, TRACE)
    assert format_span_id(span.context.span_id) == seen["span"]
    assert format_span_id(span.parent.span_id) == PARENT
    assert seen["headers"] == {"traceparent": f"00-{TRACE}-{seen['span']}-01", "tracestate": "a=1"}


def test_a_span_is_named_by_its_route(client, recorded):
    """Not by its path: there are as many of those as things."""
    ask(client)

    (span,) = recorded.get_finished_spans()
    assert (span.name, span.kind) == ("GET /api/v1/things/<int:number>", SpanKind.SERVER)
    assert dict(span.attributes) == {
        "http.request.method": "GET",
        "http.route": "/api/v1/things/<int:number>",
        "http.response.status_code": 200,
        "url.path": "/api/v1/things/1",
        "url.scheme": "http",
        "user_agent.original": span.attributes["user_agent.original"],
    }


def test_a_span_says_whose_it_is(client, recorded):
    """By service, version and slot: two releases side by side can be told apart."""
    ask(client)

    (span,) = recorded.get_finished_spans()
    said = span.resource.attributes
    assert (said["service.name"], said["service.version"]) == ("product", "1.1.0")
    assert said["platform.slot"] == "green"


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [(404, StatusCode.UNSET, None), (500, StatusCode.ERROR, "500"), (503, StatusCode.ERROR, "503")],
)
def test_only_the_services_own_failures_are_errors(client, recorded, status, code, error):
    """A refusal is the caller's."""
    ask(client, f"/api/v1/things/{status}")

    (span,) = recorded.get_finished_spans()
    assert (span.status.status_code, span.attributes.get("error.type")) == (code, error)


def test_a_made_up_path_or_method_makes_no_name(client, recorded):
    """Else anybody could fill the collector's index."""
    ask(client, "/nowhere")
    ask(client, method="BREW")

    unmatched, unknown = recorded.get_finished_spans()
    assert (unmatched.name, "http.route" in unmatched.attributes) == ("GET", False)
    assert unknown.attributes["http.request.method"] == "_OTHER"
    assert unknown.attributes["http.request.method_original"] == "BREW"
    assert "BREW" not in unknown.name


def test_a_caller_who_is_not_sampled_leaves_no_span(client, recorded):
    """What it decided goes on."""
    seen = ask(client, flags="00").json

    assert recorded.get_finished_spans() == ()
    assert seen["trace"] == TRACE
    assert seen["headers"]["traceparent"].endswith("-00")


def test_a_request_without_a_caller_begins_a_trace(client, recorded):
    """And is sampled: nobody has said otherwise."""
    seen = client.get("/api/v1/things/1").json

    (span,) = recorded.get_finished_spans()
    assert span.parent is None
    assert seen["headers"]["traceparent"] == f"00-{seen['trace']}-{seen['span']}-01"


def test_a_call_without_an_answer_is_a_span_that_says_why(recorded):
    """By the name of what happened."""
    nobody = HttpClient("stock", "http://127.0.0.1:9/", timeout_seconds=1.0)
    with pytest.raises(ServiceUnreachable):
        nobody.request("POST", "reservations/7")

    (span,) = recorded.get_finished_spans()
    assert (span.name, span.kind, span.parent) == ("POST", SpanKind.CLIENT, None)
    assert span.status.status_code is StatusCode.ERROR
    assert dict(span.attributes) == {
        "http.request.method": "POST",
        "url.full": "http://127.0.0.1:9/reservations/7",
        "server.address": "127.0.0.1",
        "server.port": 9,
        "peer.service": "stock",
        "error.type": "ConnectError",
    }


def test_a_call_carries_the_trace_that_its_headers_name(recorded):
    """An event's is of the request that wrote it: no request is under way when it is delivered."""
    nobody = HttpClient("stock", "http://127.0.0.1:9/", timeout_seconds=1.0)
    with pytest.raises(ServiceUnreachable):
        nobody.request("POST", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})

    (span,) = recorded.get_finished_spans()
    assert format_trace_id(span.context.trace_id) == TRACE
    assert format_span_id(span.parent.span_id) == PARENT
