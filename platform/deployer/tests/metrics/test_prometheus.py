"""The Prometheus source against a real small server that speaks Prometheus's JSON."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from urllib.parse import parse_qs

import pytest
from answering import Answering
from metrics.prometheus_pages import Store, vector
from pydantic import ValidationError

from deployer.errors import InputError, OperationError
from deployer.metrics import Counts, Latency, Outcome, Prometheus, Reading
from deployer.model import ServiceName, Slot
from deployer.queries import Queries

RELEASES = {Slot.GREEN: "c0ffee000001", Slot.BLUE: "c0ffee000000"}


class Setup:
    """A store, the server that tells of it, and a source with a clock that a test sets."""

    def __init__(self, server: Answering) -> None:
        self.server = server
        self.store = Store()
        self.at = 1_000.0
        self.store.router()
        self.store.pod(read=1_000.0)

    def source(self, queries: Queries | None = None, **releases: str) -> Prometheus:
        return Prometheus(
            ServiceName("product"),
            Slot.GREEN,
            url=self.server.url,
            namespace="product-dev",
            release_of=lambda slot: releases.get(slot, RELEASES[slot]),
            queries=queries,
            now=lambda: self.at,
        )

    def read(self, source: Prometheus) -> Reading:
        self.server.says(200, self.store.answer)
        return source.read()


@pytest.fixture
def setup() -> Iterator[Setup]:
    with Answering() as server:
        yield Setup(server)


def test_both_slots_are_counted_since_the_first_reading(setup: Setup) -> None:
    """What the slots had served before is somebody else's."""
    setup.store.routed("green", 500, failed=400)
    setup.store.routed("blue", 9_000)
    source = setup.source()
    first = setup.read(source)
    setup.store.routed("green", 510, failed=403, slow=2)
    setup.store.routed("blue", 9_090)
    setup.store.set("refused/blue", 5, instance="a")
    reading = setup.read(source)

    assert (first.candidate, first.live, first.reachable) == (Counts(), Counts(), True)
    assert reading.candidate == Counts(10, failed=3, slow=2)
    assert reading.live == Counts(90, refused=5)
    assert reading.latency == Latency((0.5, 1.0), (0, 8, 2))


def test_a_slot_without_requests_has_no_series_and_zero(setup: Setup) -> None:
    """And what it gets first is counted: its series begins with the first request."""
    source = setup.source()
    first = setup.read(source)
    setup.store.routed("green", 7, failed=7)

    assert (first.reachable, first.candidate) == (True, Counts())
    assert setup.read(source).candidate == Counts(7, failed=7)


def test_one_question_asks_all_at_one_time(setup: Setup) -> None:
    """Candidate and live are of the same evaluation, and the names are filled in."""
    setup.at = 1_000.25
    setup.read(setup.source())
    (request,) = setup.server.requests
    fields = parse_qs(request.body.decode())
    (query,) = fields["query"]

    assert (request.method, request.path) == ("POST", "/api/v1/query")
    assert fields["time"] == ["1000.250"]
    assert '"requests/green", "", "")' in query
    assert '"requests/blue", "", "")' in query
    assert (
        'service=~"(.+-svc-)?product-dev-product-green-(http-)?[0-9]+@kubernetesgateway"' in query
    )
    assert 'pod=~"product-blue-[a-z0-9]+-[a-z0-9]+", deployer_release="c0ffee000000"' in query
    assert "{namespace}" not in query


def test_a_replica_that_restarts_does_not_count_the_others_again(setup: Setup) -> None:
    """The sum of both falls; each for itself, it has two requests more."""
    setup.store.router("b")
    setup.store.routed("green", 1_000, failed=100)
    setup.store.routed("green", 1_000, failed=100, replica="b")
    source = setup.source()
    setup.read(source)
    setup.store.router("b", began=995.0)
    setup.store.routed("green", 2, failed=1, replica="b")

    assert setup.read(source).candidate == Counts(2, failed=1)


