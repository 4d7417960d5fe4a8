"""Metrics: read back with Prometheus's own parser."""

import threading

import pytest
from flask import Blueprint
from prometheus_client.parser import text_string_to_metric_families

from platform_kit import Problem
from platform_kit.instance import Instance
from platform_kit.usage import Usage

IDENTITY = {"service": "product", "version": "1.1.0", "slot": "green"}


@pytest.fixture
def app(make_app):
    routes = Blueprint("things", __name__)

    @routes.get("/things/<int:thing>")
    def read(thing):
        if thing == 0:
            raise Problem(404, "thing_missing", "Nothing has this number.")
        return {"id": thing}

    return make_app(routes)


def samples(app, name):
    text = Instance.of(app).metrics.exposition().decode()
    return [
        (sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    ]


def count(app, **labels):
    found = [
        value for has, value in samples(app, "http_requests_total") if has.items() >= labels.items()
    ]
    return sum(found)


def test_requests_are_counted_by_route_template(app):
    """A thousand products are one time series."""
    client = app.test_client()
    for thing in range(1, 21):
        client.get(f"/api/v1/things/{thing}")
    expected = {"method": "GET", "route": "/api/v1/things/<int:thing>", "status": "200"}

    assert samples(app, "http_requests_total") == [({**IDENTITY, **expected}, 20.0)]


def test_errors_and_the_identity_count(app):
    """A problem of a route by its template, what matches none as unmatched."""
    client = app.test_client()
    client.get("/api/v1/things/0")
    client.get("/nowhere/1")
    client.get("/nowhere/2")
    client.post("/api")
    client.get("/api")

    assert count(app, route="/api/v1/things/<int:thing>", status="404") == 1
    assert count(app, route="unmatched", status="404") == 2
    assert count(app, route="unmatched", status="405") == 1
    assert count(app, route="/api", status="200") == 1


def test_a_made_up_method_is_no_time_series(app):
    """A client may send any word."""
    for word in ("BREW", "WHEN"):
        app.test_client().open("/api", method=word)

    assert count(app, method="OTHER") == 2


def test_the_histogram_has_a_bucket_at_exactly_one_second(app):
    """The share above 1 s is read off it without interpolation."""
    app.test_client().get("/api")
    bounds = [labels["le"] for labels, _ in samples(app, "http_request_duration_seconds_bucket")]

    assert bounds == [
        "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "+Inf"
    ]  # fmt: skip


@pytest.mark.parametrize(("seconds", "below"), [(0.999, 1), (1.0, 1), (1.001, 0)])
def test_a_request_is_on_its_side_of_the_second(app, seconds, below):
    """Exactly one second is not above it."""
    Instance.of(app).metrics.answers.count("GET", "/api", status=200, seconds=seconds)
    found = samples(app, "http_request_duration_seconds_bucket")

    assert [value for labels, value in found if labels["le"] == "1.0"] == [below]


def test_what_is_in_flight_is_seen_while_it_is(make_app, eventually):
    """One request in flight, and after a second it counts as slow."""
    routes, go_on = Blueprint("slow", __name__), threading.Event()

    @routes.get("/slow")
    def slow():
        go_on.wait()
        return {}

    app = make_app(routes)
    request = threading.Thread(target=lambda: app.test_client().get("/api/v1/slow"))
    request.start()
    eventually(lambda: Instance.of(app).metrics.in_flight() == (1, 0))
    eventually(lambda: Instance.of(app).metrics.in_flight() == (1, 1))
    during = samples(app, "http_requests_in_flight_slow")
    go_on.set()
    request.join()

    assert during == [(IDENTITY, 1.0)]
    assert samples(app, "http_requests_in_flight") == [(IDENTITY, 0.0)]


def test_every_sample_says_who(app):
    """Service, version and slot on each line."""
    app.test_client().get("/api")
    text = Instance.of(app).metrics.exposition().decode()
    families = text_string_to_metric_families(text)

    assert all(
        sample.labels.items() >= IDENTITY.items()
        for family in families
        for sample in family.samples
    )


def test_two_apps_of_one_process_do_not_share_counts(make_app):
    """Tests make many; a registry belongs to one."""
    one, other = make_app(), make_app()
    one.test_client().get("/api")

    assert (count(one), count(other)) == (1, 0)


def test_memory_is_a_share_of_the_limit():
    """Half the limit, twice the share."""
    small = Usage(memory_limit_mb=100, cpu_limit=1).memory_share()
    large = Usage(memory_limit_mb=200, cpu_limit=1).memory_share()

    assert 0.1 < small < 20
    assert small == pytest.approx(2 * large, rel=0.05)


def test_cpu_is_a_share_of_the_limit(eventually):
    """A busy loop uses about a core: all of one, a tenth of ten."""
    usage, tenfold = (Usage(memory_limit_mb=1, cpu_limit=limit) for limit in (1.0, 10.0))

    def busy_share():
        sum(range(100_000))
        return usage.cpu_share()

    share = eventually(busy_share)

    assert 0.02 < share < 3
    assert 0 < tenfold.cpu_share() < share


def test_processes_that_have_ended_use_nothing():
    """The master may go before the last scrape."""
    import subprocess
    import sys

    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    usage = Usage(memory_limit_mb=100, cpu_limit=1)
    alone = usage.memory_share()
    usage.add_process(child.pid)
    together = usage.memory_share()
    child.communicate(b"\n")

    assert together > alone
    assert usage.memory_share() < together
    assert usage.cpu_share() >= 0
