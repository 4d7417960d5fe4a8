"""Placing an order when all goes well, and when product says no."""

from datetime import UTC, datetime, timedelta

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("either_way")]


def test_placing_answers_the_order(ada, tea, cup):
    """With the prices of the moment, and a total without rounding."""
    answer = ada.place({tea: 3, cup: 2})

    assert answer.status_code == 201
    assert "Idempotency-Replayed" not in answer.headers
    assert answer.json == {
        "id": answer.json["id"],
        "status": "placed",
        "items": [
            {"product_id": tea, "quantity": 3, "unit_price": "4.50"},
            {"product_id": cup, "quantity": 2, "unit_price": "8.00"},
        ],
        "total": "29.50",
        "created_at": answer.json["created_at"],
        "cancelled_at": None,
    }
    age = datetime.now(UTC) - datetime.fromisoformat(answer.json["created_at"])
    assert abs(age) < timedelta(minutes=1)


def test_placing_reserves_under_the_orders_id(ada, shop, tea, cup):
    """So that whoever finds the order knows what to release."""
    order_id = ada.place({tea: 3, cup: 5}).json["id"]

    assert shop.held == {order_id: {tea: 3, cup: 5}}
    assert (shop.stock[tea], shop.stock[cup]) == (97, 0)


def test_a_placed_order_is_there_to_be_read(ada, tea):
    """The answer to placing is what reading answers from then on."""
    placed = ada.place({tea: 1}).json

    assert ada.get(f"orders/{placed['id']}").json == placed
    assert ada.orders() == [placed]


def test_a_price_that_changes_later_leaves_the_order_alone(ada, shop, tea):
    """The customer pays what was shown."""
    order_id = ada.place({tea: 2}).json["id"]

    shop.prices[tea] = "99.00"

    assert ada.get(f"orders/{order_id}").json["total"] == "9.00"
    assert ada.place({tea: 2}).json["total"] == "198.00"


@pytest.mark.parametrize(
    ("price", "quantity", "total"),
    [("0.00", 1, "0.00"), ("0.1", 3, "0.30"), ("9999999999.99", 10_000, "99999999999900.00")],
)
def test_totals_are_exact(ada, shop, price, quantity, total):
    """Decimals, from the one end to the other."""
    product = shop.add(price=price, stock=10_000)

    placed = ada.place({product: quantity}).json

    assert placed["total"] == total
    assert ada.orders() == [placed]


def test_out_of_stock_is_passed_on(ada, books, shop, tea, cup):
    """409 names the product; there is neither an order nor a reservation."""
    answer = ada.place({tea: 1, cup: 6})

    assert answer.status_code == 409
    assert answer.mimetype == "application/problem+json"
    assert (answer.json["code"], answer.json["product_id"]) == ("out_of_stock", cup)
    assert (books.statuses(), books.count_items(), shop.held) == ([], 0, {})
    assert (shop.stock[tea], shop.stock[cup]) == (100, 5)


def test_a_missing_product_is_passed_on(ada, books, shop, tea):
    """404 names the product, and nothing was begun."""
    answer = ada.place({tea: 1, 4711: 1})

    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
    assert (answer.json["code"], answer.json["product_id"]) == ("product_missing", 4711)
    assert (books.statuses(), shop.held) == ([], {})


def test_a_product_that_vanishes_after_its_price_was_read_is_passed_on(
    ada, books, shop, tea, router
):
    """The reservation has the last word."""
    router.faults["PUT"].append(lambda: shop.stock.pop(tea))

    answer = ada.place({tea: 1})

    assert answer.status_code == 404
    assert (answer.json["code"], answer.json["product_id"]) == ("product_missing", tea)
    assert (books.statuses(), shop.held) == ([], {})


def test_a_refused_key_may_be_used_again(ada, shop, cup):
    """Nothing was placed under it; out of stock today, back tomorrow."""
    assert ada.place({cup: 6}, key="mine").status_code == 409

    shop.stock[cup] = 6
    answer = ada.place({cup: 6}, key="mine")

    assert answer.status_code == 201
    assert "Idempotency-Replayed" not in answer.headers
    assert shop.stock[cup] == 0


def test_the_request_id_goes_on_to_product(app, router, tea):
    """One id through all logs of a request."""
    headers = {
        "Authorization": f"Bearer {router.token('ada')}",
        "Idempotency-Key": "mine",
        "X-Request-Id": "trace-me",
    }
    items = [{"product_id": tea, "quantity": 1}]

    app.test_client().post("/api/v1/orders", json={"items": items}, headers=headers)

    assert sorted(method for method, _ in router.calls) == ["GET", "PUT"]
    assert router.request_ids == ["trace-me", "trace-me"]


def test_of_many_that_want_the_last_ones_so_many_get_them(customer, books, shop, cup, together):
    """Customers of their own, one each, all at once."""
    buyers = [customer(f"customer-{number}") for number in range(20)]

    answers = together([lambda buyer=buyer: buyer.place({cup: 1}) for buyer in buyers])

    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [409] * 15
    assert books.statuses() == ["placed"] * 5
    assert (shop.stock[cup], len(shop.held)) == (0, 5)
