"""Zero lost requests, and the proof that the check would see one.

64 clients with keep-alive connections call product without a pause while a release takes all its
traffic and the old one is stopped at once. With barrier and drain nothing is lost; without them
some tries lose hundreds, and others none: the router may happen to have read its route in time.
"""

from __future__ import annotations

import pytest
from campaign.passages import switch
from e2e.shop import NEW, OLD, PRODUCT

from deployer.commands.context import Context
from deployer.commands.demo.story import Call, Customer
from deployer.commands.demo.traffic import Answer, Traffic
from deployer.commands.release import Wanted, build_release
from deployer.model import Release
from deployer.targets.local import LocalTarget, Safeguards

pytestmark = pytest.mark.e2e

CLIENTS = 64
TRIES = 5
# More than the machine can do: every client sends its next request as soon as it has its answer.
WITHOUT_PAUSE = 5000.0
BROWSE = Call(PRODUCT, "GET", "/product/api/v1/products?limit=5")


@pytest.fixture(scope="module")
def releases(stack: Context) -> tuple[Release, Release]:
    old, new = (build_release(stack, Wanted(PRODUCT, version)) for version in (OLD, NEW))
    stack.target.migrate(new, phase="expand")
    return old, new


def lost_in(
    context: Context, customer: Customer, target: LocalTarget, release: Release
) -> list[Answer]:
    """Switch under load and return the answers that were none."""
    traffic = Traffic(customer, [BROWSE], per_second=WITHOUT_PAUSE, clients=CLIENTS)
    traffic.start()
    try:
        switch(context, target, release)
    finally:
        traffic.stop()
    assert len(traffic.answers) > CLIENTS
    return [answer for answer in traffic.answers if not answer.ok]


def unguarded(context: Context) -> LocalTarget:
    """The same target with its safeguards off."""
    return LocalTarget(
        context.state,
        context.environment,
        builds=context.target.builds,
        internal=lambda service: context.workspace.declaration(service).internal,
        safeguards=Safeguards(barrier=False, drain=False),
    )


def test_a_switch_under_load_loses_no_request(
    stack: Context, customer: Customer, releases: tuple[Release, Release]
):
    """There and back, with the old slot stopped right after each switch."""
    old, new = releases

    assert lost_in(stack, customer, stack.target, new) == []
    assert lost_in(stack, customer, stack.target, old) == []


def test_without_barrier_and_drain_switches_lose_requests(
    stack: Context, customer: Customer, releases: tuple[Release, Release]
):
    """The negative control: the same switch and the same count, in five tries together."""
    target = unguarded(stack)
    tries = [releases[(number + 1) % 2] for number in range(TRIES)]
    lost = [len(lost_in(stack, customer, target, release)) for release in tries]
    # Leave the stack as the others want it: the old release live, its route confirmed.
    if stack.target.records.read(PRODUCT).live is not None:
        switch(stack, stack.target, releases[0])

    assert sum(lost) > 0, lost
