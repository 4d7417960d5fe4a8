"""A schema changes under load in a cluster: expand, roll back, contract and revert, and no request is lost."""

from __future__ import annotations

import pytest
from campaign.schema_story import customers, tell, verify

from deployer.commands.context import Context
from deployer.commands.demo.story import Customer

pytestmark = [pytest.mark.cluster, pytest.mark.campaign]


def test_a_column_is_split_and_the_old_one_goes_under_load(short: Context, customer: Customer):
    """Each step by the real program, on releases as they were."""
    with customers(short, customer) as traffic:
        told = tell(short, traffic)

    verify(told)
