"""Two real releases of product side by side: on one database, each with its own answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from e2e.shop import NEW, OLD, PRODUCT, Shop

from deployer.commands.context import Context
from deployer.commands.orders import leased
from deployer.commands.release import Wanted, build_release
from deployer.ledger import Lease
from deployer.model import Slot
from deployer.releases import Version

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def beside(stack: Context) -> Iterator[Lease]:
    """The new release in the idle slot, no traffic yet; gone again afterwards."""
    release = build_release(stack, Wanted(PRODUCT, NEW))
    with leased(stack, PRODUCT) as lease:
        stack.target.migrate(release, phase="expand")
        stack.target.scale(Slot.GREEN, release, 1, fence=lease.fence, interrupted=lambda: False)
        yield lease
        stack.target.shift(PRODUCT, Slot.GREEN, 0, fence=lease.fence)
        stack.target.retire(PRODUCT, Slot.GREEN, fence=lease.fence)


@pytest.mark.parametrize("weight", [10, 25, 50, 100])
def test_the_shares_are_within_three_points_of_the_weight(
    stack: Context, beside: Lease, shop: Shop, weight: int
):
    """Counted by X-Served-By over 400 requests."""
    stack.target.shift(PRODUCT, Slot.GREEN, weight, fence=beside.fence)
    counts = shop.served_by(400)

    assert counts.total() == 400
    assert abs(counts[str(NEW)] / 4 - weight) <= 3


@pytest.mark.parametrize(("writer", "weight"), [(OLD, 0), (NEW, 100)])
def test_both_releases_read_what_either_wrote_and_only_the_new_one_has_the_new_fields(
    stack: Context, beside: Lease, shop: Shop, writer: Version, weight: int
):
    """One database under both: the old code does not know the new columns, and does not mind them."""
    stack.target.shift(PRODUCT, Slot.GREEN, weight, fence=beside.fence)
    product = shop.stock(5)
    stack.target.shift(PRODUCT, Slot.GREEN, 0, fence=beside.fence)
    _, by_old = shop.call("GET", f"/product/api/v1/products/{product}")
    stack.target.shift(PRODUCT, Slot.GREEN, 100, fence=beside.fence)
    _, by_new = shop.call("GET", f"/product/api/v1/products/{product}")

    assert by_old.keys().isdisjoint({"description", "category"})
    assert by_new == {**by_old, "description": "", "category": None}
