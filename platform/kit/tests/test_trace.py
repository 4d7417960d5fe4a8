"""W3C Trace Context: strict with what comes, exact in what goes out."""

import re

import pytest
from flask import Blueprint

from platform_kit import trace
from platform_kit.trace import MOST_MEMBERS, current_trace, received

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
VALID = f"00-{TRACE}-{PARENT}-01"


def test_a_valid_parent_is_gone_on_with():
    """Same trace, a span of its own below the caller's."""
    span = received(VALID, "")

    assert (span.trace_id, span.parent_id, span.sampled) == (TRACE, PARENT, True)
    assert re.fullmatch("[0-9a-f]{16}", span.span_id)
    assert span.span_id != PARENT
    assert span.headers() == {"traceparent": f"00-{TRACE}-{span.span_id}-01"}


@pytest.mark.parametrize(
    "traceparent",
    [
        f"01-{TRACE}-{PARENT}-01",
        f"01-{TRACE}-{PARENT}-01-what-comes-later",
        f"fe-{TRACE}-{PARENT}-01-",
        f" {VALID}\t",
    ],
)
def test_a_later_version_is_read_as_far_as_it_is_known(traceparent):
    """And what goes out is of the version that is spoken here."""
    span = received(traceparent, "")

    assert span.trace_id == TRACE
    assert span.headers()["traceparent"].startswith(f"00-{TRACE}-")


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "garbage",
        VALID.upper(),
        VALID[:-1],
        f"{VALID}-",
        f"{VALID}-00",
        f"{VALID},{VALID}",
        f"01-{TRACE}-{PARENT}-01.what",
        f"01-{TRACE}-{PARENT}-0",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}g-{PARENT}-01",
        f"00_{TRACE}_{PARENT}_01",
        f"0-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-0\u0661",
    ],
)
def test_any_other_begins_a_new_trace(traceparent):
    """Without a parent, and without whatever came as tracestate."""
    span = received(traceparent, "vendor=1")

    assert span.trace_id != TRACE
    assert (span.parent_id, span.sampled, span.state) == (None, False, "")
    assert re.fullmatch(f"00-{span.trace_id}-{span.span_id}-00", span.headers()["traceparent"])


@pytest.mark.parametrize(
    ("flags", "sent"), [("00", "00"), ("01", "01"), ("ff", "01"), ("fe", "00")]
)
def test_only_the_flag_that_is_known_goes_on(flags, sent):
    """Version 00: the others are set to zero."""
    span = received(f"00-{TRACE}-{PARENT}-{flags}", "")

    assert span.headers()["traceparent"].endswith(f"-{sent}")


@pytest.mark.parametrize(
    ("tracestate", "sent"),
    [
        ("vendor=1", "vendor=1"),
        ("a=1,b=2", "a=1,b=2"),
        ("a=1 , \tb=2 ,, ", "a=1,b=2"),
        ("tenant@system=opaque value!", "tenant@system=opaque value!"),
        ("1tenant@system=x", "1tenant@system=x"),
        (",".join(f"k{n}=1" for n in range(MOST_MEMBERS)),) * 2,
    ],
)
def test_a_tracestate_is_passed_on(tracestate, sent):
    """In its order, as it is."""
    assert received(VALID, tracestate).headers()["tracestate"] == sent


@pytest.mark.parametrize(
    "tracestate",
    [
        "",
        "novalue",
        "a=",
        "A=1",
        "1a=1",
        "a=1=2",
        "a=1,a=2",
        "a=ü",
        "a@b@c=1",
        f"{'k' * 257}=1",
        f"a={'v' * 257}",
        ",".join(f"k{n}=1" for n in range(MOST_MEMBERS + 1)),
    ],
)
def test_a_malformed_tracestate_is_dropped_as_a_whole(tracestate):
    """The trace itself goes on."""
    span = received(VALID, tracestate)

    assert (span.trace_id, "tracestate" in span.headers()) == (TRACE, False)


def test_two_new_traces_differ():
    """Chance, 16 bytes of it."""
    assert len({received("", "").trace_id for _ in range(50)}) == 50


def test_a_request_is_a_span_while_it_lasts(make_app):
    """And the next one in the same thread is another."""
    routes = Blueprint("trace", __name__)
    routes.get("/trace")(lambda: {"trace": current_trace().trace_id})
    client = make_app(routes).test_client()

    assert client.get("/api/v1/trace", headers={"traceparent": VALID}).json == {"trace": TRACE}
    assert client.get("/api/v1/trace").json != {"trace": TRACE}
    assert trace.current_trace() is None
