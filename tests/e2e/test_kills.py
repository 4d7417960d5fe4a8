"""Anything may be killed at any time: what comes next ends in the same place, and no order is lost."""

from __future__ import annotations

from collections.abc import Callable

import psutil
import pytest
from campaign.passages import wait_for
from e2e.shop import PRODUCT, Shop

from deployer.commands.context import Context
from deployer.commands.status import status
from deployer.commands.up import up
from deployer.targets.local import processes

pytestmark = pytest.mark.e2e

DEADLINE_SECONDS = 120.0  # generous: a machine of two cores that does other things beside


def router_of(context: Context) -> psutil.Process:
    ((_, process),) = processes.ours(context.state, prefix="router")
    return process


def master_of(context: Context) -> psutil.Process:
    held = context.target.records.read(PRODUCT)
    assert held.live is not None
    content = held.slot(held.live)
    assert content is not None
    return psutil.Process(content.instances[0].pid)


def database_of(context: Context) -> psutil.Process:
    pid = context.target.postgres.pid()
    assert pid is not None
    return psutil.Process(pid)


@pytest.mark.parametrize("victim", [router_of, master_of, database_of])
def test_up_puts_right_whatever_was_killed_and_no_order_is_lost(
    stack: Context, shop: Shop, victim: Callable[[Context], psutil.Process]
):
    """SIGKILL of the router, of a gunicorn master, of PostgreSQL; then `up`: all four ready."""
    product = shop.stock(1000)
    placed = [shop.order(product) for _ in range(20)]
    assert {status_code for status_code, _ in placed} == {201}
    killed = victim(stack)
    killed.kill()
    wait_for(
        lambda: not killed.is_running() or killed.status() == "zombie", seconds=DEADLINE_SECONDS
    )
    up(stack)

    assert [line.service for line in status(stack) if not line.ready] == []
    for _, order in placed:
        assert shop.call("GET", f"/order/api/v1/orders/{order['id']}")[0] == 200
    assert shop.left(product) == 980
    assert shop.order(product)[0] == 201
