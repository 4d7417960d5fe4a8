"""Traffic moves through the Gateway under keep-alive clients, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from campaign.passages import (
    COLD_SECONDS,
    INSTANCES,
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

pytestmark = pytest.mark.cluster

TIMES = 5
PER_SECOND = 115.0  # more than the 100 that are promised: calls go out late now and then
CLIENTS = 32
ENOUGH_PER_SECOND = 100.0
WARM_SECONDS = 3.0
SLOWER = 5  # than promised, on a machine that others use too


@pytest.mark.parametrize("strategy", Strategy)
def test_promotions_and_rollbacks_lose_no_request(
    stack: Context, customer: Customer, full: bool, record: Callable[..., None], strategy: Strategy
):
    """By every strategy, there and back; the control is in test_control.py."""
    instances = INSTANCES.get(strategy, 1)
    there, back = [], []
    with policy(stack, **SHORT, strategy=strategy, instances=instances) as context:
        fill_live(context, instances)
        with clients(customer, per_second=PER_SECOND, count=CLIENTS) as traffic:
            for _ in range(TIMES if full else 1):
                there.append(under_load(traffic, lambda: promote(context)))
                back.append(under_load(traffic, lambda: take_back(context)))
    record(
        f"cluster-passages-{strategy}",
        instances=instances,
        promotions=[passage.row() for passage in there],
        rollbacks=[passage.row() for passage in back],
        worst_rollback_seconds=round(max(p.last_served_by(str(NEW)) for p in back), 3),
    )

    assert [passage.failed for passage in (*there, *back)] == [0] * (len(there) + len(back))
    assert min(passage.per_second for passage in there) >= ENOUGH_PER_SECOND * (0.5, 1)[full]


@pytest.mark.parametrize(
    ("standby_seconds", "limit"),
    [(1800, WARM_SECONDS), (0, COLD_SECONDS)],
    ids=["warm", "cold"],
)
def test_the_undo_of_a_promotion_is_quick(
    stack: Context,
    customer: Customer,
    full: bool,
    record: Callable[..., None],
    standby_seconds: int,
    limit: float,
):
    """Warm or cold, by the program, whose own start counts, as the clients see it."""
    gone = []
    with (
        policy(stack, **SHORT, standby_seconds=standby_seconds) as context,
        clients(customer, per_second=PER_SECOND, count=16) as traffic,
    ):
        for _ in range(TIMES if full else 1):
            promote(context)
            passage = under_load(traffic, lambda: take_back_by_program(context))
            assert passage.failed == 0
            gone.append(passage.last_served_by(str(NEW)))
    record(
        f"cluster-undo-{'warm' if standby_seconds else 'cold'}",
        seconds=[round(each, 3) for each in gone],
        worst_seconds=round(max(gone), 3),
    )

    assert max(gone) <= limit * (1 if full else SLOWER)
