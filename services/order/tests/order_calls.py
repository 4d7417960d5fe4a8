"""Records what a release of order answered to calls of v1, from its own code, so that later ones can be held against it.

As a program it takes a release's version from releases.toml: `python services/order/tests/order_calls.py 1.0.0` archives
that commit, migrates a database with its migrations, makes the calls below beside its own tests' stand-ins for auth
and product, and writes recorded/1.0.0.json beside this file.
"""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RECORDED = HERE / "recorded"
# What is another one in every run. Orders are told apart all the same: see `Client`.
CHANGING = (
    (r'("request_id": )"[^"]+"', r'\1"..."'),
    (r'("created_at":)"[^"]+"', r'\1"..."'),
    (r'("cancelled_at":)"[^"]+"', r'\1"..."'),
)
HEADERS = ("WWW-Authenticate", "Retry-After", "Idempotency-Replayed", "Allow")


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a client: `subject` is whose token it has, None for none. `{0}` in a path is the first order's id.

    `fault` is a method of product's that fails meanwhile.
    """

    method: str
    path: str
    subject: str | None = None
    body: str | None = None
    key: str | None = None
    content_type: str = "application/json"
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, without what differs from run to run."""

    status: int
    content_type: str
    headers: dict[str, str]
    body: str


ORDERS = "/api/v1/orders"
NOBODYS = "00000000-0000-4000-8000-000000000000"
TEA, CUP, POT = 1, 2, 3


def wanted(*items: tuple[int, int]) -> str:
    """The body that orders so many of each."""
    return json.dumps({"items": [{"product_id": each, "quantity": many} for each, many in items]})


def place(key: str | None, *items: tuple[int, int], subject: str = "ada", **others: Any) -> Call:
    """A call that orders so many of each."""
    return Call("POST", ORDERS, subject, wanted(*items), key, **others)


BAD_BODIES = (
    "{",
    "",
    "[]",
    "{}",
    '{"items": []}',
    '{"items": null}',
    wanted((TEA, 0)),
    wanted((TEA, 10_001)),
    wanted((0, 1)),
    wanted((2**63, 1)),
    wanted((TEA, 1), (TEA, 2)),
    wanted(*((number, 1) for number in range(1, 22))),
    '{"items": [{"product_id": "1", "quantity": 1.5}]}',
    '{"items": [{"product_id": true}]}',
)
CALLS = (
    Call("GET", ORDERS),
    Call("POST", ORDERS, body=wanted((TEA, 1)), key="a"),
    Call("GET", f"{ORDERS}/{NOBODYS}"),
    Call("GET", ORDERS, "ada"),
    place("a", (TEA, 3), (CUP, 2)),
    place("a", (CUP, 2), (TEA, 3)),
    place("a", (TEA, 1)),
    place("b", (POT, 10_000)),
    place("c", (TEA, 1)),
    place("a", (TEA, 2), subject="bob"),
    place("d", (CUP, 4)),
    place("d", (CUP, 1)),
    place("e", (TEA, 1), (4711, 1)),
    place("f", (TEA, 1), fault="GET"),
    place("f", (TEA, 1), fault="PUT"),
    place("f", (TEA, 1)),
    *(place(key, (TEA, 1)) for key in (None, "", "x" * 129, "with space")),
    *(Call("POST", ORDERS, "ada", body, "g") for body in BAD_BODIES),
    Call("POST", ORDERS, "ada", "items=1", "g", "application/x-www-form-urlencoded"),
    Call("POST", ORDERS, "ada", wanted((TEA, 1))[:-1] + ', "note": "quick"}', "h"),
    *(Call("GET", f"{ORDERS}/{{{number}}}", "ada") for number in range(4)),
    Call("GET", f"{ORDERS}/{NOBODYS}", "ada"),
    Call("GET", f"{ORDERS}/first", "ada"),
    *(
        Call("GET", f"{ORDERS}{query}", "ada")
        for query in (
            "",
            "?limit=2",
            "?limit=2&after={5}",
            "?limit=2&after={2}",
            "?limit=02&after={0}",
            "?after={3}",
            f"?after={NOBODYS}",
            "?after=1",
            "?after=",
            "?limit=0&after=x",
            "?limit=101",
            "?limit=many",
            "?limit=1&limit=2",
            "?cursor=anything&status=cancelled",
        )
    ),
    Call("POST", f"{ORDERS}/{{0}}/cancel", "bob"),
    Call("POST", f"{ORDERS}/{NOBODYS}/cancel", "ada"),
    Call("POST", f"{ORDERS}/{{0}}/cancel", "ada", fault="DELETE"),
    Call("GET", f"{ORDERS}/{{0}}", "ada"),
    Call("POST", f"{ORDERS}/{{0}}/cancel", "ada"),
    Call("POST", f"{ORDERS}/{{0}}/cancel", "ada"),
    Call("POST", f"{ORDERS}/{{0}}/cancel"),
    place("a", (TEA, 3), (CUP, 2)),
    Call("GET", ORDERS, "ada"),
    Call("DELETE", ORDERS, "ada"),
    Call("DELETE", f"{ORDERS}/{{0}}", "ada"),
    Call("GET", "/api/v1/nothing"),
)


class Client:
    """Makes the calls, one after another. Orders are numbered as they are placed, and told by their numbers."""

    def __init__(self, client: Any, router: Any) -> None:
        self._client = client
        self._router = router
        self._placed: list[str] = []
        for price, stock in (("4.50", 100), ("8.00", 5), ("9999999999.99", 10_000)):
            router.shop.add(price=price, stock=stock)

    def play(self, call: Call) -> Answer:
        """Make a call, and return what came back."""
        if call.fault is not None:
            # More often than a client of any release tries.
            self._router.faults[call.fault].extend([(500, None)] * 10)
        answer = self._client.open(
            call.path.format(*self._placed), method=call.method, **self._sent(call)
        )
        self._router.faults.get(call.fault, []).clear()
        if answer.status_code == 201:
            self._placed.append(answer.json["id"])
        return self._without_what_changes(answer)

    def _sent(self, call: Call) -> dict[str, Any]:
        headers = {"X-Request-Id": "recorded"}
        if call.subject is not None:
            headers["Authorization"] = f"Bearer {self._router.token(call.subject)}"
        if call.key is not None:
            headers["Idempotency-Key"] = call.key
        if call.body is None:
            return {"headers": headers}
        return {"headers": headers, "data": call.body, "content_type": call.content_type}

    def _without_what_changes(self, answer: Any) -> Answer:
        body = answer.text
        for pattern, replacement in CHANGING:
            body = re.sub(pattern, replacement, body)
        for number, order_id in enumerate(self._placed):
            body = body.replace(order_id, f"{{{number}}}")
        headers = {name: answer.headers[name] for name in HEADERS if name in answer.headers}
        if "Allow" in headers:
            # Flask makes it of a set: the words come in any order.
            headers["Allow"] = ", ".join(sorted(headers["Allow"].split(", ")))
        return Answer(answer.status_code, answer.content_type, headers, body)


def inside() -> None:
    """Make the calls at the code that is found first, and print them with their answers."""
    from conftest import Router

    from order.app import create

    router = Router()
    os.environ["ORDER_ROUTER_URL"] = router.url
    client = Client(create().test_client(), router)
    rows = [{"call": asdict(call), "answer": asdict(client.play(call))} for call in CALLS]
    router.stop()
    sys.stdout.write(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    sys.path.append(str(HERE.parents[2] / "tests"))
    from compatibility.released import main

    main(__file__, inside)
