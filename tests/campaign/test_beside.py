"""Rollouts of different services do not wait for each other."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from campaign.beside import RATIO, figures_of

from deployer.commands.context import Context
from deployer.commands.demo.story import Customer

pytestmark = pytest.mark.campaign


def test_four_rollouts_at_once_take_hardly_longer_than_the_slowest_alone(
    stack: Context, customer: Customer, record: Callable[..., None]
):
    """Under the traffic of everybody's stories."""
    found = figures_of(stack, customer)
    record("beside", **found)

    assert len(found["alone_seconds"]) == 4
    assert found["ratio"] <= RATIO, found
