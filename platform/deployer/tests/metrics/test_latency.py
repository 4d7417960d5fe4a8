"""Histograms: sums and differences of buckets that may begin again, and the router's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from deployer.metrics.latency import NO_LATENCY, Latency
from deployer.metrics.router import latency_of

BOUNDS = (0.5, 1.0, 2.0)
latencies = st.builds(Latency, st.just(BOUNDS), st.tuples(*[st.integers(0, 10**6)] * 4))


def page_of(buckets: dict[str, int], *, code: str = "200", name: str = "product-blue") -> str:
    """Write cumulative buckets as Traefik does."""
    metric = "traefik_service_request_duration_seconds_bucket"
    labels = f'code="{code}",method="GET",service="{name}@file"'
    return "".join(f'{metric}{{{labels},le="{le}"}} {count}\n' for le, count in buckets.items())


@given(latencies, latencies)
def test_the_difference_gives_back_what_was_added(before: Latency, more: Latency) -> None:
    """Totals that only rise lose nothing."""
    assert (before + more).since(before) == more


@given(latencies, latencies)
def test_a_difference_is_never_negative(before: Latency, after: Latency) -> None:
    """Whatever the router did in between."""
    assert min(after.since(before).counts) >= 0


def test_a_bucket_that_fell_is_a_restart() -> None:
    """All that the new router has counted came after."""
    after = Latency(BOUNDS, (9, 1, 0, 0))

    assert after.since(Latency(BOUNDS, (5, 2, 0, 0))) == after


def test_other_buckets_begin_anew() -> None:
    """A router that was set up again measures something else."""
    old, new = Latency((1.0,), (5, 5)), Latency(BOUNDS, (1, 2, 3, 4))

    assert (new.since(old), old + new) == (new, new)


@given(latencies)
def test_nothing_adds_nothing(latency: Latency) -> None:
    """On either side."""
    assert latency + NO_LATENCY == NO_LATENCY + latency == latency


def test_the_routers_buckets_are_told_apart() -> None:
    """On the page each holds those before it as well; codes and methods are summed."""
    page = page_of({"0.5": 5, "1": 7, "2": 7, "+Inf": 8})
    page += page_of({"0.5": 0, "1": 1, "2": 1, "+Inf": 1}, code="500")
    page += page_of({"0.5": 99, "1": 99, "2": 99, "+Inf": 99}, name="product-green")

    assert latency_of(page, "product-blue") == Latency(BOUNDS, (5, 3, 0, 1))


def test_a_page_that_was_torn_has_no_negative_bucket() -> None:
    """Its lines are not written in one moment."""
    assert latency_of(page_of({"1": 7, "2": 6}), "product-blue") == Latency((1.0, 2.0), (7, 0, 0))


def test_a_page_without_the_service_has_no_histogram() -> None:
    """Nothing was measured."""
    assert latency_of("", "product-blue") == NO_LATENCY
