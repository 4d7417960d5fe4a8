"""The negative controls of the passages: without barrier and drain the same load loses requests.

The router hears of changes two seconds late, as Traefik does unless it is set. As the other tests have it,
it hears of a pod's end before the kubelet has stopped it: a slot that shrank from three pods to one under
64 clients, with neither preStop nor drain, lost nothing in 20 tries.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from campaign.passages import Passage, clients, switch, under_load
from e2e.shop import NEW, OLD, PRODUCT
from late_router import late_router
from testbed import Cluster
from testbed.folders import Folders

from deployer.commands.context import Context
from deployer.commands.demo.story import Customer
from deployer.commands.release import Wanted, build_release
from deployer.targets.kubernetes import KubernetesTarget
from deployer.targets.protocol import Place, Safeguards

pytestmark = pytest.mark.cluster

TRIES = 5


@pytest.fixture
def late(stack: Context, cluster: Cluster) -> Iterator[None]:
    """A router that hears late, where it is ours to start anew."""
    if cluster.kubeconfig != Folders.of_tests().kubeconfig:
        pytest.skip("the router of a cluster that is given is not started anew")
    with late_router():
        yield


def test_without_barrier_and_drain_a_switch_loses_requests(
    stack: Context, customer: Customer, late: None
):
    """Traffic is moved and the old pods are ended, and nobody sees whether the router has heard."""
    passages = there_and_back(stack, customer, unguarded(stack))

    assert sum(passage.failed for passage in passages) > 0


def test_with_barrier_and_drain_the_same_switch_loses_none(
    stack: Context, customer: Customer, late: None
):
    """With the same late router, and back."""
    passages = there_and_back(stack, customer, stack.target)

    assert [passage.failed for passage in passages] == [0, 0]


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


def there_and_back(context: Context, customer: Customer, target: Place) -> list[Passage]:
    """Switch to the new release and to the old one again, under load."""
    old, new = (build_release(context, Wanted(PRODUCT, version)) for version in (OLD, NEW))
    context.target.migrate(new, phase="expand")
    switches = [partial(switch, context, target, release) for release in (new, old)]
    with clients(customer) as traffic:
        return [under_load(traffic, each) for each in switches]


def unguarded(context: Context) -> KubernetesTarget:
    """The same target with its safeguards off."""
    environment = context.environment
    return KubernetesTarget(
        context.cluster,
        environment,
        services=context.workspace.services,
        charts=context.workspace.root / "charts",
        hidden=lambda service: context.workspace.declaration(service).internal,
        safeguards=Safeguards(barrier=False, drain=False),
    )
