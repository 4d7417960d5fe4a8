"""The shop under pressure: nothing is sold twice, and nothing is ordered twice."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from e2e.shop import Shop

pytestmark = pytest.mark.e2e


def test_two_hundred_orders_for_the_last_fifty_sell_fifty(shop: Shop):
    """All at once, through the router: 50 are placed, 150 are told it is sold out, none is lost."""
    product = shop.stock(50)
    with ThreadPoolExecutor(max_workers=200) as pool:
        statuses = list(pool.map(lambda _: shop.order(product)[0], range(200)))

    assert Counter(statuses) == {201: 50, 409: 150}
    assert shop.left(product) == 0


def test_one_idempotency_key_sent_twenty_times_at_once_is_one_order(shop: Shop):
    """Every sender gets that order; one item is gone."""
    product = shop.stock(100)
    with ThreadPoolExecutor(max_workers=20) as pool:
        answers = list(pool.map(lambda _: shop.order(product, key="the-same-key"), range(20)))

    assert {answer["id"] for _, answer in answers} == {answers[0][1]["id"]}
    assert Counter(status for status, _ in answers) == {201: 1, 200: 19}
    assert shop.left(product) == 99


def test_the_public_listener_refuses_what_is_for_services_only(shop: Shop):
    """Stock and reservations can't be reached from outside."""
    assert shop.call("POST", "/product/api/v1/inventory", body={})[0] == 404
    assert shop.call("POST", "/product/api/v1/inventory", body={}, internal=True)[0] == 422
