"""Retries: what may be repeated, with which pauses, and at which cost."""

import pytest

from platform_kit.retries import (
    BUDGET_RESERVE,
    FIRST_PAUSE_SECONDS,
    TRIES,
    RetryBudget,
    may_be_repeated,
    pauses,
)


@pytest.mark.parametrize(
    ("method", "headers", "idempotent", "may"),
    [
        ("GET", {}, False, True),
        ("head", {}, False, True),
        ("OPTIONS", {}, False, True),
        ("PUT", {}, False, False),
        ("DELETE", {}, False, False),
        ("POST", {}, False, False),
        ("PATCH", {}, False, False),
        ("PUT", {}, True, True),
        ("DELETE", {}, True, True),
        ("POST", {"Idempotency-Key": "k"}, False, True),
        ("POST", {"idempotency-key": "k"}, False, True),
        ("POST", {"X-Idempotency": "k"}, False, False),
    ],
)
def test_only_what_cannot_be_done_twice_is_repeated(method, headers, idempotent, may):
    """It reads, or has a key, or its caller has said so."""
    assert may_be_repeated(method, headers, idempotent=idempotent) is may


def test_pauses_are_jitter_and_their_bound_doubles():
    """Nobody retries in step with anybody else."""
    drawn = [list(pauses()) for _ in range(200)]

    assert {len(each) for each in drawn} == {TRIES - 1}
    for number, column in enumerate(zip(*drawn, strict=True)):
        bound = FIRST_PAUSE_SECONDS * 2**number
        assert 0 <= min(column) < bound / 4 < bound / 2 < max(column) <= bound


def test_retries_are_a_tenth_of_the_calls_beyond_the_reserve():
    """Everything fails, each call would be tried twice more."""
    budget = RetryBudget()
    for _ in range(1000):
        budget.pay_in()
        while budget.take():
            pass

    assert (
        budget.spent == BUDGET_RESERVE + 1000 // 10 - 1
    )  # what the first calls paid in was above the reserve
    assert budget.refused == 1000


def test_what_is_saved_never_exceeds_the_reserve():
    """A day without a fault does not pay for a storm of retries."""
    budget = RetryBudget()
    for _ in range(100_000):
        budget.pay_in()
    taken = sum(budget.take() for _ in range(1000))

    assert taken == BUDGET_RESERVE


def test_a_budget_that_is_used_up_recovers_with_calls():
    """One retry after ten calls, not before."""
    budget = RetryBudget()
    while budget.take():
        pass
    for _ in range(9):
        budget.pay_in()
    early = budget.take()
    budget.pay_in()

    assert (early, budget.take()) == (False, True)
