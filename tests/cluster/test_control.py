"""The negative control of the passages: where an instance ends without a drain, the same load loses requests.

Leaving out preStop, and then the drain as well, is no control here: a slot that shrank from three pods to
one under 64 clients lost nothing in 20 tries. On one node the Gateway hears of a pod's end before the kubelet
has stopped it.
"""

from __future__ import annotations

import pytest
from campaign.passages import clients, under_load
from e2e.shop import PRODUCT
from testbed import Cluster

from deployer.commands.context import Context
from deployer.commands.demo.story import Customer

pytestmark = pytest.mark.cluster

TRIES = 5


def test_a_pod_whose_process_is_killed_loses_requests(
    stack: Context, customer: Customer, cluster: Cluster
):
    """What 32 clients lose is seen, by the same count that finds nothing in the passages."""
    slot = stack.target.situation(PRODUCT).live
    pod = ("-n", f"{PRODUCT}-dev", f"deployment/{PRODUCT}-{slot}")
    with clients(customer, per_second=1000.0, count=32) as traffic:
        passages = [
            under_load(
                traffic, lambda: cluster.kubectl("exec", *pod, "--", "sh", "-c", "kill -9 -1 || :")
            )
            for _ in range(TRIES)
        ]

    assert sum(passage.failed for passage in passages) > 0
