"""What the end-to-end tests do again and again: stock a product, order it, count who served."""

from __future__ import annotations

import json
import re
import secrets
from collections import Counter
from dataclasses import dataclass

import urllib3

from deployer.commands.demo.story import Customer
from deployer.commands.release import Wanted
from deployer.model import ServiceName
from deployer.releases import Version

PRODUCT, USER = ServiceName("product"), ServiceName("user")
OLD, NEW = Version(1, 0, 0), Version(1, 3, 0)
# What the stack comes up with: what was released later is rolled out by the tests.
FIRST = {service: Wanted(service, OLD) for service in (PRODUCT, USER)}
SERVED_BY = re.compile(r"product@(\S+) \((blue|green)\)")


@dataclass(frozen=True, slots=True)
class Shop:
    """The shop as one customer reaches it. Safe to share among threads."""

    customer: Customer
    http: urllib3.PoolManager

    def call(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        internal: bool = False,
        key: str | None = None,
    ) -> tuple[int, dict]:
        base = self.customer.internal_url if internal else self.customer.public_url
        headers = {"Authorization": f"Bearer {self.customer.known['token']}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        answer = self.http.request(
            method,
            base + path,
            body=json.dumps(body) if body is not None else None,
            headers={**headers, "Content-Type": "application/json"},
        )
        return answer.status, json.loads(answer.data) if answer.data.startswith(b"{") else {}

    def stock(self, number: int) -> int:
        """Put a new product with so much stock on the shelf, and return its id."""
        sku = f"thing-{secrets.token_hex(4)}"
        product = {"sku": sku, "name": "Thing", "price": "1.50", "stock": number}
        status, answer = self.call("POST", "/product/api/v1/inventory", body=product, internal=True)
        assert status == 201
        return int(answer["id"])

    def left(self, product: int) -> int:
        status, answer = self.call("GET", f"/product/api/v1/products/{product}")
        assert status == 200
        return int(answer["stock"])

    def order(self, product: int, *, key: str | None = None) -> tuple[int, dict]:
        items = {"items": [{"product_id": product, "quantity": 1}]}
        return self.call(
            "POST", "/order/api/v1/orders", body=items, key=key or secrets.token_hex(8)
        )

    def served_by(self, requests: int) -> Counter[str]:
        """Ask product so many times and count the versions that answered."""
        counts: Counter[str] = Counter()
        for _ in range(requests):
            url = f"{self.customer.public_url}/product/api/v1/products?limit=1"
            answer = self.http.request("GET", url)
            found = SERVED_BY.fullmatch(answer.headers["X-Served-By"])
            assert found is not None
            counts[found[1]] += 1
        return counts
