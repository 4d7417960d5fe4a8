"""The routes of product: parse, call the domain, render."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from platform_kit import Business, Database, parse
from product import inventory, products, reservations
from product.products import HIGHEST_ID, Product, ProductId
from product.reservations import Item, ReservationId

# What warehouses and shops print on labels.
Sku = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]

# 200 holds the titles that shops show in a line; control characters would break the line.
Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^[:cntrl:]]+$"
    ),
]

# A paragraph or two; line breaks are wanted here.
Description = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]

# One word of a URL: "green-tea".
Category = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]

# Whole cents, and no more of them than the column of 1.1.0 takes: numeric(12, 2).
Price = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2)]

# A thousand million: what is reserved fits into the column on top of it, over and over.
Stock = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]

Quantity = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]

holds = Business("reservations")


class NewProduct(BaseModel):
    """The body of POST /inventory."""

    sku: Sku
    name: Name
    price: Price
    stock: Stock
    description: Description = ""
    category: Category | None = None


class StockChange(BaseModel):
    """The body of PUT /inventory/<id>/stock."""

    stock: Stock


class WantedItem(BaseModel):
    """An item in the body of PUT /reservations/<uuid>."""

    product_id: Annotated[int, Field(strict=True, ge=1, le=HIGHEST_ID)]
    quantity: Quantity


def _each_once(items: list[WantedItem]) -> list[WantedItem]:
    if len({item.product_id for item in items}) < len(items):
        message = "name each product once"
        raise ValueError(message)
    return items


class WantedReservation(BaseModel):
    """The body of PUT /reservations/<uuid>."""

    # 100 row locks at most are held by one request.
    items: Annotated[
        list[WantedItem], Field(min_length=1, max_length=100), AfterValidator(_each_once)
    ]


class PageQuery(BaseModel):
    """The query of GET /products."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    after: Annotated[int, Field(ge=0, le=HIGHEST_ID)] = 0
    category: Category | None = None


def routes(database: Database) -> Blueprint:
    """Return the blueprint of product's routes."""
    blueprint = Blueprint("product", __name__)

    @blueprint.get("/products")
    def list_products() -> ResponseReturnValue:
        query = PageQuery.model_validate(request.args.to_dict())
        page = products.page(
            database, after=ProductId(query.after), limit=query.limit, category=query.category
        )
        return {"items": [_rendered(item) for item in page.items], "next_after": page.next_after}

    @blueprint.get("/products/<int:product_id>")
    def read_product(product_id: int) -> ResponseReturnValue:
        return _rendered(products.read(database, ProductId(product_id)))

    @blueprint.post("/inventory")
    def add_product() -> ResponseReturnValue:
        return _rendered(inventory.add(database, **parse(NewProduct).model_dump())), 201

    @blueprint.put("/inventory/<int:product_id>/stock")
    def set_stock(product_id: int) -> ResponseReturnValue:
        stock = parse(StockChange).stock
        return _rendered(inventory.set_stock(database, ProductId(product_id), stock=stock))

    @blueprint.put("/reservations/<uuid:reservation_id>")
    def reserve(reservation_id: UUID) -> ResponseReturnValue:
        wanted = parse(WantedReservation).items
        items = [Item(ProductId(item.product_id), item.quantity) for item in wanted]
        with holds.attempt() as attempt:
            is_new = reservations.reserve(database, ReservationId(reservation_id), items)
            if is_new:
                attempt.success()
            else:
                attempt.repeated()
        answer = {"id": str(reservation_id), "items": [item.model_dump() for item in wanted]}
        return answer, 201 if is_new else 200

    @blueprint.delete("/reservations/<uuid:reservation_id>")
    def release(reservation_id: UUID) -> ResponseReturnValue:
        reservations.release(database, ReservationId(reservation_id))
        return "", 204

    return blueprint


def _rendered(product: Product) -> dict[str, object]:
    return {
        "id": product.id,
        "sku": product.sku,
        "name": product.name,
        "price": f"{product.price:.2f}",
        "stock": product.stock,
        "description": product.description,
        "category": product.category,
    }
