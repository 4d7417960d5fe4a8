"""The negative controls of the passages: without barrier and drain the same load loses requests.

The router hears of changes two seconds late, as Traefik does unless it is set, and the pods that leave have neither
preStop nor a drain. One of the two alone loses nothing: a pod that drains serves for longer than the router is
late, and a router as the other tests have it hears of a pod's end before the kubelet has stopped it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from campaign.passages import clients, switch, under_load
from e2e.shop import OLD, PRODUCT
from harms import fresh
from late_router import late_router
from testbed import Cluster
from testbed.folders import Folders

from deployer.commands.context import Context
from deployer.commands.demo.story import Customer
from deployer.commands.release import Wanted, build_release
from deployer.model import Release
from deployer.targets.kubernetes import KubernetesTarget
from deployer.targets.protocol import Safeguards

pytestmark = pytest.mark.cluster

TRIES = 5


@pytest.fixture
def late(stack: Context, cluster: Cluster) -> Iterator[None]:
    """A router that hears late, where it is ours to start anew."""
    if cluster.kubeconfig != Folders.of_tests().kubeconfig:
        pytest.skip("the router of a cluster that is given is not started anew")
    with late_router():
        yield


@pytest.fixture
def careless(stack: Context) -> Context:
    """The environment with instances that end at once when they are told to."""
    instance = stack.environment.instance.model_copy(update={"drain_seconds": 0.0})
    return replace(stack, environment=stack.environment.model_copy(update={"instance": instance}))


@pytest.fixture
def hasty(stack: Context) -> Release:
    """A release whose chart has no preStop."""
    path = stack.workspace.root / "charts" / PRODUCT / "values-dev.yaml"
    before = path.read_text()
    path.write_text(f"{before}settleSeconds: 0\nquietSeconds: 0\n")
    try:
        release = build_release(stack, Wanted(PRODUCT))
    finally:
        path.write_text(before)
    stack.target.migrate(release, phase="expand")
    return release


def test_without_barrier_and_drain_a_switch_loses_requests(
    stack: Context, careless: Context, hasty: Release, customer: Customer, late: None
):
    """Traffic is moved and the old pods are ended, and nobody sees whether the router has heard.

    Where the pods take longer to end than the router is late, nothing is lost by chance: then once more.
    """
    for _ in range(TRIES):
        switch(careless, careless.target, hasty)
        with clients(customer) as traffic:
            passage = under_load(traffic, lambda: switch(stack, unguarded(stack), first(stack)))
        if passage.failed:
            break

    assert passage.failed > 0


@pytest.mark.campaign
def test_with_a_barrier_the_same_switch_loses_none(
    stack: Context, careless: Context, hasty: Release, customer: Customer, late: None
):
    """With the same late router and the same pods."""
    switch(careless, careless.target, hasty)
    with clients(customer) as traffic:
        passage = under_load(traffic, lambda: switch(stack, stack.target, first(stack)))

    assert passage.failed == 0


@pytest.mark.campaign
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

    fresh(stack, cluster)
    assert sum(passage.failed for passage in passages) > 0


def first(context: Context) -> Release:
    """The release that every test begins with."""
    return build_release(context, Wanted(PRODUCT, OLD))


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
