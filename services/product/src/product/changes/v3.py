"""v3: a page of products links to the next one. v2 gave the id to ask for it with."""

from urllib.parse import urlencode

from pydantic import BaseModel

from platform_kit.api import Body, Change, Translation
from product.shapes import PageQuery, Product


class ProductPage(BaseModel):
    """Some products, and the id after which the next ones begin; null on the last page."""

    items: list[Product]
    next_after: int | None


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


CHANGE = Change(
    "v3",
    says="Follow next, a link relative to the page, instead of asking with next_after.",
    operations={"list_products": Translation(answer=ProductPage, response=with_an_id)},
)