def test_a_series_that_is_dropped_does_not_count_the_others_again(setup: Setup) -> None:
    """The router was read, and has it no more: it began at zero if it comes back."""
    source = setup.source()
    counted = []
    for public, internal in ((5_000, 900), (5_010, None), (5_020, 3)):
        setup.store.set("requests/green", public, instance="a", service="public")
        setup.store.forget(service="internal")
        if internal is not None:
            setup.store.set("requests/green", internal, instance="a", service="internal")
        counted.append(setup.read(source).candidate.requests)

    assert counted == [0, 10, 23]


def test_a_restart_is_seen_even_if_more_was_counted_since(setup: Setup) -> None:
    """It began anew, so all of the 1,500 came after."""
    setup.store.routed("green", 1_000)
    source = setup.source()
    setup.read(source)
    setup.store.router(began=1_001.0)
    setup.store.routed("green", 1_500)

    assert setup.read(source).candidate == Counts(1_500)


@pytest.mark.parametrize(("began", "counted"), [(1_005.0, 30), (10.0, 0)])
def test_a_replica_that_appears_counts_from_when_it_began(
    setup: Setup, began: float, counted: int
) -> None:
    """A new one from its first request; one that could not be read before has another's past."""
    source = setup.source()
    setup.read(source)
    setup.store.router("new", began=began)
    setup.store.routed("green", 30, replica="new")

    assert setup.read(source).candidate == Counts(counted)


def test_a_replica_that_vanishes_has_what_it_had(setup: Setup) -> None:
    """Its series are marked stale; when it comes back, nothing is counted twice."""
    setup.store.router("b")
    setup.store.routed("green", 100, replica="b")
    source = setup.source()
    setup.read(source)
    setup.store.routed("green", 140, failed=4, replica="b")
    before = setup.read(source)
    setup.store.forget(instance="b")
    without = setup.read(source)
    setup.store.router("b")
    setup.store.routed("green", 141, failed=4, replica="b")

    assert before.candidate == without.candidate == Counts(40, failed=4)
    assert setup.read(source).candidate == Counts(41, failed=4)


@pytest.mark.parametrize("read", [0.0, 939.0])
def test_a_replica_that_could_not_be_read_lately_makes_blind(setup: Setup, read: float) -> None:
    """It is down, or Prometheus has not got to it for more than a minute."""
    source = setup.source()
    setup.read(source)
    setup.store.router("b", read=read)
    setup.store.routed("green", 50, failed=50)
    dark = setup.read(source)
    setup.store.router("b", read=1_000.0)

    assert (dark.reachable, dark.candidate, dark.candidate_healthy) == (False, Counts(), None)
    assert setup.read(source).candidate == Counts(50, failed=50)


def test_a_router_that_prometheus_does_not_know_makes_blind(setup: Setup) -> None:
    """No series at all is not the same as no requests."""
    setup.store.forget(instance="a")

    assert setup.read(setup.source()).reachable is False


def test_a_candidate_whose_pods_prometheus_does_not_know_makes_blind(setup: Setup) -> None:
    """Its health would never be looked at; an empty slot has none."""
    setup.store.forget(pod="p")

    assert setup.read(setup.source()).reachable is False
    assert setup.read(setup.source(green="")).reachable is True


