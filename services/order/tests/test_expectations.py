"""What order expects of product and of auth: no more than it needs, and with the code that asks for it.

`pytest services/order/tests/test_expectations.py --write-contracts` writes the contract anew.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from uuid import UUID

import jwt
import pytest
from contract.consumer import contract, play, receive, text
from contract.tokens import Signer, access_token, closed_verifiers, keys
from pact import match

from order.events import Product
from order.orders import Item, OrderId, ProductId
from order.stock import OutOfStock, ProductMissing, ProductUnavailable, Stock
from platform_kit import ServiceClient
from platform_kit.events import Event
from platform_kit.events.outbox import Claimed

pytestmark = pytest.mark.contract

API = "/product/api/v1"
JSON = "application/json"
PROBLEM = "application/problem+json"
# As exact as the column that order keeps it in.
MONEY = r"^\d{1,10}(\.\d{1,2})?$"

TEA = ProductId(7)
ORDER = OrderId(UUID("5b1c6f5e-8d0a-4c8e-9a53-0b7d3f0f7a10"))
TWO_OF_TEA = [Item(TEA, 2, Decimal("4.50"))]
RESERVATION = f"{API}/reservations/{ORDER}"
WANTED = {"items": [{"product_id": TEA, "quantity": 2}]}
CANCELLED = Event(
    id=UUID("0d5d3f0e-2b57-4a43-9a39-6a1c0a8f6c11"),
    type="OrderCancelled",
    version=1,
    key=str(ORDER),
    at=datetime(2026, 12, 1, tzinfo=UTC),
    data={"order_id": str(ORDER), "reservation_id": str(ORDER), **WANTED},
)
PART_CANCELLED = CANCELLED.model_copy(
    update={
        "id": UUID("6f7f52f3-52b0-4b39-8d0c-6f2f6f1b5a52"),
        "data": {
            "order_id": str(ORDER),
            "reservation_id": None,
            "part_of": str(ORDER),
            "items": [{"product_id": TEA, "quantity": 1}],
        },
    }
)


@contextmanager
def stock_at(url):
    """Order's client of product."""
    client = ServiceClient(url, "product")
    yield Stock(client)
    client.close()


@contextmanager
def told_at(url):
    """Order's relay, as far as it calls product."""
    client = ServiceClient(url, "product")
    yield Product(client)
    client.close()


def refusal(code):
    """What order reads of a refusal: which one, exactly, and of which product."""
    return {"code": code, "product_id": match.int(TEA)}


def price(pact):
    """A text: a number would be another one in other clients."""
    asked = pact.upon_receiving("the price of a product").given("a product", id=TEA, stock=10)
    asked.with_request("GET", f"{API}/products/{TEA}").will_respond_with(200)
    asked.with_body({"price": text("4.50", regex=MONEY)}, JSON)
    stock = yield

    assert stock.price(TEA) == Decimal("4.50")


def price_of_nothing(pact):
    """A product that is not there is told from a route that is not."""
    asked = pact.upon_receiving("the price of a product that is not there")
    asked.given("no product").with_request("GET", f"{API}/products/{TEA}").will_respond_with(404)
    asked.with_body(refusal("product_missing"), PROBLEM)
    stock = yield

    with pytest.raises(ProductMissing):
        stock.price(TEA)


def reservation(pact):
    """Order reads no body here: what it holds is what it asked for."""
    asked = pact.upon_receiving("a reservation").given("a product", id=TEA, stock=10)
    asked.with_request("PUT", RESERVATION).with_body(WANTED, JSON).will_respond_with(201)
    stock = yield

    stock.reserve(ORDER, TWO_OF_TEA)


def repeated_reservation(pact):
    """An answer may have been lost: the same again takes nothing."""
    asked = pact.upon_receiving("a reservation that was made before")
    asked.given("a reservation", id=str(ORDER), product_id=TEA, quantity=2)
    asked.with_request("PUT", RESERVATION).with_body(WANTED, JSON).will_respond_with(200)
    stock = yield

    stock.reserve(ORDER, TWO_OF_TEA)


def reservation_of_nothing(pact):
    """Refused as a whole, so the order is discarded."""
    asked = pact.upon_receiving("a reservation of a product that is not there")
    asked.given("no product").with_request("PUT", RESERVATION).with_body(WANTED, JSON)
    asked.will_respond_with(404).with_body(refusal("product_missing"), PROBLEM)
    stock = yield

    with pytest.raises(ProductMissing):
        stock.reserve(ORDER, TWO_OF_TEA)


def reservation_of_too_many(pact):
    """Refused as a whole, so the order is discarded."""
    asked = pact.upon_receiving("a reservation of more than there is")
    asked.given("a product", id=TEA, stock=1).with_request("PUT", RESERVATION)
    asked.with_body(WANTED, JSON).will_respond_with(409)
    asked.with_body(refusal("out_of_stock"), PROBLEM)
    stock = yield

    with pytest.raises(OutOfStock):
        stock.reserve(ORDER, TWO_OF_TEA)


