"""Dependencies on /metrics: read back with Prometheus's own parser."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from platform_kit import Database
from platform_kit.breaker import FAILURES_IN_A_ROW
from platform_kit.bulkhead import Bulkhead
from platform_kit.dependency import Dependency, Outcome
from platform_kit.instance import Instance

IDENTITY = {"service": "product", "version": "1.1.0", "slot": "green"}


@pytest.fixture
def auth():
    return Dependency("auth", bulkhead=Bulkhead(6))


@pytest.fixture
def read(make_app, auth):
    """Read a metric's samples, without the labels that all have."""
    app = make_app(dependencies=(auth,))

    def read(name):
        text = Instance.of(app).metrics.exposition().decode()
        return [
            (
                {key: value for key, value in sample.labels.items() if key not in IDENTITY},
                sample.value,
            )
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and sample.labels.items() >= IDENTITY.items()
        ]

    return read


def test_every_outcome_is_there_from_the_start(read):
    """As zero: an alert on a counter that appears late misses its first step."""
    assert read("dependency_calls_total") == [
        ({"dependency": "auth", "outcome": outcome}, 0.0) for outcome in Outcome
    ]


def test_calls_are_counted_by_their_outcome(read, auth):
    """Those that were made and those that were not."""
    for _ in range(FAILURES_IN_A_ROW):
        with auth.call() as call:
            call.outcome = Outcome.TIMED_OUT
    counts = {labels["outcome"]: count for labels, count in read("dependency_calls_total")}

    assert (counts["timed_out"], counts["answered"]) == (FAILURES_IN_A_ROW, 0)
    assert read("dependency_circuit_state") == [({"dependency": "auth"}, 2.0)]
    assert read("dependency_circuit_opened_total") == [({"dependency": "auth"}, 1.0)]


def test_calls_in_flight_are_shown_beside_their_limit(read, auth):
    """How near the bulkhead is to being full."""
    with auth.call():
        in_flight = read("dependency_calls_in_flight")

    assert in_flight == [({"dependency": "auth"}, 1.0)]
    assert read("dependency_calls_in_flight_limit") == [({"dependency": "auth"}, 6.0)]


def test_retries_are_shown_made_and_refused(read, auth):
    """The second says that the budget is too small for the fault."""
    while auth.budget.take():
        pass

    assert read("dependency_retries_total") == [({"dependency": "auth"}, 20.0)]
    assert read("dependency_retries_refused_total") == [({"dependency": "auth"}, 1.0)]


def test_a_services_database_is_one_of_them(make_app):
    """Without being named twice."""
    database = Database("postgresql://u@127.0.0.1:1/x")
    page = Instance.of(make_app(database=database)).metrics.exposition().decode()

    assert 'dependency_circuit_state{dependency="database"' in page


def test_an_app_without_dependencies_shows_none(make_app):
    """Not even a zero."""
    assert b"dependency=" not in Instance.of(make_app()).metrics.exposition()
