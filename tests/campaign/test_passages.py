"""Traffic moves under 64 keep-alive clients at 200 requests a second, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from campaign.passages import (
    COLD_SECONDS,
    INSTANCES,
    LAST_SECONDS,
    clients,
    fill_live,
    promote,
    take_back,
    take_back_by_program,
    under_load,
)
from campaign.policy import SHORT, policy
from e2e.shop import NEW

from deployer.commands.context import Context
from deployer.commands.demo.story import Customer
from deployer.engine import Strategy

pytestmark = pytest.mark.campaign

TIMES = 20
COLD_TIMES = 5  # of which no worst of twenty is promised
ENOUGH_PER_SECOND = 200.0


@pytest.mark.parametrize("strategy", Strategy)
def test_promotions_and_rollbacks_lose_no_request(
    stack: Context, customer: Customer, full: bool, record: Callable[..., None], strategy: Strategy
):
    """By every strategy, there and back; the control is in e2e/test_switch.py."""
    instances = INSTANCES.get(strategy, 1)
    there, back = [], []
    with policy(stack, **SHORT, strategy=strategy, instances=instances) as context:
        fill_live(context, instances)
        with clients(customer) as traffic:
            for _ in range(TIMES if full else 1):
                there.append(under_load(traffic, lambda: promote(context)))
                back.append(under_load(traffic, lambda: take_back(context)))
    gone = [passage.last_served_by(str(NEW)) for passage in back]
    record(
        f"passages-{strategy}",
        instances=instances,
        promotions=[passage.row() for passage in there],
        rollbacks=[passage.row() for passage in back],
        worst_rollback_seconds=round(max(gone), 3),
    )

    assert [passage.failed for passage in (*there, *back)] == [0] * (len(there) + len(back))
    assert min(passage.per_second for passage in there) >= ENOUGH_PER_SECOND
    assert max(gone) <= LAST_SECONDS[strategy]


@pytest.mark.parametrize(
    ("standby_seconds", "limit"),
    [(1800, LAST_SECONDS[Strategy.CANARY]), (0, COLD_SECONDS)],
    ids=["warm", "cold"],
)
def test_the_bad_version_serves_no_more_soon_after_the_decision(
    stack: Context,
    customer: Customer,
    full: bool,
    record: Callable[..., None],
    standby_seconds: int,
    limit: float,
):
    """Warm or cold, by the program, whose own start counts, as the clients see it."""
    gone, times = [], TIMES if standby_seconds else COLD_TIMES
    with (
        policy(stack, **SHORT, standby_seconds=standby_seconds) as context,
        clients(customer, per_second=120.0, count=16) as traffic,
    ):
        for _ in range(times if full else 1):
            promote(context)
            passage = under_load(traffic, lambda: take_back_by_program(context))
            assert passage.failed == 0
            gone.append(passage.last_served_by(str(NEW)))
    record(
        f"rollback-{'warm' if standby_seconds else 'cold'}",
        seconds=[round(each, 3) for each in gone],
        worst_seconds=round(max(gone), 3),
    )

    assert max(gone) <= limit
