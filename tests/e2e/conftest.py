from __future__ import annotations

from collections.abc import Iterator

import pytest
import urllib3
from e2e.shop import Shop

from deployer.commands.demo.story import Customer


@pytest.fixture(scope="session")
def shop(customer: Customer) -> Iterator[Shop]:
    with urllib3.PoolManager(retries=False, timeout=30.0, maxsize=64) as http:
        yield Shop(customer, http)
