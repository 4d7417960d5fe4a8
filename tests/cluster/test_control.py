"""The negative control of the passages: without barrier and preStop the same load loses requests."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from campaign.passages import BROWSE, wait_for
from e2e.shop import NEW, PRODUCT

from deployer.commands.context import Context
from deployer.commands.demo.story import Customer
from deployer.commands.demo.traffic import Traffic
from deployer.commands.orders import leased
from deployer.commands.release import Wanted, build_release
from deployer.model import Release
from deployer.targets.kubernetes import KubernetesTarget
from deployer.targets.protocol import Safeguards

pytestmark = pytest.mark.cluster

TRIES = 5
PODS = 3
CLIENTS = 64
# More than the machine can do: every client sends its next request as soon as it has its answer.
WITHOUT_PAUSE = 5000.0
AFTERWARDS = 1500  # requests more: the last pod takes some seconds to end


def test_pods_that_end_without_settling_lose_requests(
    stack: Context, customer: Customer, full: bool, record: Callable[..., None]
):
    """A slot shrinks to one pod under load: with the safeguards nothing is lost, without them something is."""
    release = build_release(stack, Wanted(PRODUCT, NEW))
    stack.target.migrate(release, phase="expand")
    bare = unguarded(stack)
    guarded = [lost_in(stack, customer, stack.target, release) for _ in range(TRIES if full else 1)]
    lost: list[int] = []
    while len(lost) < TRIES and (full or not any(lost)):
        lost.append(lost_in(stack, customer, bare, release))
    record("cluster-control", lost_with_safeguards=guarded, lost_without=lost)

    assert guarded == [0] * len(guarded)
    assert any(lost), lost


def unguarded(context: Context) -> KubernetesTarget:
    """The same target with its safeguards off."""
    return KubernetesTarget(
        context.cluster,
        context.environment,
        services=context.workspace.services,
        charts=context.workspace.root / "charts",
        hidden=lambda service: context.workspace.declaration(service).internal,
        safeguards=Safeguards(barrier=False, drain=False),
    )


def lost_in(context: Context, customer: Customer, target: object, release: Release) -> int:
    """Have the idle slot take all traffic with some pods, end all but one of them, and count the lost."""
    live = context.target.situation(PRODUCT).live
    slot = live.other
    with leased(context, PRODUCT) as lease:

        def scale(instances: int) -> None:
            target.scale(slot, release, instances, fence=lease.fence, interrupted=lambda: False)

        try:
            scale(PODS)
            context.target.shift(PRODUCT, slot, 100, fence=lease.fence)
            traffic = Traffic(customer, [BROWSE], per_second=WITHOUT_PAUSE, clients=CLIENTS)
            traffic.start()
            try:
                scale(1)
                seen = len(traffic.answers)
                wait_for(lambda: len(traffic.answers) > seen + AFTERWARDS, seconds=60)
            finally:
                traffic.stop()
        finally:
            context.target.shift(PRODUCT, live, 100, fence=lease.fence)
            context.target.retire(PRODUCT, slot, fence=lease.fence)
    assert len(traffic.answers) > CLIENTS
    return sum(not answer.ok for answer in traffic.answers)