def reservation_after_its_release(pact):
    """A request that was overtaken must take nothing; why it is refused order does not read."""
    asked = pact.upon_receiving("a reservation that was released before")
    asked.given("a released reservation", id=str(ORDER), product_id=TEA, quantity=2)
    asked.with_request("PUT", RESERVATION).with_body(WANTED, JSON).will_respond_with(409)
    stock = yield

    with pytest.raises(ProductUnavailable):
        stock.reserve(ORDER, TWO_OF_TEA)


def release(pact):
    """The stock of a cancelled order goes back."""
    asked = pact.upon_receiving("the release of a reservation")
    asked.given("a reservation", id=str(ORDER), product_id=TEA, quantity=2)
    asked.with_request("DELETE", RESERVATION).will_respond_with(204)
    stock = yield

    stock.release(ORDER)


def repeated_release(pact):
    """The sweeper may come after a release whose answer was lost."""
    asked = pact.upon_receiving("the release of a reservation that was released before")
    asked.given("a released reservation", id=str(ORDER), product_id=TEA, quantity=2)
    asked.with_request("DELETE", RESERVATION).will_respond_with(204)
    stock = yield

    stock.release(ORDER)


def release_of_nothing(pact):
    """Whether a reservation arrived is not known to who turns it around."""
    asked = pact.upon_receiving("the release of a reservation that never came")
    asked.given("no product").with_request("DELETE", RESERVATION).will_respond_with(204)
    stock = yield

    stock.release(ORDER)


def event(pact):
    """Known to product, and not only confirmed: skipped, it would give nothing back."""
    asked = pact.upon_receiving("an event of a cancelled order")
    asked.given("a reservation", id=str(ORDER), product_id=TEA, quantity=2)
    asked.with_request("POST", f"{API}/events").with_body(CANCELLED.model_dump(mode="json"), JSON)
    asked.will_respond_with(200).with_body({"outcome": "applied"}, JSON)
    product = yield

    assert product.tell(Claimed(CANCELLED, 1, {})) == 200


def event_of_a_part(pact):
    """Known as well: a product that does not know of parts refuses it, and it comes again."""
    asked = pact.upon_receiving("an event of an order that is cancelled in part")
    asked.given("a reservation", id=str(ORDER), product_id=TEA, quantity=2)
    asked.with_request("POST", f"{API}/events")
    asked.with_body(PART_CANCELLED.model_dump(mode="json"), JSON)
    asked.will_respond_with(200).with_body({"outcome": "applied"}, JSON)
    product = yield

    assert product.tell(Claimed(PART_CANCELLED, 1, {})) == 200


OF_PRODUCT = (
    price,
    price_of_nothing,
    reservation,
    repeated_reservation,
    reservation_of_nothing,
    reservation_of_too_many,
    reservation_after_its_release,
    release,
    repeated_release,
    release_of_nothing,
)
TOLD_TO_PRODUCT = (event, event_of_a_part)
OF_AUTH = (keys, access_token)


@pytest.fixture
def knock(database, migrated_url, instance):
    """Somebody lists their orders with a token; the router is at a URL."""

    @contextmanager
    def at(url):
        with closed_verifiers():
            client = instance(migrated_url, url).test_client()
            yield partial(look, client)

    def look(client, token):
        headers = {"Authorization": f"Bearer {token}"}
        return client.get("/api/v1/orders", headers=headers).status_code

    return at


@pytest.mark.parametrize("expectation", OF_PRODUCT)
def test_order_asks_product_what_it_says_and_understands_the_answers(expectation):
    """By its own client: a call that is not in the contract fails, and so does an answer that it cannot use."""
    play("order", "product", expectation, stock_at)


@pytest.mark.parametrize("expectation", TOLD_TO_PRODUCT)
def test_order_tells_product_what_it_says_and_takes_its_word(expectation):
    """By its relay's own call: an answer that confirms nothing fails."""
    play("order", "product", expectation, told_at)


def test_the_contract_with_product_is_what_order_expects(write_contracts):
    """What is checked in is what product is held against."""
    kept, made = contract("order", "product", OF_PRODUCT + TOLD_TO_PRODUCT, write=write_contracts)

    assert kept == made


def test_order_verifies_tokens_by_the_keys_that_auth_publishes(knock):
    """They are asked for where auth has them, and make a token good."""
    play("order", "auth", partial(keys, signer=Signer()), knock)


def test_order_lets_in_who_has_a_token_of_auths(knock, router):
    """What is expected of a token is enough."""

    def take(token):
        header = {**token["header"], "kid": router.kid}
        with knock(router.url) as look:
            return look(jwt.encode(token["claims"], router.private_key, headers=header))

    receive("order", "auth", access_token, take)


def test_the_contract_with_auth_is_what_order_expects(write_contracts):
    """What is checked in is what auth is held against."""
    kept, made = contract("order", "auth", OF_AUTH, write=write_contracts)

    assert kept == made
