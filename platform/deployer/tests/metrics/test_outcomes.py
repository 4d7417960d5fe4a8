"""Business outcomes: the pairs on the instances' pages, and totals that never fall and never guess."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from deployer.metrics import Instance, Outcome
from deployer.metrics.outcomes import OutcomeTotals, outcomes_of
from platform_kit.metrics import Outcomes

A, B = Instance("http://a", since=1.0), Instance("http://b", since=2.0)


def orders(attempts: int, successes: int) -> tuple[Outcome, ...]:
    return (Outcome("orders", attempts, successes),)


def page_of(which: str, name: str, value: object) -> str:
    return f'business_{which}_total{{name="{name}",service="order",slot="blue"}} {value}\n'


def test_the_kits_own_page_is_read() -> None:
    """What the services write is what the deployer reads."""
    registry = CollectorRegistry()
    pairs = Outcomes({"service": "order", "version": "1.0.0", "slot": "blue"})
    registry.register(pairs)
    for name, succeeded in (("orders", True), ("orders", False), ("refunds", True)):
        pairs.count(name, succeeded=succeeded)

    assert outcomes_of(generate_latest(registry).decode()) == (
        Outcome("orders", 2, 1),
        Outcome("refunds", 1, 1),
    )


def test_large_numbers_come_in_scientific_notation() -> None:
    """As other libraries write them."""
    page = page_of("attempts", "orders", "1.5e+06") + page_of("successes", "orders", 3.0)

    assert outcomes_of(page) == orders(1_500_000, 3)


@pytest.mark.parametrize(
    "page",
    [
        "",
        page_of("attempts", "orders", 5),
        page_of("successes", "orders", 5),
        'business_attempts_total{surname="orders"} 5\nbusiness_successes_total{surname="orders"} 5',
        'business_attempts_total{service="order"} 5\nbusiness_successes_total{service="order"} 5',
    ],
    ids=["nothing", "no successes", "no attempts", "another label", "no name"],
)
def test_half_a_pair_is_not_seen(page: str) -> None:
    """It is not a pair of which none succeeded."""
    assert outcomes_of(page) == ()


def test_what_was_there_at_the_first_look_is_somebody_elses() -> None:
    """Counting begins there, also for one that does not answer at first."""
    totals = OutcomeTotals()
    first = totals.after([A, B], [orders(100, 90), None])
    second = totals.after([A, B], [orders(110, 95), orders(500, 400)])
    third = totals.after([A, B], [orders(110, 95), orders(503, 401)])

    assert (first, second, third) == (orders(0, 0), orders(10, 5), orders(13, 6))


def test_an_instance_that_joins_counts_from_its_beginning() -> None:
    """It was not there before, so nothing of it is old."""
    totals = OutcomeTotals()
    totals.after([A], [orders(100, 90)])

    assert totals.after([A, B], [orders(100, 90), orders(7, 6)]) == orders(7, 6)


def test_an_instance_that_restarted_counts_from_zero() -> None:
    """Its counters fell: all that they hold came after."""
    totals = OutcomeTotals()
    for page in (orders(100, 90), orders(110, 100)):
        totals.after([A], [page])

    assert totals.after([A], [orders(3, 2)]) == orders(13, 12)


def test_an_instance_that_is_gone_leaves_what_it_told() -> None:
    """What it counted after that is lost, and not guessed."""
    totals = OutcomeTotals()
    totals.after([A], [orders(100, 90)])
    totals.after([A], [orders(110, 100)])

    assert totals.after([B], [None]) == totals.after([], []) == orders(10, 10)


def test_a_pair_that_nobody_exports_is_not_there() -> None:
    """An older release in the slot has pages without it."""
    totals = OutcomeTotals()
    totals.after([A], [()])

    assert totals.after([A], [()]) == ()


def test_a_pair_that_appears_counts_from_zero() -> None:
    """It comes with the first attempt; the page before said that there had been none."""
    totals = OutcomeTotals()
    totals.after([A], [()])

    assert totals.after([A], [orders(1, 1)]) == orders(1, 1)


pages = st.none() | st.builds(orders, st.integers(0, 50), st.integers(0, 50))


@given(st.lists(st.tuples(pages, pages, st.booleans()), max_size=12))
def test_totals_never_fall(looks: list[tuple[object, object, bool]]) -> None:
    """Whatever the instances tell, restart, hang or vanish."""
    totals, before = OutcomeTotals(), Outcome("orders")
    for a, b, both in looks:
        told = totals.after([A, B], [a, b]) if both else totals.after([A], [a])
        now = told[0] if told else Outcome("orders")
        assert now.attempts >= before.attempts
        assert now.successes >= before.successes
        before = now
