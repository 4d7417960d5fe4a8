"""v3: a page links to the next one. v2 gave the id, or the cursor, to ask for it with."""

from urllib.parse import urlencode

from pydantic import BaseModel

from platform_kit.api import Body, Change, Translation
from product.shapes import PageQuery, Price, Product


class ProductPage(BaseModel):
    """Some products, and the id after which the next ones begin; null on the last page."""

    items: list[Product]
    next_after: int | None


class PricePage(BaseModel):
    """Some prices, the newest first, and the cursor of the next ones; null on the last page."""

    items: list[Price]
    next_cursor: str | None


def next_link(after: int, query: PageQuery) -> str:
    """Return where the page after that id is, relative to any page, and asked for as that one was."""
    asked = query.model_dump(exclude={"after"}, exclude_defaults=True)
    texts = {name: "true" if value is True else value for name, value in asked.items()}
    return f"products?{urlencode({'after': after, **texts})}"


def next_after(link: str) -> int:
    """Return the id in a link."""
    return int(link.partition("after=")[2].partition("&")[0])


def with_an_id(body: Body) -> Body:
    """Return a page with the id instead of the link."""
    link = body["next"]
    return {"items": body["items"], "next_after": None if link is None else next_after(link)}


def prices_link(cursor: str, *, limit: int) -> str:
    """Return where the page of that cursor is, relative to any page of the same product's prices."""
    return f"prices?cursor={cursor}&limit={limit}"


def next_cursor(link: str) -> str:
    """Return the cursor in a link."""
    return link.partition("cursor=")[2].partition("&")[0]


def with_a_cursor(body: Body) -> Body:
    """Return a page of prices with the cursor instead of the link."""
    link = body["next"]
    return {"items": body["items"], "next_cursor": None if link is None else next_cursor(link)}


CHANGE = Change(
    "v3",
    says="Follow next, a link relative to the page, instead of asking with next_after or next_cursor.",
    operations={
        "list_products": Translation(answer=ProductPage, response=with_an_id),
        "list_prices": Translation(answer=PricePage, response=with_a_cursor),
    },
)
