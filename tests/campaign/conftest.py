from __future__ import annotations

from collections.abc import Iterator

import pytest
from campaign.passages import clients
from campaign.policy import SHORT, policy

from deployer.commands.context import Context
from deployer.commands.demo.story import Customer
from deployer.commands.demo.traffic import Traffic


@pytest.fixture
def short(stack: Context) -> Iterator[Context]:
    """The stack under a canary of two short steps."""
    with policy(stack, **SHORT) as context:
        yield context


@pytest.fixture
def busy(customer: Customer) -> Iterator[Traffic]:
    """Enough traffic for verdicts, and little enough that a machine of two cores has time left."""
    with clients(customer, per_second=120.0, count=16) as traffic:
        yield traffic
