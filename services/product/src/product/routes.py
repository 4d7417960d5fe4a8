"""The operations of product: parse, call the domain, render.

They are written for the newest version of the interface; `changes` leads from and to the others.
"""

from uuid import UUID

from platform_kit import Admission, Business, Database, client_address, parse, parse_query
from platform_kit.admission import REFUSALS
from platform_kit.api import Api, Clock, utc_now
from platform_kit.events import Event, Inbox, Receipt
from product import inventory, prices, products, reservations, shapes
from product.changes import CHANGES, VERSIONS
from product.changes.v3 import next_link, prices_link
from product.cursor import cursor_after, number_before
from product.flags import HIDE_SOLD_OUT
from product.products import Product, ProductId, Wanted
from product.reservations import Item, ReservationId
from product.shapes import (
    NewProduct,
    PageQuery,
    PriceChange,
    PricesQuery,
    StockChange,
    WantedReservation,
)

MISSING = {404: ["product_missing"]}

# The one service that reserves stock, and whose events are heard.
ORDER = "order"

holds = Business("reservations")


def routes(
    database: Database, inbox: Inbox, admission: Admission, *, clock: Clock = utc_now
) -> Api:
    """Return product's interface."""
    api = Api(VERSIONS, CHANGES, clock=clock)
    _show_the_catalogue(api, database)
    _keep_the_inventory(api, database)
    _serve_order(api, database, inbox, admission)
    return api


def _show_the_catalogue(api: Api, database: Database) -> None:
    @api.operation("GET /products", query=PageQuery, answer=shapes.ProductPage)
    def list_products() -> shapes.ProductPage:
        """List products in the order of their ids, a page at a time."""
        query = parse_query(PageQuery)
        wanted = Wanted(
            category=query.category,
            name=query.name,
            cents_from=query.price_cents_from,
            cents_to=query.price_cents_to,
            # Nobody says here who they are: each stays with what their address has.
            in_stock=query.in_stock or HIDE_SOLD_OUT.on(client_address() or ""),
        )
        page = products.page(
            database, after=ProductId(query.after), limit=query.limit, wanted=wanted
        )
        after = page.next_after
        return shapes.ProductPage(
            items=[_rendered(item) for item in page.items],
            next=None if after is None else next_link(after, query),
        )

    @api.operation("GET /products/<int:product_id>", answer=shapes.Product, refusals=MISSING)
    def read_product(product_id: int) -> shapes.Product:
        """Read a product."""
        return _rendered(products.read(database, ProductId(product_id)))

    @api.operation(
        "GET /products/<int:product_id>/prices",
        query=PricesQuery,
        answer=shapes.PricePage,
        refusals={400: ["cursor_invalid"], **MISSING},
    )
    def list_prices(product_id: int) -> shapes.PricePage:
        """List what a product costs and has cost, the newest price first, a page at a time."""
        query, of = parse_query(PricesQuery), ProductId(product_id)
        before = None if query.cursor is None else number_before(query.cursor, of=of)
        page = prices.page(database, of, before=before, limit=query.limit)
        after = page.next_after
        return shapes.PricePage(
            items=[
                shapes.Price(price_cents=each.price_cents, since=each.since.isoformat())
                for each in page.items
            ],
            next=None
            if after is None
            else prices_link(cursor_after(after, of=of), limit=query.limit),
        )


def _keep_the_inventory(api: Api, database: Database) -> None:
    @api.operation(
        "POST /inventory",
        body=NewProduct,
        answer=shapes.Product,
        statuses=(201,),
        refusals={409: ["sku_taken"]},
    )
    def add_product() -> shapes.Product:
        """Put a new product into the catalogue. For other services only."""
        new = parse(NewProduct)
        return _rendered(
            inventory.add(
                database,
                sku=new.sku,
                name=new.name,
                price_cents=new.price_cents,
                stock=new.stock,
                description=new.description,
                category=new.category,
            )
        )

    @api.operation(
        "PUT /inventory/<int:product_id>/stock",
        body=StockChange,
        answer=shapes.Product,
        refusals=MISSING,
    )
    def set_stock(product_id: int) -> shapes.Product:
        """Say how many of a product can be reserved. For other services only."""
        stock = parse(StockChange).stock
        return _rendered(inventory.set_stock(database, ProductId(product_id), stock=stock))

    @api.operation(
        "PUT /inventory/<int:product_id>/price",
        body=PriceChange,
        answer=shapes.Product,
        refusals=MISSING,
    )
    def set_price(product_id: int) -> shapes.Product:
        """Say what a product costs from now on. For other services only."""
        cents = parse(PriceChange).price_cents
        return _rendered(inventory.set_price(database, ProductId(product_id), price_cents=cents))


def _serve_order(api: Api, database: Database, inbox: Inbox, admission: Admission) -> None:
    @api.operation(
        "PUT /reservations/<uuid:reservation_id>",
        body=WantedReservation,
        answer=shapes.Reservation,
        statuses=(201, 200),
        refusals={
            **REFUSALS,
            **MISSING,
            409: ["reservation_differs", "reservation_released", "out_of_stock"],
        },
    )
    def reserve(reservation_id: UUID) -> tuple[shapes.Reservation, int]:
        """Reserve items under an id of the caller's; 200 if that was done before. For other services only."""
        admission.admit(ORDER)
        wanted = parse(WantedReservation).items
        items = [Item(ProductId(item.product_id), item.quantity) for item in wanted]
        with holds.attempt() as attempt:
            is_new = reservations.reserve(database, ReservationId(reservation_id), items)
            if is_new:
                attempt.success()
            else:
                attempt.repeated()
        return shapes.Reservation(id=reservation_id, items=wanted), 201 if is_new else 200

    @api.operation("DELETE /reservations/<uuid:reservation_id>", statuses=(204,), refusals=REFUSALS)
    def release(reservation_id: UUID) -> None:
        """Give a reservation's items back. For other services only."""
        admission.admit(ORDER)
        reservations.release(database, ReservationId(reservation_id))

    @api.operation("POST /events", body=Event, answer=Receipt, refusals=REFUSALS)
    def take_event() -> Receipt:
        """Take an event; its effect it has once, however often it comes. For other services only."""
        admission.admit(ORDER)
        return inbox.take(parse(Event))


def _rendered(product: Product) -> shapes.Product:
    return shapes.Product(
        id=product.id,
        sku=product.sku,
        name=product.name,
        price_cents=product.price_cents,
        stock=product.stock,
        description=product.description,
        category=product.category,
    )