def test_nobody_at_the_address_is_blind(setup: Setup) -> None:
    """That may pass by itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    source = Prometheus(
        ServiceName("product"),
        Slot.GREEN,
        url=f"http://127.0.0.1:{port}",
        namespace="product-dev",
        release_of=RELEASES.__getitem__,
    )

    assert source.read().reachable is False


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, {"status": "error", "errorType": "timeout", "error": "query timed out"}),
        (429, b"slow down"),
    ],
)
def test_an_overloaded_server_is_blind(setup: Setup, status: int, body: object) -> None:
    """It will have time again."""
    setup.server.says(status, body)

    assert setup.source().read().reachable is False


def test_an_answer_in_part_is_blind(setup: Setup) -> None:
    """Prometheus warns that a store did not answer: what is missing would be counted as zero."""
    setup.server.says(200, setup.store.answer | {"warnings": ["a store did not answer"]})
    partial = setup.source().read()

    assert partial.reachable is False
    assert setup.read(setup.source()).reachable is True


def test_a_server_that_hangs_is_blind_within_two_seconds(setup: Setup) -> None:
    """And so is an API server that does not tell the releases."""
    done = threading.Event()
    with socket.socket() as hung:
        hung.bind(("127.0.0.1", 0))
        hung.listen(8)
        source = setup.source()
        source._url = f"http://127.0.0.1:{hung.getsockname()[1]}"
        began = time.monotonic()
        without_answer = source.read()
        source._release_of = lambda slot: done.wait() and RELEASES[slot]
        without_releases = source.read()
        took = time.monotonic() - began
        done.set()

    assert (without_answer.reachable, without_releases.reachable) == (False, False)
    assert 2 <= took < 2.5


def test_an_unreachable_api_server_is_blind_and_any_other_refusal_is_not(setup: Setup) -> None:
    """What does not pass by itself is raised."""

    def refusing(code: str) -> Prometheus:
        source = setup.source()

        def release_of(_slot: Slot) -> str:
            raise OperationError(code, "no", hint="none")

        source._release_of = release_of
        return source

    assert refusing("cluster-unreachable").read().reachable is False
    with pytest.raises(OperationError, match="no"):
        refusing("forbidden").read()


def test_health_is_told_when_every_pod_was_read_anew(setup: Setup) -> None:
    """One failed scrape of a pod is one failure, however often it is looked at."""
    source = setup.source()
    told = [setup.read(source).candidate_healthy]
    for p, q in ((1_000, 1_002), (1_005, 1_002), (1_005, 1_007), (1_010, 1_007)):
        setup.store.pod("p", read=p, healthy=0)
        setup.store.pod("q", read=q)
        told.append(setup.read(source).candidate_healthy)

    assert told == [True, None, False, None, False]


def test_the_worst_pod_speaks_for_the_candidate(setup: Setup) -> None:
    """Memory is the highest of all, and the youngest tells the age."""
    setup.store.pod("q", read=1_000.0, memory=0.95)
    setup.store.set("started/green", 990.0, pod="q")
    setup.store.set("cpu/green", float("nan"), pod="q")
    reading = setup.read(setup.source())

    assert (reading.memory_share, reading.cpu_share, reading.instances_since) == (0.95, None, 990.0)


def test_outcomes_are_counted_a_pod(setup: Setup) -> None:
    """A pair begins with its first attempt, a pod that is not read has what it had."""
    source = setup.source()
    setup.read(source)
    setup.store.orders("green", 10, 9)
    counted = setup.read(source)
    known = dict(setup.store.numbers)
    setup.store.forget(name="orders")
    unread = setup.read(source)
    setup.store.numbers = known
    setup.store.orders("green", 11, 10)

    assert counted.outcomes == unread.outcomes == (Outcome("orders", 10, 9),)
    assert setup.read(source).outcomes == (Outcome("orders", 11, 10),)


def test_outcomes_from_before_are_somebody_elses(setup: Setup) -> None:
    """Of the pods that there are at the first reading; a pod that joins has counted all it has."""
    setup.store.orders("green", 10, 9)
    source = setup.source()
    setup.read(source)
    setup.store.pod("q", read=1_001.0)
    setup.store.orders("green", 4, 1, pod="q")

    assert setup.read(source).outcomes == (Outcome("orders", 4, 1),)


def test_slow_requests_in_flight_count_once(setup: Setup) -> None:
    """While they are in flight, and no second time when the router has counted them."""
    source = setup.source()
    setup.read(source)
    setup.store.set("slow_in_flight/green", 2)
    hanging = setup.read(source)
    setup.store.numbers.pop(("slow_in_flight/green", ()))
    setup.store.routed("green", 2, slow=2)

    assert hanging.candidate == setup.read(source).candidate == Counts(2, slow=2)


def test_milliseconds_are_seconds_when_the_file_says_so(setup: Setup) -> None:
    """Envoy's and Istio's histograms have a bucket of 1000."""
    source = setup.source(Queries(bound_seconds=0.001))
    setup.read(source)
    for bound, count in (("500", 3), ("1000", 4), ("+Inf", 6)):
        setup.store.set("latency/green", count, instance="a", le=bound)
    setup.store.set("requests/green", 6, instance="a")

    assert setup.read(source).candidate == Counts(6, slow=2)


def test_a_histogram_without_a_bucket_at_one_second_is_refused(setup: Setup) -> None:
    """Slow requests would never be seen; Traefik's own buckets are such."""
    setup.store.set("latency/green", 4, instance="a", le="1.2")
    setup.store.set("latency/green", 4, instance="a", le="+Inf")

    with pytest.raises(InputError) as told:
        setup.read(setup.source())
    assert told.value.code == "bucket-missing"


