"""v2: a price is a whole number of cents, and a list can be searched.

v1 had the price as a text with two decimals, and took a number too.
"""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, Field

from platform_kit.api import Body, Change, Translation
from product.shapes import After, Category, Description, Limit, Moment, Name, Sku, Stock

Price = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2)]


class NewProduct(BaseModel):
    """A product to put into the catalogue."""

    sku: Sku
    name: Name
    price: Price
    stock: Stock
    description: Description = ""
    category: Category | None = None


class PriceChange(BaseModel):
    """What a product costs from now on."""

    price: Price


class Product(BaseModel):
    """A product, its price in the shop's currency, and how many can still be reserved."""

    id: int
    sku: str
    name: str
    price: str
    stock: int
    description: str
    category: str | None


class PageQuery(BaseModel):
    """Which products to list."""

    limit: Limit = 20
    after: After = 0
    category: Category | None = None


class ProductPage(BaseModel):
    """Some products, and the id after which the next ones begin; null on the last page."""

    items: list[Product]
    next_after: int | None


class PastPrice(BaseModel):
    """A price in the shop's currency, and since when it is the product's."""

    price: str
    since: Moment


class PricePage(BaseModel):
    """Some prices, the newest first, and the cursor of the next ones; null on the last page."""

    items: list[PastPrice]
    next_cursor: str | None


def in_cents(body: Body) -> Body:
    """Return a request with its price in cents."""
    rest = {key: value for key, value in body.items() if key != "price"}
    return {"price_cents": int(body["price"] * 100), **rest}


def in_decimals(body: Body) -> Body:
    """Return an answer with its price as a text."""
    whole, cents = divmod(body["price_cents"], 100)
    rest = {key: value for key, value in body.items() if key != "price_cents"}
    return {"price": f"{whole}.{cents:02}", **rest}


def all_in_decimals(body: Body) -> Body:
    """Return a page with all its prices as texts."""
    return {**body, "items": [in_decimals(item) for item in body["items"]]}


CHANGE = Change(
    "v2",
    says=(
        "Write and read price_cents, a whole number, instead of price: 450 for what was 4.50. The list can be "
        "searched by name, price_cents_from, price_cents_to and in_stock, of which v1 took no notice."
    ),
    operations={
        "list_products": Translation(query=PageQuery, answer=ProductPage, response=all_in_decimals),
        "read_product": Translation(answer=Product, response=in_decimals),
        "add_product": Translation(
            body=NewProduct, request=in_cents, answer=Product, response=in_decimals
        ),
        "set_price": Translation(
            body=PriceChange, request=in_cents, answer=Product, response=in_decimals
        ),
        "set_stock": Translation(answer=Product, response=in_decimals),
        "list_prices": Translation(answer=PricePage, response=all_in_decimals),
    },
)
