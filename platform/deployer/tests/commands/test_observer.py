"""What the observer reads of a real stack: real Traefik, real instances, real requests."""

from __future__ import annotations

from uuid import uuid4

import pytest
import urllib3
from shopfront import PRODUCT, Shop, until

from deployer.metrics import Outcome, Reading

pytestmark = pytest.mark.integration

# As any client does that is told so: a stack that has just come up on a busy machine may ask to be asked again.
AGAIN = urllib3.Retry(total=5, status_forcelist=[503], allowed_methods=None)


def put(
    shop: Shop, path: str, body: dict[str, object], *, method: str = "PUT"
) -> urllib3.BaseHTTPResponse:
    url = f"{shop.context.target.router.internal_url}/product/api/v1/{path}"
    answer = urllib3.request(method, url, json=body, retries=AGAIN)
    assert answer.status in {200, 201, 409}, answer.data
    return answer


def test_reservations_and_their_latency_reach_the_deployer(shop: Shop) -> None:
    """One that is made, the same again, and one of what is not there: two attempts, one success."""
    slot = shop.context.target.situation(PRODUCT).live
    assert slot is not None
    source = shop.context.target.metrics(PRODUCT, slot)
    source.read()
    tea = put(
        shop,
        "inventory",
        {"sku": uuid4().hex, "name": "Tea", "price": "4.50", "stock": 5},
        method="POST",
    ).json()["id"]
    one, other = uuid4(), uuid4()
    for reservation, quantity in ((one, 1), (one, 1), (other, 100)):
        put(
            shop,
            f"reservations/{reservation}",
            {"items": [{"product_id": tea, "quantity": quantity}]},
        )

    def read() -> Reading | None:
        reading = source.read()  # the router's page is some milliseconds behind
        return reading if reading.candidate.requests >= 4 else None

    until(read, "the four requests on the router's page")
    reading = source.read()
    assert reading.outcomes == (Outcome("reservations", 2, 1),)
    assert sum(reading.latency.counts) >= 4
    assert {0.75, 1.0, 1.25, 1.5, 2.0} <= set(reading.latency.bounds)