@pytest.mark.parametrize(
    ("query", "value", "labels", "why"),
    [
        ("latency/green", 1, {"instance": "a"}, "`latency`: .* vector by `le`"),
        ("attempts/green", 1, {"pod": "p"}, "`attempts`: .* vector by `name`"),
        ("requests/green", float("nan"), {}, "`requests`: .* running totals, and returns nan"),
        ("failed/blue", -1, {}, "`failed`: .* running totals"),
    ],
)
def test_a_query_of_another_shape_is_refused_by_name(
    setup: Setup, query: str, value: float, labels: dict[str, str], why: str
) -> None:
    """It would be counted as zero otherwise."""
    setup.store.set(query, value, **labels)

    with pytest.raises(InputError, match=why) as told:
        setup.read(setup.source())
    assert told.value.code == "query-broken"


def test_a_query_that_should_be_one_number_is_refused_when_it_is_two(setup: Setup) -> None:
    """Which of the two was meant?"""
    setup.store.set("slow_in_flight/green", 1, pod="p")
    setup.store.set("slow_in_flight/green", 1, pod="q")

    with pytest.raises(InputError, match="`slow_in_flight`: it has to return one number"):
        setup.read(setup.source())


def test_two_elements_that_can_not_be_told_apart_are_refused(setup: Setup) -> None:
    """Their names differ, and only those: one would hide the other."""
    one = ("requests/green", {"instance": "a", "__name__": "one"}, 1.0)
    setup.server.says(
        200,
        vector(
            one,
            ("requests/green", {"instance": "a", "__name__": "two"}, 2.0),
            ("router_scraped/green", {"instance": "a"}, 1_000.0),
            ("instances_scraped/green", {"pod": "p"}, 1_000.0),
        ),
    )

    with pytest.raises(InputError, match="`requests`: it returns two elements"):
        setup.source().read()


def test_a_refused_query_is_a_mistake_at_first_and_blindness_later(setup: Setup) -> None:
    """It has worked, so somebody else has changed something: that rolls nothing back."""
    refused = {"status": "error", "errorType": "bad_data", "error": "parse error: nonsense"}
    setup.server.says(400, refused)
    with pytest.raises(InputError, match="Prometheus refuses it: parse error: nonsense") as told:
        setup.source().read()
    source = setup.source()
    setup.read(source)
    setup.server.says(400, refused)

    assert told.value.code == "query-broken"
    assert source.read().reachable is False


@pytest.mark.parametrize(("status", "body"), [(404, b"not found"), (200, b"<html>"), (401, b"")])
def test_something_else_at_the_address_is_a_mistake(setup: Setup, status: int, body: bytes) -> None:
    """A wrong path, a log-in page, a missing token."""
    setup.server.says(status, body)

    with pytest.raises(InputError) as told:
        setup.source().read()
    assert told.value.code == "prometheus-unknown"


def test_a_query_that_is_left_out_is_not_asked(setup: Setup) -> None:
    """Nor is anything about the pods of an empty slot."""
    setup.read(setup.source(Queries(memory="", attempts=""), blue=""))
    query = parse_qs(setup.server.requests[0].body.decode())["query"][0]

    assert '"memory/green"' not in query
    assert '"successes/green"' in query
    assert '"successes/blue"' not in query
    assert '"requests/blue"' in query


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("request", "x", "extra_forbidden"),
        ("requests", "", "too_short"),
        ("requests", "sum(x{slot='{slots}'})", "value_error"),
        ("stale_seconds", 0, "greater_than"),
    ],
)
def test_a_table_that_can_not_be_right_is_refused(key: str, value: object, why: str) -> None:
    """An unknown line, an empty one that is needed, a placeholder that nobody fills."""
    with pytest.raises(ValidationError) as told:
        Queries.model_validate({key: value})

    assert told.value.errors()[0]["type"] == why
