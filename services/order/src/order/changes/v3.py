"""v3: a page of orders links to the next one. v2 gave the cursor to ask for it with."""

from pydantic import BaseModel

from order.shapes import Order
from platform_kit.api import Body, Change, Translation


class OrderPage(BaseModel):
    """Some orders, the newest first, and the cursor of the next ones; null on the last page."""

    items: list[Order]
    next_cursor: str | None


def next_link(cursor: str, *, limit: int, status: str | None = None) -> str:
    """Return where the page of that cursor is, relative to any page."""
    narrowed = f"&status={status}" if status else ""
    return f"orders?cursor={cursor}&limit={limit}{narrowed}"


def next_cursor(link: str) -> str:
    """Return the cursor in a link."""
    return link.partition("cursor=")[2].partition("&")[0]


def with_a_cursor(body: Body) -> Body:
    """Return a page with the cursor instead of the link."""
    link = body["next"]
    return {"items": body["items"], "next_cursor": None if link is None else next_cursor(link)}


CHANGE = Change(
    "v3",
    says="Follow next, a link relative to the page, instead of asking with next_cursor.",
    operations={"list_orders": Translation(answer=OrderPage, response=with_a_cursor)},
)
