"""Rollouts of different services in a cluster do not wait for each other."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from campaign.beside import everybody_asking, next_releases, restored, seconds_of
from campaign.policy import policy

from deployer.commands.context import Context
from deployer.commands.demo.story import Customer

pytestmark = pytest.mark.cluster

HOLD_SECONDS = 10
PER_SECOND = 25.0  # a service: beside them two cores carry the cluster itself
RATIO = 1.3


def test_four_rollouts_at_once_take_hardly_longer_than_the_slowest_alone(
    stack: Context, customer: Customer, record: Callable[..., None]
):
    """Everything is built before; each of 10, 25, 50 and 100 % is held for ten seconds or more."""
    holds = {
        "hold_seconds": HOLD_SECONDS,
        "monitor_seconds": HOLD_SECONDS,
        "standby_seconds": 0,
    }
    with (
        policy(stack, **holds) as context,
        restored(context),
        everybody_asking(context, customer, per_second=PER_SECOND),
    ):
        alone = {each.service: seconds_of(context, [each]) for each in next_releases(context)}
        together = seconds_of(context, next_releases(context))
    ratio = together / max(alone.values())
    record(
        "cluster-beside",
        alone_seconds={service: round(seconds, 1) for service, seconds in alone.items()},
        together_seconds=round(together, 1),
        ratio=round(ratio, 3),
    )

    assert len(alone) == 4
    assert ratio <= RATIO, (alone, together)
